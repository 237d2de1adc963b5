//! W1: local writes. The limit is the same change and the same op, by hand, in one transaction of plain rusqlite.

use rusqlite::params;

use crate::Result;
use crate::limit::database::{Database, Durability, new_id};
use crate::notes::Note;
use crate::sample::{Meter, Sample};
use crate::scenario::{Bed, Goal, NONE, Scenario, size};

/// Rows a batch writes in one transaction.
pub(crate) const BATCH: usize = 1_000;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let power = Scenario {
        row: "W1 create",
        variant: "power",
        against: "INSERT note + INSERT op, one transaction, FULL",
        goal: Goal::Rate(0.95),
        ops: size(10_000, 100),
        rows: NONE,
        real: true,
        prepare: None,
        limit: |bed| create(bed, Durability::Power),
        ours: |bed| crate::ours::w1::create(bed, Durability::Power),
    };
    vec![
        power,
        Scenario {
            variant: "process",
            against: "the same, NORMAL",
            limit: |bed| create(bed, Durability::Process),
            ours: |bed| crate::ours::w1::create(bed, Durability::Process),
            ..power
        },
        Scenario {
            row: "W1 group",
            variant: "16 callers",
            against: "one caller, FULL",
            goal: Goal::Rate(4.0),
            real: false,
            ours: |bed| crate::ours::w1::group(bed, 16),
            ..power
        },
        Scenario {
            row: "W1 batch",
            variant: "1,000 a transaction",
            against: "the same two INSERTs a note",
            goal: Goal::Rate(1.1),
            ops: size(100_000, 400),
            limit: batch,
            ours: crate::ours::w1::batch,
            ..power
        },
        Scenario {
            row: "W1 update",
            variant: "one field",
            against: "UPDATE + INSERT op, one transaction, FULL",
            goal: Goal::Rate(0.9),
            ops: size(10_000, 100),
            rows: size(10_000, 100),
            prepare: Some(prepare),
            limit: update,
            ours: crate::ours::w1::update,
            ..power
        },
        Scenario {
            row: "W1 sql",
            variant: "UPDATE of 1,000 rows",
            against: "the same UPDATE + an INSERT of an op a row",
            goal: Goal::Rate(0.9),
            ops: size(20_000, 200),
            rows: size(20_000, 200),
            prepare: Some(prepare),
            limit: sql,
            ours: crate::ours::w1::sql,
            ..power
        },
    ]
}

fn create(bed: &Bed, durability: Durability) -> Result<Sample> {
    let mut notes = bed.notes(bed.ops)?;
    let database = Database::open(&bed.file("limit.db"), durability)?;
    let mut meter = Meter::start(notes.len());
    for note in &mut notes {
        meter.call(|| {
            note.id = new_id();
            database.begin()?;
            database.create(note)?;
            database.commit()
        })?;
    }
    Ok(meter.finish(notes.len()))
}

fn batch(bed: &Bed) -> Result<Sample> {
    let mut notes = bed.notes(bed.ops)?;
    let database = Database::open(&bed.file("limit.db"), Durability::Power)?;
    let mut meter = Meter::start(notes.len());
    for chunk in notes.chunks_mut(BATCH) {
        meter.call(|| {
            database.begin()?;
            for note in chunk {
                note.id = new_id();
                database.create(note)?;
            }
            database.commit()
        })?;
    }
    Ok(meter.finish(notes.len()))
}

/// Notes that have been there for a while, on both sides.
pub(crate) fn prepare(bed: &Bed) -> Result<()> {
    prepare_limit(bed)?;
    crate::ours::prepare_synced(bed, bed.rows)
}

/// The notes of the limit, once.
pub(crate) fn prepare_limit(bed: &Bed) -> Result<()> {
    bed.make_template("limit", bed.rows, |path| Database::open(path, Durability::Power)?.fill(&bed.notes(bed.rows)?))
}

fn update(bed: &Bed) -> Result<Sample> {
    let targets = shuffled(bed)?;
    let database = Database::open(&bed.copy("limit", bed.rows)?, Durability::Power)?;
    let mut meter = Meter::start(targets.len());
    for (number, note) in targets.iter().enumerate() {
        meter.call(|| {
            database.begin()?;
            database.retitle(&note.id, &new_title(number))?;
            database.commit()
        })?;
    }
    Ok(meter.finish(targets.len()))
}

/// Rows to update, in an order that is not that of their ids.
pub(crate) fn shuffled(bed: &Bed) -> Result<Vec<Note>> {
    let mut notes = bed.notes(bed.rows)?;
    fastrand::Rng::with_seed(7).shuffle(&mut notes);
    notes.truncate(bed.ops);
    Ok(notes)
}

pub(crate) fn new_title(number: usize) -> String {
    format!("A title that somebody changed, {number:>8}")
}

/// Each statement changes the tag of the next 1,000 rows.
fn sql(bed: &Bed) -> Result<Sample> {
    let ranges = ranges(bed)?;
    let database = Database::open(&bed.copy("limit", bed.rows)?, Durability::Power)?;
    let mut meter = Meter::start(ranges.len());
    let mut changed = 0;
    for (from, to) in &ranges {
        meter.call(|| {
            database.begin()?;
            let mut update = database.sql("UPDATE notes SET tag = ?1 WHERE id BETWEEN ?2 AND ?3 RETURNING id")?;
            let ids = update.query_map(params!["moved", from, to], |row| row.get::<_, String>(0))?;
            for id in ids {
                database.log(&tag_op(&id?)?)?;
                changed += 1;
            }
            database.commit()
        })?;
    }
    Ok(meter.finish(changed))
}

pub(crate) fn tag_op(id: &str) -> Result<String> {
    Ok(serde_json::to_string(&TagOp { op: "update", table: "notes", id, tag: "moved" })?)
}

#[derive(serde::Serialize)]
struct TagOp<'a> {
    op: &'static str,
    table: &'static str,
    id: &'a str,
    tag: &'static str,
}

/// First and last id of every 1,000 rows.
pub(crate) fn ranges(bed: &Bed) -> Result<Vec<(String, String)>> {
    let notes = bed.notes(bed.rows)?;
    let step = BATCH.min((bed.rows / 4).max(1));
    let pairs = notes.chunks(step).filter_map(|chunk| Some((chunk.first()?.id.clone(), chunk.last()?.id.clone())));
    Ok(pairs.collect())
}
