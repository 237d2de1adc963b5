//! Reads through the public API.

use turnstone::{Durability, Store, Value};

use super::open;
use crate::Result;
use crate::limit::database::note_from;
use crate::notes::Note;
use crate::rows::w1::shuffled;
use crate::rows::w2::{ALL, BY_ID, PINNED, SCANS, same, some};
use crate::sample::{Meter, Sample};
use crate::scenario::Bed;

pub(crate) fn get(bed: &Bed) -> Result<Sample> {
    let store = open(&bed.copy("synced", bed.rows)?, Durability::Power)?;
    get_from(&store, &shuffled(bed)?)
}

pub(crate) fn get_from(store: &Store, targets: &[Note]) -> Result<Sample> {
    let mut meter = Meter::start(targets.len());
    for target in targets {
        let found = meter.call(|| {
            let notes = store.query_map(BY_ID, &[Value::from(target.id.as_str())], note_from)?;
            Ok(notes.into_iter().next().ok_or("the note is not there")?)
        })?;
        same(&found.title, &target.title)?;
    }
    Ok(meter.finish(targets.len()))
}

/// By `get`, which gives a row with named values.
pub(crate) fn get_row(bed: &Bed) -> Result<Sample> {
    let store = open(&bed.copy("synced", bed.rows)?, Durability::Power)?;
    let targets = shuffled(bed)?;
    let mut meter = Meter::start(targets.len());
    for target in &targets {
        let found = meter.call(|| Ok(store.get("notes", &target.id)?.ok_or("the note is not there")?))?;
        same(found.text("title").unwrap_or_default(), &target.title)?;
    }
    Ok(meter.finish(targets.len()))
}

pub(crate) fn query(bed: &Bed) -> Result<Sample> {
    query_from(&open(&bed.copy("synced", bed.rows)?, Durability::Power)?, bed.ops)
}

pub(crate) fn query_from(store: &Store, times: usize) -> Result<Sample> {
    let mut meter = Meter::start(times);
    for _ in 0..times {
        meter.call(|| some(store.query_map(PINNED, &[], note_from)?.len()))?;
    }
    Ok(meter.finish(times))
}

pub(crate) fn scan(bed: &Bed) -> Result<Sample> {
    let store = open(&bed.copy("synced", bed.rows)?, Durability::Power)?;
    let (mut meter, mut rows) = (Meter::start(SCANS), 0);
    for _ in 0..SCANS {
        rows += meter.call(|| Ok(store.query_map(ALL, &[], note_from)?.len()))?;
    }
    some(rows)?;
    Ok(meter.finish(rows))
}
