//! A backlog of offline ops.

use turnstone::Durability;

use super::{open, remote, write_offline};
use crate::Result;
use crate::sample::{Meter, Sample};
use crate::scenario::Bed;
use crate::serve::Served;

/// A device with so many groups of one create each, never sent.
pub(crate) fn prepare(bed: &Bed) -> Result<()> {
    prepare_ops(bed, bed.ops)
}

pub(crate) fn prepare_linear(bed: &Bed) -> Result<()> {
    prepare_ops(bed, bed.ops / 10)?;
    prepare_ops(bed, bed.ops)
}

fn prepare_ops(bed: &Bed, ops: usize) -> Result<()> {
    bed.make_template("offline", ops, |path| {
        let store = open(path, Durability::Process)?;
        write_offline(&store, bed.notes(ops)?, 1)?;
        store.checkpoint()?;
        Ok(store.close()?)
    })
}

pub(crate) fn backlog(bed: &Bed) -> Result<Sample> {
    push(bed, bed.ops)
}

pub(crate) fn tenth(bed: &Bed) -> Result<Sample> {
    push(bed, bed.ops / 10)
}

fn push(bed: &Bed, ops: usize) -> Result<Sample> {
    let server = Served::start("ours", &bed.file("server.db"))?;
    let store = remote::device(&bed.copy("offline", ops)?, &server)?;
    let mut meter = Meter::start(1);
    let report = meter.call(|| Ok(store.sync_blocking()?))?;
    let sample = meter.finish(ops);
    if store.status()?.pending_groups != 0 || report.groups_pushed != ops as u64 {
        return Err("the backlog is not drained".into());
    }
    Ok(Sample { wire_bytes: Some(report.bytes_up + report.bytes_down), requests: Some(report.requests), ..sample })
}
