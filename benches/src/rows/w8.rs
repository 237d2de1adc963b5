//! W8: what a server stores durably in a second.

use crate::Result;
use crate::limit::database::{Database, Durability};
use crate::sample::{Meter, Sample};
use crate::scenario::{Bed, Goal, NONE, Scenario, size};

pub(crate) fn scenarios() -> Vec<Scenario> {
    let tenants = Scenario {
        row: "W8 server",
        variant: "64 tenants",
        against: "the same rows, rusqlite, as many commits",
        goal: Goal::Rate(0.6),
        ops: size(10_000, 128),
        rows: NONE,
        real: false,
        prepare: None,
        limit: pushes,
        ours: |bed| crate::ours::w8::pushes(bed, 64),
    };
    let without_http = |bed: &Bed| crate::ours::w8::without_http(bed, 64);
    vec![
        tenants,
        Scenario { variant: "one hot tenant", ours: |bed| crate::ours::w8::pushes(bed, 1), ..tenants },
        Scenario { variant: "64 tenants, without HTTP", goal: Goal::Seen, ours: without_http, ..tenants },
    ]
}

/// A push of one note each: its row and its op, one durable commit.
fn pushes(bed: &Bed) -> Result<Sample> {
    let notes = bed.notes(bed.ops)?;
    let database = Database::open(&bed.file("limit.db"), Durability::Power)?;
    let mut meter = Meter::start(notes.len());
    for note in &notes {
        meter.call(|| {
            database.begin()?;
            database.create(note)?;
            database.commit()
        })?;
    }
    Ok(meter.finish(notes.len()))
}
