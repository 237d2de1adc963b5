//! The first sync of an empty client.

use turnstone::Durability;

use super::{open, remote, write_offline};
use crate::Result;
use crate::sample::{Meter, Sample};
use crate::scenario::Bed;
use crate::serve::Served;

/// A server that holds the notes, pushed by a device in groups of `per_commit`.
pub(crate) fn prepare_server(bed: &Bed, per_commit: usize) -> Result<()> {
    bed.make_template(&name(per_commit), bed.rows, |path| {
        let offline = bed.file("writer.db");
        let store = open(&offline, Durability::Process)?;
        write_offline(&store, bed.notes(bed.rows)?, per_commit)?;
        store.close()?;
        let server = Served::start("ours", path)?;
        let store = remote::device(&offline, &server)?;
        store.sync_blocking()?;
        Ok(store.close()?)
    })
}

pub(crate) fn name(per_commit: usize) -> String {
    format!("server-{per_commit}")
}

pub(crate) fn pages(bed: &Bed, per_commit: usize) -> Result<Sample> {
    let server = Served::start("ours", &bed.copy(&name(per_commit), bed.rows)?)?;
    let mut meter = Meter::start(1);
    let store = remote::device(&bed.file("client.db"), &server)?;
    let report = meter.call(|| Ok(store.sync_blocking()?))?;
    let sample = meter.finish(bed.rows);
    let there = store.query_map("SELECT count(*) FROM notes", &[], |row| row.get::<_, i64>(0))?;
    if there != [i64::try_from(bed.rows)?] {
        return Err("the first sync is not complete".into());
    }
    Ok(Sample { wire_bytes: Some(report.bytes_down + report.bytes_up), requests: Some(report.requests), ..sample })
}
