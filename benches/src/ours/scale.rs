//! The same work with much more in the database.

use turnstone::{Durability, Value};

use super::{fields, open, prepare_synced, write_offline};
use crate::Result;
use crate::notes::Note;
use crate::rows::w1::new_title;
use crate::sample::{Meter, Sample};
use crate::scenario::Bed;

/// An empty database and one with `rows` pending creates.
pub(crate) fn prepare_pending(bed: &Bed) -> Result<()> {
    bed.make_template("pending", bed.rows, |path| {
        let store = open(path, Durability::Process)?;
        write_offline(&store, bed.notes(bed.rows)?, super::CHUNK)?;
        store.checkpoint()?;
        Ok(store.close()?)
    })
}

/// Synced databases of three sizes.
pub(crate) fn prepare_rows(bed: &Bed) -> Result<()> {
    [100, 10, 1].into_iter().try_for_each(|part| prepare_synced(bed, bed.rows / part))
}

pub(crate) fn create_empty(bed: &Bed) -> Result<Sample> {
    create_in(bed, &bed.file("ours.db"))
}

pub(crate) fn create_after_pending(bed: &Bed) -> Result<Sample> {
    create_in(bed, &bed.copy("pending", bed.rows)?)
}

/// In a database with one `part`th of the rows.
pub(crate) fn create(bed: &Bed, part: usize) -> Result<Sample> {
    create_in(bed, &bed.copy("synced", bed.rows / part)?)
}

fn create_in(bed: &Bed, path: &std::path::Path) -> Result<Sample> {
    let notes = bed.notes(bed.ops)?;
    let store = open(path, Durability::Power)?;
    let (mut meter, count) = (Meter::start(notes.len()), notes.len());
    for note in notes {
        meter.call(|| Ok(store.write(move |tx| tx.insert("notes", fields(&note)))?))?;
    }
    Ok(meter.finish(count))
}

pub(crate) fn update(bed: &Bed, part: usize) -> Result<Sample> {
    let store = open(&bed.copy("synced", bed.rows / part)?, Durability::Power)?;
    let targets = targets(bed, part)?;
    let (mut meter, count) = (Meter::start(targets.len()), targets.len());
    for (number, note) in targets.into_iter().enumerate() {
        meter.call(|| {
            Ok(store.write(move |tx| tx.update("notes", &note.id, [("title", Value::from(new_title(number)))]))?)
        })?;
    }
    Ok(meter.finish(count))
}

pub(crate) fn get(bed: &Bed, part: usize) -> Result<Sample> {
    let store = open(&bed.copy("synced", bed.rows / part)?, Durability::Power)?;
    super::w2::get_from(&store, &targets(bed, part)?)
}

pub(crate) fn query(bed: &Bed, part: usize) -> Result<Sample> {
    super::w2::query_from(&open(&bed.copy("synced", bed.rows / part)?, Durability::Power)?, bed.ops)
}

/// Rows all over the table, as many for each size.
fn targets(bed: &Bed, part: usize) -> Result<Vec<Note>> {
    let mut notes = bed.notes(bed.rows / part)?;
    fastrand::Rng::with_seed(7).shuffle(&mut notes);
    notes.truncate(bed.ops.min(bed.rows / 100));
    Ok(notes)
}
