//! Notes from files: a folder of Markdown, or JSON lines, plain or gzipped.
//!
//! Everything is read and checked before anything is written, so that a broken line in the middle of a file
//! imports nothing. Ids are taken from the file or made from the note's path: importing again updates the same
//! notes, and two devices that import the same folder meet in the same rows.

mod jsonl;
mod markdown;

use std::path::Path;

use crate::failure::Failure;

pub use jsonl::{lines, read_jsonl};
pub use markdown::read_folder;

/// The most bytes one import reads, expanded.
pub const IMPORT_BYTES_MAX: u64 = 1 << 30;

/// A note as a file has it. A field the file does not name is left as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Imported {
    /// The row id.
    pub id: String,
    /// The title.
    pub title: String,
    /// The tag.
    pub tag: Option<String>,
    /// The body.
    pub body: Option<String>,
    /// Whether it is pinned.
    pub pinned: Option<bool>,
    /// When it was last changed, in milliseconds since 1970.
    pub updated_at_ms: Option<i64>,
}

/// Shows the shape of a note and never its content.
impl std::fmt::Debug for Imported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Imported").field("body_bytes", &self.body.as_ref().map(String::len)).finish_non_exhaustive()
    }
}

/// Reads notes from a folder of Markdown files, or from a `.jsonl` or `.jsonl.gz` file.
///
/// # Errors
/// A [`Failure`] that names the file and line; nothing was written.
pub fn read(path: &Path) -> Result<Vec<Imported>, Failure> {
    let meta = std::fs::metadata(path).map_err(|error| Failure::file(path, &error))?;
    if meta.is_dir() {
        return read_folder(path);
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if [".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz"].iter().any(|end| name.ends_with(end)) {
        return read_jsonl(path);
    }
    Err(Failure::bad_input(
        "import_format",
        format!("{} is neither a folder nor a .jsonl or .jsonl.gz file.", path.display()),
        "Give a folder of Markdown files, or JSON lines with id, title, tag, body and updated_at.",
    ))
}
