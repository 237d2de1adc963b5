//! Zip files that come out the same whoever makes them and when: names in order, one date, one kind of compression, no
//! names of users. What SwiftPM checks is the sum over such a file.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipArchive, ZipWriter};

use super::breach::Breach;

/// Files by their path inside, `/` between folders.
pub(crate) type Tree = BTreeMap<String, Vec<u8>>;

/// The rights of every file.
const MODE: u32 = 0o644;

/// Packs the files.
///
/// # Errors
/// A sentence.
pub(crate) fn pack(files: &Tree) -> Result<Vec<u8>, String> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::DEFAULT)
        .system(System::Unix)
        .unix_permissions(MODE);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in files {
        zip.start_file(path, options).map_err(|error| format!("{path}: {error}"))?;
        zip.write_all(content).map_err(|error| format!("{path}: {error}"))?;
    }
    zip.finish().map(Cursor::into_inner).map_err(|error| error.to_string())
}

/// Unpacks the files.
///
/// # Errors
/// A sentence, where it is no zip file.
pub(crate) fn unpack(zip: &[u8]) -> Result<Tree, String> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(|error| error.to_string())?;
    let mut files = Tree::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| error.to_string())?;
        if entry.is_file() {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(|error| format!("{}: {error}", entry.name()))?;
            files.insert(entry.name().to_owned(), content);
        }
    }
    Ok(files)
}

/// What would make the same content another file tomorrow.
pub(crate) fn check(zip: &[u8]) -> Vec<Breach> {
    let mut archive = match ZipArchive::new(Cursor::new(zip)) {
        Ok(archive) => archive,
        Err(error) => return vec![Breach::new("is a zip file", error)],
    };
    let mut breaches = Vec::new();
    let mut last = String::new();
    for index in 0..archive.len() {
        let entry = match archive.by_index(index) {
            Ok(entry) => entry,
            Err(error) => return vec![Breach::new("is a zip file", error)],
        };
        let name = entry.name().to_owned();
        if name <= last && index > 0 {
            breaches.push(Breach::new("zip: names in order, each once", format!("{name} after {last}")));
        }
        if entry.last_modified() != Some(DateTime::DEFAULT) {
            breaches.push(Breach::new("zip: one date", &name));
        }
        if !entry.is_file() || entry.unix_mode().map(|mode| mode & 0o7777) != Some(MODE) {
            breaches.push(Breach::new("zip: plain files with equal rights", &name));
        }
        if name.starts_with('/') || name.split('/').any(|part| part == "..") {
            breaches.push(Breach::new("zip: every path stays inside", &name));
        }
        last = name;
    }
    breaches
}

/// The sum that SwiftPM calls the checksum.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::breach::rules;
    use super::*;

    fn tree() -> Tree {
        [("b/two", "2".repeat(500)), ("a", String::new())]
            .map(|(name, text)| (name.to_owned(), text.into_bytes()))
            .into()
    }

    #[test]
    fn packing_is_undone_by_unpacking_and_always_gives_the_same_bytes() {
        let packed = pack(&tree()).unwrap();
        assert_eq!(unpack(&packed).unwrap(), tree());
        assert_eq!(pack(&tree()).unwrap(), packed);
        assert_eq!(check(&packed), []);
        assert!(packed.len() < 400, "it is compressed");
    }

    #[test]
    fn sums_are_written_as_swiftpm_writes_them() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    fn zip(entries: &[(&str, SimpleFileOptions)]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, options) in entries {
            zip.start_file(name, *options).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn each_rule_turns_red_by_itself() {
        let plain = SimpleFileOptions::default().last_modified_time(DateTime::DEFAULT).unix_permissions(MODE);
        let dated = plain.last_modified_time(DateTime::from_date_and_time(2026, 11, 21, 0, 0, 0).unwrap());
        assert_eq!(rules(&check(&zip(&[("a", plain), ("b", plain)]))), [""; 0]);
        assert_eq!(rules(&check(&zip(&[("b", plain), ("a", plain)]))), ["zip: names in order, each once"]);
        assert_eq!(rules(&check(&zip(&[("a", dated)]))), ["zip: one date"]);
        let rights = plain.unix_permissions(0o600);
        assert_eq!(rules(&check(&zip(&[("a", rights)]))), ["zip: plain files with equal rights"]);
        assert_eq!(rules(&check(&zip(&[("a/../../b", plain)]))), ["zip: every path stays inside"]);
        assert_eq!(rules(&check(b"no zip file")), ["is a zip file"]);
    }
}
