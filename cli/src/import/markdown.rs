//! A folder of Markdown files: one note per file.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{IMPORT_BYTES_MAX, Imported};
use crate::failure::Failure;

/// The deepest folder below the given one.
const DEPTH_MAX: usize = 32;

/// Reads every `.md` and `.markdown` file below `folder`, in path order; hidden files and links are left out.
///
/// The title is the first heading or else the file's name, the tag is the folder the file is in, and the id
/// is made from the path below `folder`.
///
/// # Errors
/// A [`Failure`] that names the file.
pub fn read_folder(folder: &Path) -> Result<Vec<Imported>, Failure> {
    let mut files = Vec::new();
    find(folder, 0, &mut files)?;
    files.sort();
    let mut left = IMPORT_BYTES_MAX;
    files.iter().map(|path| read_note(folder, path, &mut left)).collect()
}

fn find(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if depth > DEPTH_MAX {
        return Err(Failure::bad_input(
            "import_depth",
            format!("{} lies more than {DEPTH_MAX} folders deep.", folder.display()),
            "Import a folder further down.",
        ));
    }
    let failed = |error: std::io::Error| Failure::file(folder, &error);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let is_markdown = path.extension().is_some_and(|end| end == "md" || end == "markdown");
        if kind.is_dir() {
            find(&path, depth + 1, files)?;
        } else if kind.is_file() && is_markdown {
            files.push(path);
        }
    }
    Ok(())
}

fn read_note(root: &Path, path: &Path, left: &mut u64) -> Result<Imported, Failure> {
    let failed = |error: std::io::Error| Failure::file(path, &error);
    let meta = std::fs::metadata(path).map_err(failed)?;
    *left = left.checked_sub(meta.len()).ok_or_else(|| {
        let message = format!("{} holds more than {IMPORT_BYTES_MAX} bytes of notes.", root.display());
        Failure::bad_input("import_size", message, "Import its folders one by one.")
    })?;
    let text = String::from_utf8(std::fs::read(path).map_err(failed)?).map_err(|_| {
        Failure::bad_input("import_text", format!("{} is not UTF-8 text.", path.display()), "Nothing was imported.")
    })?;
    let inside = path.strip_prefix(root).unwrap_or(path);
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("note");
    let (title, body) = split_title(&text).unwrap_or_else(|| (stem.to_owned(), text.clone()));
    let tag = inside.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    let changed = meta.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    Ok(Imported {
        // The separator of the path must not depend on the system, or the same folder would make other ids.
        id: id_of(&inside.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")),
        title,
        tag: Some(tag.to_owned()),
        body: Some(body),
        pinned: None,
        updated_at_ms: changed.and_then(|at| i64::try_from(at.as_millis()).ok()),
    })
}

/// The first heading and what follows it, where the text begins with one.
fn split_title(text: &str) -> Option<(String, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start();
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let title = first.strip_prefix("# ")?.trim();
    if title.is_empty() { None } else { Some((title.to_owned(), rest.trim().to_owned())) }
}

/// A row id made from a name, the same everywhere (UUIDv8 over SHA-256).
pub(super) fn id_of(name: &str) -> String {
    let hash = Sha256::digest(format!("turnstone notes import\n{name}"));
    let mut bytes = [0u8; 16];
    for (to, from) in bytes.iter_mut().zip(hash.iter()) {
        *to = *from;
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_folders_and_paths_become_titles_tags_and_ids() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("linux/tar.md", "# tar archive\n\nPacks files.\n");
        write("plain.markdown", "no heading here");
        write(".hidden/secret.md", "# hidden");
        write("picture.png", "not a note");
        let notes = read_folder(folder.path()).unwrap();
        assert_eq!(notes.len(), 2);
        assert_eq!((notes[0].title.as_str(), notes[0].tag.as_deref()), ("tar archive", Some("linux")));
        assert_eq!(notes[0].body.as_deref(), Some("Packs files."));
        assert_eq!((notes[1].title.as_str(), notes[1].tag.as_deref()), ("plain", Some("")));
        assert_eq!(notes[0].id, id_of("linux/tar.md"), "importing again meets the same row");
        assert_eq!(notes[0].id.len(), 36);
    }

    #[test]
    fn a_file_that_is_not_text_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.md"), [0xff, 0xfe]).unwrap();
        assert_eq!(read_folder(folder.path()).unwrap_err().code, "import_text");
    }
}
