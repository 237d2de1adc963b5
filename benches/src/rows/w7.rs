//! W7: cold open to the first query, with many rows and many pending ops.

use std::path::Path;

use crate::Result;
use crate::limit::database::{Database, Durability, note_from};
use crate::sample::{Meter, Sample};
use crate::scenario::{Bed, Goal, Scenario, size};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![Scenario {
        row: "W7 open",
        variant: "1,000,000 rows, 100,000 pending",
        against: "rusqlite open + the same query",
        goal: Goal::Time(1.5),
        ops: size(20, 2),
        rows: size(1_000_000, 1_000),
        real: false,
        prepare: Some(prepare),
        limit: open,
        ours: crate::ours::w7::open_and_query,
    }]
}

fn prepare(bed: &Bed) -> Result<()> {
    super::w1::prepare_limit(bed)?;
    crate::ours::w7::prepare(bed)
}

fn open(bed: &Bed) -> Result<Sample> {
    let file = bed.template("limit", bed.rows);
    let mut meter = Meter::start(bed.ops);
    for _ in 0..bed.ops {
        meter.aside(|| forget_pages(&file))?;
        meter.call(|| {
            let database = Database::open_existing(&file, Durability::Power)?;
            let mut select = database.sql(super::w2::PINNED)?;
            let notes = select.query_map([], note_from)?.collect::<rusqlite::Result<Vec<_>>>()?;
            super::w2::some(notes.len())
        })?;
    }
    Ok(meter.finish(bed.ops))
}

/// Asks the kernel to drop the file's pages from its cache, so that an open reads the disk.
pub(crate) fn forget_pages(file: &Path) -> Result<()> {
    let file = std::fs::File::open(file)?;
    file.sync_all()?;
    #[cfg(target_os = "linux")]
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    Ok(())
}
