//! JSON lines: one note per line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{IMPORT_BYTES_MAX, Imported};
use crate::failure::Failure;

/// The longest line: a note at the limits of the protocol, escaped.
const LINE_BYTES_MAX: u64 = 32 << 20;
/// Below this a time counts as seconds since 1970, from here on as milliseconds.
const SECONDS_MAX: i64 = 100_000_000_000;

#[derive(Deserialize)]
struct Line {
    id: Option<String>,
    title: String,
    tag: Option<String>,
    body: Option<String>,
    pinned: Option<bool>,
    updated_at: Option<i64>,
}

/// Reads a `.jsonl` file, gzipped or not, one note per line.
///
/// # Errors
/// A [`Failure`] that names the line.
pub fn read_jsonl(path: &Path) -> Result<Vec<Imported>, Failure> {
    let mut notes = Vec::new();
    lines(path, |number, line: Line| {
        let id = line.id.unwrap_or_else(|| super::markdown::id_of(&format!("{number}:{}", line.title)));
        let updated_at_ms = line.updated_at.map(ms);
        let Line { title, tag, body, pinned, .. } = line;
        notes.push(Imported { id, title, tag, body, pinned, updated_at_ms });
    })?;
    Ok(notes)
}

/// Reads any JSON lines, gzipped or not, and gives each with its number from 1. Empty lines are skipped.
///
/// # Errors
/// A [`Failure`] that names the line; never what stands in it.
pub fn lines<T: DeserializeOwned>(path: &Path, mut each: impl FnMut(usize, T)) -> Result<(), Failure> {
    let mut reader = open(path)?;
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = (&mut reader).take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line);
        match read {
            Ok(0) => break,
            Ok(bytes) if bytes as u64 > LINE_BYTES_MAX => return Err(bad(path, number, "the line is too long")),
            Ok(_) => {}
            Err(error) => return Err(bad(path, number, &format!("it cannot be read ({})", error.kind()))),
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        // serde's own words may quote the value; the category and column say enough.
        let value = serde_json::from_slice(&line).map_err(|error| {
            let what = match error.classify() {
                serde_json::error::Category::Data => "a member is missing or has the wrong type",
                _ => "it is not JSON",
            };
            bad(path, number, &format!("{what}, near column {}", error.column()))
        })?;
        each(number, value);
    }
    Ok(())
}

fn open(path: &Path) -> Result<BufReader<Box<dyn Read>>, Failure> {
    let failed = |error| Failure::file(path, &error);
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    let gzipped = file.fill_buf().map_err(failed)?.starts_with(&[0x1f, 0x8b]);
    let plain: Box<dyn Read> = if gzipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok(BufReader::new(Box::new(plain.take(IMPORT_BYTES_MAX))))
}

fn bad(path: &Path, number: usize, what: &str) -> Failure {
    Failure::bad_input(
        "import_line",
        format!("{}, line {number}: {what}.", path.display()),
        "Nothing was imported; mend the line and import again.",
    )
}

/// Seconds or milliseconds, as milliseconds.
pub(crate) const fn ms(time: i64) -> i64 {
    if time.unsigned_abs() < SECONDS_MAX.unsigned_abs() { time * 1000 } else { time }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        (folder, path)
    }

    #[test]
    fn seconds_and_milliseconds_are_told_apart() {
        let (_folder, path) = file(
            "a.jsonl",
            b"{\"id\":\"1\",\"title\":\"a\",\"tag\":\"t\",\"body\":\"b\",\"updated_at\":1700000000}\n\n{\"title\":\"c\",\"updated_at\":1700000000123}",
        );
        let notes = read_jsonl(&path).unwrap();
        assert_eq!(notes.len(), 2);
        assert_eq!(notes[0].updated_at_ms, Some(1_700_000_000_000));
        assert_eq!(notes[1].updated_at_ms, Some(1_700_000_000_123));
        assert_eq!(notes[0].id, "1");
        assert_eq!((notes[1].tag.as_ref(), notes[1].body.as_ref()), (None, None));
    }

    #[test]
    fn gzip_is_recognised_by_its_first_bytes() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(b"{\"id\":\"1\",\"title\":\"a\"}\n").unwrap();
        let (_folder, path) = file("a.jsonl", &packed.finish().unwrap());
        assert_eq!(read_jsonl(&path).unwrap().len(), 1);
    }

    #[test]
    fn a_broken_line_is_named_and_not_quoted() {
        let (_folder, path) = file("a.jsonl", b"{\"title\":\"a\"}\n{\"title\":\"secret");
        let failure = read_jsonl(&path).unwrap_err();
        assert!(failure.message.contains("line 2"), "{failure}");
        assert!(!failure.to_string().contains("secret"), "{failure}");
        let (_folder, path) = file("a.jsonl", b"{\"title\":77}");
        let failure = read_jsonl(&path).unwrap_err();
        assert!(failure.message.contains("line 1: a member"), "{failure}");
    }
}
