//! W2: reads through the public API. The limit is rusqlite, prepared, with the same index.

use crate::Result;
use crate::limit::database::{Database, Durability, note_from};
use crate::sample::{Meter, Sample};
use crate::scenario::{Bed, Goal, Scenario, size};

pub(crate) const BY_ID: &str = "SELECT id, title, body, updated_at, pinned, tag FROM notes WHERE id = ?1";
pub(crate) const PINNED: &str = "SELECT id, title, body, updated_at, pinned, tag FROM notes \
     WHERE pinned = 1 ORDER BY updated_at DESC LIMIT 50";
pub(crate) const ALL: &str = "SELECT id, title, body, updated_at, pinned, tag FROM notes";

/// How often a scan is repeated in one run.
pub(crate) const SCANS: usize = 5;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let get = Scenario {
        row: "W2 get",
        variant: "by id",
        against: "rusqlite, prepared",
        goal: Goal::Rate(0.95),
        ops: size(100_000, 200),
        rows: size(100_000, 200),
        real: true,
        prepare: Some(super::w1::prepare),
        limit: get,
        ours: crate::ours::w2::get,
    };
    vec![
        get,
        Scenario { variant: "as a named row", goal: Goal::Seen, real: false, ours: crate::ours::w2::get_row, ..get },
        Scenario {
            row: "W2 query",
            variant: "pinned newest 50",
            ops: size(10_000, 50),
            limit: query,
            ours: crate::ours::w2::query,
            ..get
        },
        Scenario {
            row: "W2 scan",
            variant: "all rows into structs",
            goal: Goal::Rate(0.9),
            limit: scan,
            ours: crate::ours::w2::scan,
            ..get
        },
    ]
}

fn get(bed: &Bed) -> Result<Sample> {
    let targets = super::w1::shuffled(bed)?;
    let database = Database::open(&bed.template("limit", bed.rows), Durability::Power)?;
    let mut meter = Meter::start(targets.len());
    for target in &targets {
        let found = meter.call(|| Ok(database.sql(BY_ID)?.query_row([&target.id], note_from)?))?;
        same(&found.title, &target.title)?;
    }
    Ok(meter.finish(targets.len()))
}

fn query(bed: &Bed) -> Result<Sample> {
    let database = Database::open(&bed.template("limit", bed.rows), Durability::Power)?;
    let mut meter = Meter::start(bed.ops);
    for _ in 0..bed.ops {
        meter.call(|| {
            let mut select = database.sql(PINNED)?;
            let notes = select.query_map([], note_from)?.collect::<rusqlite::Result<Vec<_>>>()?;
            some(notes.len())
        })?;
    }
    Ok(meter.finish(bed.ops))
}

fn scan(bed: &Bed) -> Result<Sample> {
    let database = Database::open(&bed.template("limit", bed.rows), Durability::Power)?;
    let mut meter = Meter::start(SCANS);
    let mut rows = 0;
    for _ in 0..SCANS {
        rows += meter.call(|| {
            let mut select = database.sql(ALL)?;
            let notes = select.query_map([], note_from)?.collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(notes.len())
        })?;
    }
    some(rows)?;
    Ok(meter.finish(rows))
}

/// A benchmark that reads the wrong thing measures nothing.
pub(crate) fn same(found: &str, expected: &str) -> Result<()> {
    if found == expected { Ok(()) } else { Err("read another note than was written".into()) }
}

pub(crate) fn some(rows: usize) -> Result<()> {
    if rows > 0 { Ok(()) } else { Err("read nothing".into()) }
}
