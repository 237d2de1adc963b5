//! Commits this device made, as the feed brings them back.

use std::collections::{HashMap, HashSet};

use rusqlite::params;
use turnstone_engine::oplog::GroupState;
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::wire::Commit;
use turnstone_protocol::{Gid, hash};

use super::Page;
use crate::error::Error;
use crate::storage::{Key, SystemTx};
use crate::sync::log::{self, Head, Touch};
use crate::sync::rows::known;
use crate::sync::{letters, verdicts};

/// The states of what was sent, and may come back as somebody else's commit.
pub(super) const SENT: [GroupState; 5] =
    [GroupState::Sent, GroupState::Decided, GroupState::Voiding, GroupState::Unheard, GroupState::Held];

/// The states of what was never sent, or not as it is now.
const UNSENT: [GroupState; 2] = [GroupState::New, GroupState::Parked];

/// What this device knows of, and somebody else may have made commits of: a copy of it.
pub(super) struct Elsewhere {
    /// What is not done with, or was refused, by gid.
    held: HashMap<Gid, i64>,
    /// What was given up; the log may have forgotten it.
    given_up: HashSet<Gid>,
}

/// The most ops of a run that are read in one look.
const RUN_OPS_MAX: i64 = 10_000;

impl Page {
    /// The group a commit was made by, if it is one of this device's.
    pub(super) fn own(&mut self, sys: &mut SystemTx<'_>, commit: &Commit) -> Result<Option<Head>, Error> {
        let same = |head: &Head| commit.gid.is_none_or(|gid| gid == head.gid);
        if let Some(seq) = commit.own {
            return Ok(log::head_by_seq(sys, seq)?.filter(same));
        }
        let Some(gid) = commit.gid else { return Ok(None) };
        if let Some(grp) = self.renewed.get(&gid) {
            return log::head(sys, *grp);
        }
        if self.elsewhere.is_none() {
            let held = by_gid(&log::kept(sys, &[&SENT[..], &[GroupState::Dead], &UNSENT].concat())?);
            self.elsewhere = Some(Elsewhere { held, given_up: letters::given_up(sys)? });
        }
        let Some(elsewhere) = &self.elsewhere else { return Ok(None) };
        let Some(grp) = elsewhere.held.get(&gid).copied() else {
            if elsewhere.given_up.contains(&gid) {
                letters::withdraw(sys, gid, &mut self.rows)?;
                self.withdrew = true;
            }
            return Ok(None);
        };
        // Not this incarnation made it: a copy of this device, which held the same group, was first.
        sys.set_meta(Key::EarlierLives, Some(log::newest(sys)?))?;
        // What was never sent from here stays in the fold until its verdict is there (decision 0100).
        Ok(log::head(sys, grp)?.filter(|head| !UNSENT.contains(&head.state)))
    }

    /// A run of own commits, if the groups this device holds under those seqs are the ones the server means.
    pub(super) fn own_run(&mut self, sys: &mut SystemTx<'_>, run: &Commit) -> Result<bool, Error> {
        let Some(first) = run.own else { return Ok(false) };
        let heads = log::run(sys, first, run.count)?;
        let known = heads.len() as u64 == run.count
            && run.gids.as_deref() == Some(&*hash::gids(heads.iter().map(|head| &head.gid)));
        if known && !self.promote_run(sys, &heads, first, run.n)? {
            for (head, n) in heads.iter().zip(run.n..) {
                self.promote(sys, head, n)?;
            }
        }
        Ok(known)
    }

    /// The usual run: nobody's change builds on another of the run, and none was given up. Their ops are read in one
    /// look, and the groups moved in one statement. False: nothing was changed, each is promoted by itself.
    fn promote_run(&mut self, sys: &mut SystemTx<'_>, heads: &[Head], seq: u64, commit: u64) -> Result<bool, Error> {
        let (Some(first), Some(last)) = (heads.first(), heads.last()) else { return Ok(true) };
        let (from, ops) = (first.first_op, heads.iter().map(|head| head.ops).sum::<i64>());
        if heads.iter().any(|head| !head.state.in_fold()) || last.first_op + last.ops - from != ops || ops > RUN_OPS_MAX
        {
            return Ok(false);
        }
        let touches = log::touches(sys, from, ops)?;
        let parts: Vec<(&Head, &[Touch])> = heads
            .iter()
            .map_while(|head| {
                let start = usize::try_from(head.first_op - from).ok()?;
                Some((head, touches.get(start..start.checked_add(usize::try_from(head.ops).ok()?)?)?))
            })
            .collect();
        let alone = |(head, touches): &(&Head, &[Touch])| {
            touches.iter().all(|touch| touch.prev.is_none_or(|prev| prev < from || prev >= head.first_op))
        };
        if parts.len() != heads.len() || !parts.iter().all(alone) {
            return Ok(false);
        }
        for ((head, touches), n) in parts.into_iter().zip(commit..) {
            self.promote_ops(sys, head, touches, n)?;
        }
        let count = heads.len() as u64;
        sys.conn()
            .prepare_cached(
                "UPDATE _ts_groups SET state = 3, commit_n = ?3 + (seq - ?1) WHERE seq >= ?1 AND seq < ?1 + ?2",
            )?
            .execute([seq.cast_signed(), count.cast_signed(), commit.cast_signed()])?;
        Ok(true)
    }

    /// A commit whose ops all took full effect: they become part of the base, whatever became of the group meanwhile.
    pub(super) fn promote(&mut self, sys: &mut SystemTx<'_>, head: &Head, commit: u64) -> Result<(), Error> {
        self.promote_ops(sys, head, &log::touches(sys, head.first_op, head.ops)?, commit)?;
        if matches!(head.state, GroupState::Voiding | GroupState::Dead) {
            letters::withdraw(sys, head.gid, &mut self.rows)?;
            self.withdrew = true;
        }
        self.withdrew |= head.state == GroupState::Held;
        sys.conn()
            .prepare_cached("UPDATE _ts_groups SET state = 3, commit_n = ?2 WHERE grp = ?1")?
            .execute(params![head.grp, commit.cast_signed()])?;
        Ok(())
    }

    /// The rows' part of it, and the counts. The caller moves the group.
    fn promote_ops(
        &mut self,
        sys: &mut SystemTx<'_>,
        head: &Head,
        touches: &[Touch],
        commit: u64,
    ) -> Result<(), Error> {
        for touch in touches {
            let simple = head.state.in_fold()
                && !self.direct.has_copies
                && self.rows.get(&touch.table, &touch.id).is_none()
                && oldest(sys, head, touch)?;
            if simple && promote_in_place(sys, touch, commit)? {
                continue;
            }
            let table = known(sys.schema(), &touch.table)?;
            let op = sys.op(touch.op)?.ok_or(Error::Corrupt)?.body;
            self.rows.load(sys, table, &touch.id)?.row.promote(commit, table, touch.op, &op);
        }
        self.report.settled += 1;
        if head.state.is_pending() {
            self.report.applied += 1;
            self.tally.settled(head.ops);
        }
        Ok(())
    }

    /// The cursor passes a group whose rows, as far as it changed them, came with the page.
    pub(super) fn leave(&mut self, sys: &mut SystemTx<'_>, head: &Head, commit: Option<u64>) -> Result<(), Error> {
        if commit.or(head.commit).is_some() {
            verdicts::take_over(sys, head, &mut self.rows)?;
        } else if head.state.in_fold() {
            verdicts::take_out(sys, head, &mut self.rows)?;
        }
        // What was held back because of it may go on.
        self.withdrew |= head.state == GroupState::Held;
        let to = match head.state {
            GroupState::Decided => {
                verdicts::file_kept_lost(sys, head, self.now)?;
                GroupState::Gone
            }
            GroupState::Gone => GroupState::Gone,
            GroupState::Voiding | GroupState::Dead if commit.is_some() => {
                letters::withdraw(sys, head.gid, &mut self.rows)?;
                self.withdrew = true;
                log::given_up_but_applied(sys, head)?
            }
            GroupState::Voiding | GroupState::Dead => head.state,
            _ if plant::on(Bug::UnheardIsDone) => GroupState::Gone,
            _ => GroupState::Unheard,
        };
        // What was given up is to be sent again, for its verdict.
        self.report.released |= to == GroupState::Unheard && head.state != GroupState::Sent;
        log::move_to(sys, head, to, commit)?;
        self.report.settled += 1;
        Ok(())
    }
}

/// Groups by their gids.
pub(super) fn by_gid<'h>(heads: impl IntoIterator<Item = &'h Head>) -> HashMap<Gid, i64> {
    heads.into_iter().map(|head| (head.gid, head.grp)).collect()
}

/// Whether an op is the oldest of its row in the fold. Ops of the same group came before it in this very loop; their
/// group is moved only once all of them are promoted.
fn oldest(sys: &SystemTx<'_>, head: &Head, touch: &Touch) -> Result<bool, Error> {
    let Some(prev) = touch.prev.filter(|prev| *prev < head.first_op) else { return Ok(true) };
    Ok(log::state_of(sys, prev)?.is_none_or(|state| state == GroupState::Gone))
}

/// The usual case: the oldest op of a row whose base is not copied. Only the row's version and chain change, because
/// what is visible already contains the op. False: nothing was changed, the plan must decide.
fn promote_in_place(sys: &SystemTx<'_>, touch: &Touch, commit: u64) -> Result<bool, Error> {
    let Touch { op, table, id, .. } = touch;
    let text = format!("UPDATE \"{table}\" SET _v = ?2, _p = nullif(_p, ?3) WHERE id = ?1 AND _p IS NOT NULL");
    if sys.conn().prepare_cached(&text)?.execute(params![id, commit.cast_signed(), op])? == 1 {
        return Ok(true);
    }
    // Not in its table: a delete. With nothing after it, nothing is left of the row.
    let gone = sys
        .conn()
        .prepare_cached("DELETE FROM _ts_absent WHERE tbl = ?1 AND row_id = ?2 AND p = ?3")?
        .execute(params![table, id, op])?;
    Ok(gone == 1)
}

/// Whether one of them, under a seq of this device, is another group than the one this device holds under it: the server
/// cannot tell a copy of a device from the device.
pub(super) fn by_a_copy(sys: &SystemTx<'_>, commits: &[Commit]) -> Result<bool, Error> {
    for commit in commits {
        if let (Some(seq), Some(gid)) = (commit.own, commit.gid)
            && log::head_by_seq(sys, seq)?.is_some_and(|held| held.gid != gid)
        {
            return Ok(true);
        }
    }
    Ok(false)
}
