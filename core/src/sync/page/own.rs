//! Commits this device made, as the feed brings them back.

use rusqlite::params;
use turnstone_engine::oplog::GroupState;
use turnstone_protocol::OpKind;
use turnstone_protocol::wire::Commit;

use super::Page;
use crate::error::Error;
use crate::storage::{LoggedOp, SystemTx};
use crate::sync::log::{self, Head};
use crate::sync::rows::known;
use crate::sync::{letters, verdicts};

impl Page {
    /// The group a commit was made by, if it is one of this device's.
    pub(super) fn own(&self, sys: &SystemTx<'_>, commit: &Commit) -> Result<Option<Head>, Error> {
        let same = |head: &Head| commit.gid.is_none_or(|gid| gid == head.gid);
        if let Some(seq) = commit.own {
            return Ok(log::head_by_seq(sys, seq)?.filter(same));
        }
        match commit.gid.and_then(|gid| self.renewed.get(&gid)) {
            Some(grp) => log::head(sys, *grp),
            None => Ok(None),
        }
    }

    /// A commit whose ops all took full effect: they become part of the base, whatever became of the group meanwhile.
    pub(super) fn promote(&mut self, sys: &mut SystemTx<'_>, head: &Head, commit: u64) -> Result<(), Error> {
        for op in log::ops(sys, head)? {
            let simple = head.state.in_fold()
                && !self.direct.has_copies
                && self.rows.get(&op.body.table, &op.body.id).is_none()
                && oldest(sys, &op)?;
            if simple && promote_in_place(sys, &op, commit)? {
                continue;
            }
            let table = known(sys.schema(), &op.body.table)?;
            let loaded = self.rows.load(sys, table, &op.body.id)?;
            loaded.row.promote(commit, table, op.op, &op.body);
        }
        if matches!(head.state, GroupState::Voiding | GroupState::Dead) {
            letters::withdraw(sys, head)?;
        }
        log::move_to(sys, head, GroupState::Gone, Some(commit))?;
        self.report.settled += 1;
        Ok(())
    }

    /// The cursor passes a group whose rows, as far as it changed them, came with the page.
    pub(super) fn leave(&mut self, sys: &mut SystemTx<'_>, head: &Head, commit: Option<u64>) -> Result<(), Error> {
        if head.state.in_fold() {
            for op in log::ops(sys, head)? {
                let table = known(sys.schema(), &op.body.table)?;
                self.rows.load(sys, table, &op.body.id)?.row.leave(head.grp);
            }
        }
        let to = match head.state {
            GroupState::Decided => {
                verdicts::file_kept_lost(sys, head, self.now)?;
                GroupState::Gone
            }
            GroupState::Gone => GroupState::Gone,
            // Its verdict was never heard: it may have lost a part, or all of it.
            GroupState::Voiding | GroupState::Dead if commit.is_some() => {
                letters::withdraw(sys, head)?;
                GroupState::Unheard
            }
            GroupState::Voiding | GroupState::Dead => head.state,
            _ => GroupState::Unheard,
        };
        log::move_to(sys, head, to, commit)?;
        self.report.settled += 1;
        Ok(())
    }
}

/// Whether an op is the oldest of its row in the fold.
fn oldest(sys: &SystemTx<'_>, op: &LoggedOp) -> Result<bool, Error> {
    let Some(prev) = op.prev else { return Ok(true) };
    Ok(sys.op(prev)?.is_none_or(|prev| prev.state == GroupState::Gone))
}

/// The usual case: the oldest op of a row whose base is not copied. Only the row's version and chain change, because
/// what is visible already contains the op. False: nothing was changed, the plan must decide.
fn promote_in_place(sys: &SystemTx<'_>, op: &LoggedOp, commit: u64) -> Result<bool, Error> {
    let commit = commit.cast_signed();
    let (table, id) = (&op.body.table, &op.body.id);
    if op.body.kind == OpKind::Delete {
        let gone = sys
            .conn()
            .prepare_cached("DELETE FROM _ts_absent WHERE tbl = ?1 AND row_id = ?2 AND p = ?3")?
            .execute(params![table, id, op.op])?;
        return Ok(gone == 1);
    }
    let text = format!("UPDATE \"{table}\" SET _v = ?2, _p = nullif(_p, ?3) WHERE id = ?1 AND _p IS NOT NULL");
    Ok(sys.conn().prepare_cached(&text)?.execute(params![id, commit, op.op])? == 1)
}
