//! Which earlier groups of this device must be applied first (rule 15).
//!
//! Only direct predecessors are named: each names its own, so the order along a row is whole.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, params};
use turnstone_engine::oplog::GroupState;
use turnstone_protocol::schema::Table;
use turnstone_protocol::{Gid, Op, Value, limits};

use super::log;
use crate::error::Error;
use crate::storage::SystemTx;

/// An op of the log, with its group.
struct Link {
    grp: i64,
    gid: Gid,
    state: GroupState,
    prev: Option<i64>,
    commit: Option<u64>,
}

/// What a group follows on.
pub(super) struct Earlier {
    grp: i64,
    before: BTreeSet<(i64, Gid)>,
    /// Whether an earlier incarnation may have sent what it follows on.
    had_lives: bool,
    /// Whether there is one among them that is held back.
    pub(super) beside_held: bool,
}

/// An op, as far as the log tells without reading it.
pub(super) struct Written<'a> {
    /// The op before it on its row.
    pub(super) prev: Option<i64>,
    pub(super) table: &'a str,
    pub(super) body: &'a str,
}

impl Earlier {
    /// Of a group whose ops follow.
    pub(super) const fn of(grp: i64, had_lives: bool) -> Self {
        Self { grp, before: BTreeSet::new(), had_lives, beside_held: false }
    }

    /// Notes what an op of the group follows on.
    pub(super) fn note(&mut self, sys: &SystemTx<'_>, op: Written<'_>) -> Result<(), Error> {
        if let Some(prev) = op.prev {
            self.follow(sys, prev)?;
            if self.had_lives {
                let body: Op = serde_json::from_str(op.body).map_err(|_| Error::Corrupt)?;
                let room = (limits::GIDS_MAX / 2).saturating_sub(self.before.len());
                self.before.extend(decided_unseen(sys, prev, body.base)?.into_iter().take(room));
            }
        }
        for (target, id) in references(sys, op.table, op.body)? {
            if let Some((Some(head), _)) = sys.head(&target, &id)? {
                self.follow(sys, head)?;
            }
        }
        Ok(())
    }

    fn follow(&mut self, sys: &SystemTx<'_>, op: i64) -> Result<(), Error> {
        self.before.extend(predecessor(sys, self.grp, op, &mut self.beside_held)?);
        Ok(())
    }

    /// The undecided groups that wrote its rows, or rows its fields refer to, before it.
    pub(super) fn gids(&self) -> Vec<Gid> {
        self.before.iter().map(|(_, gid)| *gid).collect()
    }
}

/// The newest undecided group before `grp` along a row's ops, from `op` back. One that is held back or dead is passed
/// over: what builds on it is held back too, and everything else need not wait for it.
fn predecessor(sys: &SystemTx<'_>, grp: i64, op: i64, held: &mut bool) -> Result<Option<(i64, Gid)>, Error> {
    let mut next = Some(op);
    while let Some(op) = next {
        let Some(link) = link(sys, op)? else { return Ok(None) };
        let earlier = link.grp < grp;
        *held |= link.state.is_held_back();
        match link.state {
            GroupState::New | GroupState::Sent | GroupState::Unheard if earlier => {
                return Ok(Some((link.grp, link.gid)));
            }
            // Decided before this one is sealed: the same incarnation with a smaller seq is in its past anyway.
            GroupState::Decided | GroupState::Gone if earlier => return Ok(None),
            _ => next = link.prev,
        }
    }
    Ok(None)
}

fn link(sys: &SystemTx<'_>, op: i64) -> Result<Option<Link>, Error> {
    let mut found = sys.conn().prepare_cached(
        "SELECT g.grp, g.gid, g.state, o.prev, g.commit_n FROM _ts_ops o JOIN _ts_groups g ON g.grp = o.grp WHERE o.op = ?1",
    )?;
    let link: Option<Link> = found
        .query_row(params![op], |row| {
            Ok(Link {
                grp: row.get(0)?,
                gid: log::read_gid(row, 1)?,
                state: log::read_state(row, 2)?,
                prev: row.get(3)?,
                commit: row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned),
            })
        })
        .optional()?;
    // In a damaged file a chain may come back to where it began.
    if link.as_ref().and_then(|link| link.prev).is_some_and(|prev| prev >= op) {
        return Err(Error::Corrupt);
    }
    Ok(link)
}

/// The rows an op's fields refer to, read from its body. Most tables declare no reference, and their ops are not even read.
fn references(sys: &SystemTx<'_>, table: &str, body: &str) -> Result<Vec<(String, String)>, Error> {
    let Some(table) = sys.schema().table(table) else { return Ok(Vec::new()) };
    if table.fields.iter().all(|field| field.references.is_none()) {
        return Ok(Vec::new());
    }
    let op: Op = serde_json::from_str(body).map_err(|_| Error::Corrupt)?;
    Ok(referred(table, &op))
}

/// The rows an op's fields refer to.
pub(super) fn referred(table: &Table, op: &Op) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for field in &table.fields {
        if let (Some(target), Some(Value::Text(id))) = (&field.references, op.set.get(&field.name)) {
            found.push((target.clone(), id.clone()));
        }
    }
    found
}

/// The decided groups of an earlier incarnation whose changes the ops of a group made without naming them: under a new
/// incarnation they are no longer in its past by themselves, so they are named.
pub(super) fn decided(sys: &SystemTx<'_>, first_op: i64, ops: i64, most: usize) -> Result<Vec<Gid>, Error> {
    let mut before = BTreeSet::new();
    for op in first_op..first_op + ops {
        let Some(written) = sys.op(op)? else { continue };
        if let Some(prev) = written.prev {
            before.extend(decided_unseen(sys, prev, written.body.base)?.into_iter().map(|(_, gid)| gid));
        }
    }
    Ok(before.into_iter().take(most).collect())
}

/// The decided groups along a row's ops, from `op` back, that an op with this base had not pulled when it was written,
/// newest first. A page may have passed them since: they are not in the op's past for that.
fn decided_unseen(sys: &SystemTx<'_>, op: i64, base: u64) -> Result<Vec<(i64, Gid)>, Error> {
    let mut found = Vec::new();
    let mut next = Some(op);
    while let Some(op) = next {
        let Some(link) = link(sys, op)? else { break };
        match (link.state, link.commit) {
            (GroupState::Decided | GroupState::Gone, Some(commit)) if commit <= base => break,
            (GroupState::Gone, None) => break,
            (GroupState::Decided | GroupState::Gone | GroupState::Unheard, _) => found.push((link.grp, link.gid)),
            _ => {}
        }
        next = link.prev;
    }
    Ok(found)
}
