//! Holding back what builds on something refused (rule 16), and letting everything else go on.

use std::collections::BTreeSet;

use rusqlite::params;
use turnstone_engine::oplog::{GroupState, builds_on, follow_up};
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::{Code, Gid, Op, OpKind};

use super::after::referred;
use super::letters::Refusal;
use super::log::{self, Head};
use super::{again, letters, seal, verdicts};
use crate::error::Error;
use crate::storage::{Key, LoggedOp, SystemTx};

/// Holds back the groups, never sent, that build on these ops, and those that build on them. Says how many.
///
/// A group that was sent waits for the server's word: see [`unblock`].
pub(super) fn dependents(sys: &mut SystemTx<'_>, head: &Head, ops: &[LoggedOp]) -> Result<usize, Error> {
    let mut parked = 0;
    let mut refused: Vec<LoggedOp> = ops.to_vec();
    if plant::on(Bug::HeldBackTooMuch) {
        for later in log::from(sys, head.grp + 1, &[GroupState::New])? {
            log::move_to(sys, &later, GroupState::Parked, None)?;
        }
    }
    while let Some(op) = refused.pop() {
        for grp in followers(sys, &op)? {
            let Some(later) = log::head(sys, grp)? else { continue };
            if later.grp == head.grp || later.state != GroupState::New {
                continue;
            }
            refused.extend(log::ops(sys, &later)?);
            if parked > 0 && plant::on(Bug::HeldBackForgotten) {
                verdicts::leave_fold(sys, &later)?;
                log::move_to(sys, &later, GroupState::Dead, None)?;
                continue;
            }
            log::move_to(sys, &later, GroupState::Parked, None)?;
            parked += 1;
        }
    }
    Ok(parked)
}

/// The groups with an op that builds on this one.
fn followers(sys: &SystemTx<'_>, refused: &LoggedOp) -> Result<BTreeSet<i64>, Error> {
    let schema = sys.schema();
    let table = &refused.body.table;
    let head = sys.head(table, &refused.body.id)?.and_then(|(head, _)| head);
    let mut later = sys.ops_in_fold(table, head)?;
    if refused.body.kind == OpKind::Create {
        later.extend(mentioning(sys, refused)?);
    }
    later.retain(|later| later.op > refused.op && later.grp != refused.grp);
    Ok(later.iter().filter(|later| builds_on(schema, &later.body, &refused.body)).map(|later| later.grp).collect())
}

/// Later ops on tables with a reference to this one's, that mention its row.
fn mentioning(sys: &SystemTx<'_>, refused: &LoggedOp) -> Result<Vec<LoggedOp>, Error> {
    let mut found = Vec::new();
    for table in sys.schema().tables.values() {
        if !table.fields.iter().any(|field| field.references.as_deref() == Some(&refused.body.table)) {
            continue;
        }
        let mut text =
            sys.conn().prepare_cached("SELECT op FROM _ts_ops WHERE op > ?1 AND tbl = ?2 AND instr(body, ?3) > 0")?;
        for op in text.query_map(params![refused.op, table.name, refused.body.id], |row| row.get(0))? {
            found.extend(sys.op(op?)?);
        }
    }
    Ok(found)
}

/// What becomes of a group the server holds back.
pub(super) enum Unblocked {
    /// It waits for a group that is still to be decided.
    Waits,
    /// It was held back for one that was refused or is held back itself, and does not build on it: it no longer
    /// names it, and goes on.
    GoesOn,
    /// It builds on such a one.
    Parked,
}

/// Looks at what a sent group waits for. A server holds it back for as long as a group it names is not applied; one
/// that was refused, or waits for one that was, never will be. The names are no part of the payload, so leaving them
/// out keeps gid and hash.
pub(super) fn unblock(sys: &mut SystemTx<'_>, head: &Head, by: &[Gid]) -> Result<Unblocked, Error> {
    if !matches!(head.state, GroupState::Sent | GroupState::Unheard) {
        return Ok(Unblocked::Waits);
    }
    let named = named(sys, head)?;
    let (mut given_up, mut forgotten) = (Vec::new(), Vec::new());
    for gid in by.iter().filter(|gid| named.contains(gid)) {
        match log::head_by_gid(sys, *gid)? {
            Some(other) if is_given_up(&other) => given_up.push(other),
            Some(_) => {}
            // Only settled groups are forgotten, and one that was applied holds nothing back.
            None => forgotten.push(*gid),
        }
    }
    if given_up.is_empty() && forgotten.is_empty() {
        return Ok(Unblocked::Waits);
    }
    without(sys, head, given_up, forgotten)
}

const fn is_given_up(head: &Head) -> bool {
    matches!(head.state, GroupState::Dead | GroupState::Voiding) || head.state.is_held_back()
}

/// Before a group that was given up is meant again, behind everything written since: nothing that is sent may go on
/// waiting for its first form. The new one would wait for that, and both for ever.
pub(super) fn let_go(sys: &mut SystemTx<'_>, given_up: &Head) -> Result<usize, Error> {
    let mut parked = 0;
    for waiting in log::waiting_for(sys, given_up.gid)? {
        // Holding one back may have held back another of them.
        let Some(head) = log::head(sys, waiting.grp)?.filter(|head| head.state == GroupState::Sent) else { continue };
        if matches!(without(sys, &head, vec![given_up.clone()], Vec::new())?, Unblocked::Parked) {
            parked += 1;
        }
    }
    Ok(parked)
}

/// Holds a sent group back if it builds on one of these, else makes it go on without them: what they waited for takes
/// their place, as far as it is not given up itself. `left_out` is left out in any case.
fn without(
    sys: &mut SystemTx<'_>,
    head: &Head,
    mut given_up: Vec<Head>,
    mut left_out: Vec<Gid>,
) -> Result<Unblocked, Error> {
    let mine = log::ops(sys, head)?;
    let mut after = named(sys, head)?;
    left_out.push(head.gid);
    while let Some(other) = given_up.pop() {
        let theirs = log::ops(sys, &other)?;
        let builds = |mine: &LoggedOp| theirs.iter().any(|their| builds_on(sys.schema(), &mine.body, &their.body));
        // What is not in the fold any more was applied once: a server that forgot it decides it by itself.
        if head.state == GroupState::Sent && mine.iter().any(builds) {
            hold_back(sys, head)?;
            return Ok(Unblocked::Parked);
        }
        left_out.push(other.gid);
        for gid in named(sys, &other)? {
            match log::head_by_gid(sys, gid)? {
                Some(next) if left_out.contains(&gid) || next.state == GroupState::Gone => {}
                Some(next) if is_given_up(&next) => given_up.push(next),
                Some(_) => after.push(gid),
                None => {}
            }
        }
    }
    after.retain(|gid| !left_out.contains(gid));
    after.sort_unstable();
    after.dedup();
    let text = (!after.is_empty()).then(|| seal::after_text(&after));
    sys.conn().prepare_cached("UPDATE _ts_groups SET after = ?2 WHERE grp = ?1")?.execute(params![head.grp, text])?;
    Ok(Unblocked::GoesOn)
}

/// Holds a sent group back, where it stands: what was written after it goes on showing over it. It is given up on the
/// server, so that its seq is used whether it ever arrived or not.
fn hold_back(sys: &mut SystemTx<'_>, head: &Head) -> Result<(), Error> {
    log::move_to(sys, head, GroupState::Held, None)?;
    let_go(sys, head)?;
    Ok(())
}

/// Holds a group back that was never sent, if it builds on one that is held back. Says whether it did.
pub(super) fn hold_new(sys: &mut SystemTx<'_>, grp: i64) -> Result<bool, Error> {
    let Some(head) = log::head(sys, grp)? else { return Ok(false) };
    for mine in log::ops(sys, &head)? {
        let mut rows = vec![(mine.body.table.clone(), mine.body.id.clone())];
        rows.extend(sys.schema().table(&mine.body.table).into_iter().flat_map(|table| referred(table, &mine.body)));
        for (table, id) in rows {
            let newest = sys.head(&table, &id)?.and_then(|(newest, _)| newest);
            let before = sys.ops_in_fold(&table, newest)?;
            let mut held = before.iter().filter(|other| other.op < mine.op && other.state.is_held_back());
            if held.any(|held| builds_on(sys.schema(), &mine.body, &held.body)) {
                log::move_to(sys, &head, GroupState::Parked, None)?;
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The groups a sent one names.
fn named(sys: &SystemTx<'_>, head: &Head) -> Result<Vec<Gid>, Error> {
    let text: Option<String> = sys
        .conn()
        .prepare_cached("SELECT after FROM _ts_groups WHERE grp = ?1")?
        .query_row([head.grp], |row| row.get(0))?;
    text.map_or(Ok(Vec::new()), |text| serde_json::from_str(&text).map_err(|_| Error::Corrupt))
}

/// The groups held back because they build on these ops, in local order.
pub(super) fn parked_on(sys: &SystemTx<'_>, refused: &[Op]) -> Result<Vec<Head>, Error> {
    let mut grounds = Grounds::of(sys, refused);
    let mut found = Vec::new();
    for head in log::parked(sys)? {
        if grounds.carry(sys, log::ops(sys, &head)?) {
            found.push(head);
        }
    }
    Ok(found)
}

/// Lets go on what is held back for nothing any more: what it builds on was applied after all. Says whether anything
/// is to be sent now.
pub(super) fn release(sys: &mut SystemTx<'_>) -> Result<bool, Error> {
    let parked = log::parked(sys)?;
    if parked.is_empty() {
        return Ok(false);
    }
    let mut released = false;
    let letters = letters::dead_letters(sys.conn())?;
    let refused: Vec<Op> =
        letters.into_iter().filter(|letter| letter.n.is_none()).flat_map(|letter| letter.ops).collect();
    let mut grounds = Grounds::of(sys, &refused);
    for head in parked {
        let ops = log::ops(sys, &head)?;
        if head.state == GroupState::Held {
            // The end of what was sent is to be known first.
            grounds.0.extend(ops.into_iter().map(|op| op.body));
        } else if grounds.carry(sys, ops.clone()) {
            // It waits on.
        } else if letters::overtaken(sys, &head, &ops, log::newest(sys)?)? {
            // It would undo what was written since.
            verdicts::leave_fold(sys, &head)?;
            log::move_to(sys, &head, GroupState::Dead, None)?;
            let refusal = Refusal { code: &Code::RowDeleted, fields: &[], at_ms: sys.now().wall_ms };
            letters::file_group(sys, &head, &ops, &refusal)?;
            grounds.0.extend(ops.into_iter().map(|op| op.body));
        } else {
            if head.attempts > 0 {
                renamed(sys, &head)?;
            }
            log::move_to(sys, &head, GroupState::New, None)?;
            log::lower_low(sys, head.grp)?;
            released = true;
        }
    }
    if released {
        sys.set_meta(Key::OutOfOrder, Some(1))?;
    }
    Ok(released)
}

/// Gives a group whose sent form the server will never apply a new identity, where it stands.
fn renamed(sys: &SystemTx<'_>, head: &Head) -> Result<(), Error> {
    sys.conn()
        .prepare_cached(
            "UPDATE _ts_groups SET gid = ?2, replaces = ?3, seq = NULL, hlc = NULL, hash = NULL, after = NULL, \
             attempts = 0, error = NULL WHERE grp = ?1",
        )?
        .execute(params![head.grp, follow_up(head.gid).as_bytes(), head.gid.as_bytes()])?;
    Ok(())
}

/// What was refused, and what is held back because of it.
struct Grounds(Vec<Op>);

impl Grounds {
    fn of(sys: &SystemTx<'_>, refused: &[Op]) -> Self {
        Self(refused.iter().map(|op| again::typed(sys, op.clone())).collect())
    }

    /// Whether a group builds on one of these; what builds on it does too then.
    fn carry(&mut self, sys: &SystemTx<'_>, ops: Vec<LoggedOp>) -> bool {
        let builds = ops.iter().any(|later| self.0.iter().any(|ground| builds_on(sys.schema(), &later.body, ground)));
        if builds {
            self.0.extend(ops.into_iter().map(|op| op.body));
        }
        builds
    }
}
