//! Holding back what builds on something refused (rule 16), and nothing else.

use std::collections::BTreeSet;

use turnstone_engine::oplog::{GroupState, builds_on};
use turnstone_protocol::{Gid, Op};

use super::log::{self, Head};
use crate::error::Error;
use crate::storage::{LoggedOp, SystemTx};

/// Holds back the groups, never sent, that build on these ops, and those that build on them. Says how many.
///
/// A group that was sent is left to the server: it has the refused one on record and decides.
pub(super) fn dependents(sys: &mut SystemTx<'_>, head: &Head, ops: &[LoggedOp]) -> Result<usize, Error> {
    let mut parked = 0;
    let mut refused: Vec<LoggedOp> = ops.to_vec();
    while let Some(op) = refused.pop() {
        for grp in followers(sys, &op)? {
            let Some(later) = log::head(sys, grp)? else { continue };
            if later.grp == head.grp || later.state != GroupState::New {
                continue;
            }
            log::move_to(sys, &later, GroupState::Parked, None)?;
            parked += 1;
            refused.extend(log::ops(sys, &later)?);
        }
    }
    Ok(parked)
}

/// The groups with an op on the same row that builds on this one.
fn followers(sys: &SystemTx<'_>, refused: &LoggedOp) -> Result<BTreeSet<i64>, Error> {
    let table = &refused.body.table;
    let head = sys.head(table, &refused.body.id)?.and_then(|(head, _)| head);
    let folded = sys.ops_in_fold(table, head)?;
    Ok(folded
        .iter()
        .filter(|later| later.op > refused.op && later.grp != refused.grp && builds_on(&later.body, &refused.body))
        .map(|later| later.grp)
        .collect())
}

/// Holds a sent group back if one it waits for was refused here: the server will say `blocked` for ever.
pub(super) fn waits_for_refused(sys: &mut SystemTx<'_>, head: &Head, by: &[Gid]) -> Result<bool, Error> {
    if head.state != GroupState::Sent {
        return Ok(false);
    }
    for gid in by {
        let refused = log::head_by_gid(sys, *gid)?.is_some_and(|other| other.state == GroupState::Dead);
        if refused {
            log::move_to(sys, head, GroupState::Parked, None)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// The groups held back because they build on these ops, in local order.
pub(super) fn parked_on(sys: &SystemTx<'_>, refused: &[Op]) -> Result<Vec<Head>, Error> {
    let mut grounds: Vec<Op> = refused.to_vec();
    let mut found = Vec::new();
    for head in log::parked(sys)? {
        let ops = log::ops(sys, &head)?;
        if ops.iter().any(|later| grounds.iter().any(|ground| builds_on(&later.body, ground))) {
            grounds.extend(ops.into_iter().map(|op| op.body));
            found.push(head);
        }
    }
    Ok(found)
}
