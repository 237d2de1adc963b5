//! Local writes.

use std::sync::Barrier;

use turnstone::{Durability, Value};

use super::{fields, open};
use crate::Result;
use crate::limit;
use crate::rows::w1::{BATCH, new_title, ranges, shuffled};
use crate::sample::{Meter, Sample};
use crate::scenario::Bed;

pub(crate) fn create(bed: &Bed, durability: limit::database::Durability) -> Result<Sample> {
    let durability = match durability {
        limit::database::Durability::Power => Durability::Power,
        limit::database::Durability::Process => Durability::Process,
    };
    let notes = bed.notes(bed.ops)?;
    let store = open(&bed.file("ours.db"), durability)?;
    let mut meter = Meter::start(notes.len());
    let count = notes.len();
    for note in notes {
        meter.call(|| Ok(store.write(move |tx| tx.insert("notes", fields(&note)))?))?;
    }
    Ok(meter.finish(count))
}

/// Many callers at once share commits.
pub(crate) fn group(bed: &Bed, callers: usize) -> Result<Sample> {
    let notes = bed.notes(bed.ops)?;
    let store = open(&bed.file("ours.db"), Durability::Power)?;
    let share = notes.len().div_ceil(callers);
    let begin = Barrier::new(notes.chunks(share).len() + 1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = notes
            .chunks(share)
            .map(|notes| {
                let (store, begin, notes) = (store.clone(), &begin, notes.to_vec());
                scope.spawn(move || {
                    begin.wait();
                    let mut meter = Meter::start(notes.len());
                    for note in notes {
                        meter.call(|| Ok(store.write(move |tx| tx.insert("notes", fields(&note)))?))?;
                    }
                    Ok(meter.into_calls())
                })
            })
            .collect();
        let mut meter = Meter::start(notes.len());
        begin.wait();
        for thread in threads {
            let calls: Result<Vec<u64>> = thread.join().map_err(|_| "a caller panicked")?;
            meter.add_calls(calls?);
        }
        Ok(meter.finish(notes.len()))
    })
}

pub(crate) fn batch(bed: &Bed) -> Result<Sample> {
    let mut notes = bed.notes(bed.ops)?.into_iter().peekable();
    let store = open(&bed.file("ours.db"), Durability::Power)?;
    let (mut meter, mut count) = (Meter::start(bed.ops), 0);
    while notes.peek().is_some() {
        let batch: Vec<_> = notes.by_ref().take(BATCH).collect();
        count += batch.len();
        meter.call(|| {
            Ok(store.write(move |tx| batch.iter().try_for_each(|note| tx.insert("notes", fields(note)).map(drop)))?)
        })?;
    }
    Ok(meter.finish(count))
}

pub(crate) fn update(bed: &Bed) -> Result<Sample> {
    let targets = shuffled(bed)?;
    let store = open(&bed.copy("synced", bed.rows)?, Durability::Power)?;
    let (mut meter, count) = (Meter::start(targets.len()), targets.len());
    for (number, note) in targets.into_iter().enumerate() {
        meter.call(|| {
            Ok(store.write(move |tx| tx.update("notes", &note.id, [("title", Value::from(new_title(number)))]))?)
        })?;
    }
    Ok(meter.finish(count))
}

pub(crate) fn sql(bed: &Bed) -> Result<Sample> {
    let ranges = ranges(bed)?;
    let store = open(&bed.copy("synced", bed.rows)?, Durability::Power)?;
    let (mut meter, mut changed) = (Meter::start(ranges.len()), 0);
    for (from, to) in ranges {
        changed += meter.call(|| {
            let params = [Value::from("moved"), Value::from(from), Value::from(to)];
            Ok(store.execute("UPDATE notes SET tag = ?1 WHERE id BETWEEN ?2 AND ?3", &params)?)
        })?;
    }
    Ok(meter.finish(changed))
}
