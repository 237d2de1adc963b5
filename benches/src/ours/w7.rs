//! Cold open to the first query.

use turnstone::Durability;

use super::{open, write_offline};
use crate::Result;
use crate::limit::database::note_from;
use crate::notes::{Note, row_id};
use crate::rows::w2::{PINNED, some};
use crate::rows::w7::forget_pages;
use crate::sample::{Meter, Sample};
use crate::scenario::Bed;

/// All rows synced, and a tenth as many ops pending.
pub(crate) fn prepare(bed: &Bed) -> Result<()> {
    super::prepare_synced(bed, bed.rows)?;
    bed.make_template("open", bed.rows, |path| {
        std::fs::copy(bed.template("synced", bed.rows), path)?;
        let store = open(path, Durability::Process)?;
        write_offline(&store, new_notes(bed, bed.rows / 10)?, 100)?;
        store.checkpoint()?;
        Ok(store.close()?)
    })
}

/// Notes that are not among the synced ones.
fn new_notes(bed: &Bed, count: usize) -> Result<Vec<Note>> {
    let mut rng = fastrand::Rng::with_seed(11);
    let mut notes = bed.notes(count)?;
    notes.iter_mut().zip(0..).for_each(|(note, number)| note.id = row_id(1_790_000_000_000 + number, &mut rng));
    Ok(notes)
}

pub(crate) fn open_and_query(bed: &Bed) -> Result<Sample> {
    let file = bed.template("open", bed.rows);
    let mut meter = Meter::start(bed.ops);
    for _ in 0..bed.ops {
        meter.aside(|| forget_pages(&file))?;
        let store = meter.call(|| {
            let store = open(&file, Durability::Power)?;
            some(store.query_map(PINNED, &[], note_from)?.len())?;
            Ok(store)
        })?;
        meter.aside(|| Ok(store.close()?))?;
    }
    Ok(meter.finish(bed.ops))
}
