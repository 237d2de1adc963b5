//! The same work through Turnstone's public API.

pub(crate) mod feed;
pub(crate) mod inside;
pub(crate) mod remote;
pub(crate) mod scale;
pub(crate) mod w1;
pub(crate) mod w2;
pub(crate) mod w3;
pub(crate) mod w4;
pub(crate) mod w5;
pub(crate) mod w6;
pub(crate) mod w7;
pub(crate) mod w8;

use std::path::Path;

use turnstone::{Durability, Options, Schema, Store, Value};

use crate::Result;
use crate::notes::{Note, SCHEMA};
use crate::scenario::Bed;

/// Rows written in one transaction while something is being prepared.
const CHUNK: usize = 1_000;

pub(crate) fn schema() -> Result<Schema> {
    Ok(Schema::parse(SCHEMA)?)
}

/// A store that talks to nobody.
pub(crate) fn open(path: &Path, durability: Durability) -> Result<Store> {
    Ok(Store::open(Options::new(path, schema()?).durability(durability).auto_sync(false))?)
}

/// What an app hands over for a new note.
pub(crate) fn fields(note: &Note) -> [(&'static str, Value); 5] {
    [
        ("title", Value::from(note.title.as_str())),
        ("body", Value::from(note.body.as_str())),
        ("updated_at", Value::from(note.updated_at)),
        ("pinned", Value::from(note.pinned)),
        ("tag", Value::from(note.tag.as_str())),
    ]
}

/// Writes notes in groups of `per_group`, all of them pending.
pub(crate) fn write_offline(store: &Store, notes: Vec<Note>, per_group: usize) -> Result<()> {
    let mut notes = notes.into_iter().peekable();
    while notes.peek().is_some() {
        let group: Vec<_> = notes.by_ref().take(per_group).collect();
        store.write(move |tx| group.iter().try_for_each(|note| tx.insert_with_id("notes", &note.id, fields(note))))?;
    }
    Ok(())
}

/// A device that has synced `rows` notes and has nothing pending, as a template called `synced`.
pub(crate) fn prepare_synced(bed: &Bed, rows: usize) -> Result<()> {
    bed.make_template("synced", rows, |path| {
        let store = feed::open(path, bed.notes(rows)?)?;
        store.sync_blocking()?;
        store.checkpoint()?;
        Ok(store.close()?)
    })
}
