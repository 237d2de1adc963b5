//! Dead letters: what was refused, kept whole (I-16).

use std::collections::HashSet;

use rusqlite::{OptionalExtension, Row as SqlRow, params};
use serde::{Deserialize, Serialize};
use turnstone_engine::oplog::GroupState;
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::{Code, Gid, Op, OpKind};

use super::log::{self, Head};
use super::report::{DeadLetter, RetryRefused};
use super::rows::Rows;
use super::verdicts::{leave_fold, take_out};
use super::{again, park};
use crate::error::Error;
use crate::storage::{LoggedOp, SystemTx, states};

/// Why something was refused, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal<'a> {
    pub(super) code: &'a Code,
    pub(super) fields: &'a [String],
    pub(super) at_ms: u64,
}

/// The body of a letter: whole enough to be sent again without the log.
#[derive(Serialize, Deserialize)]
struct Body {
    ops: Vec<Op>,
    /// What a group that was never sent would have taken the place of: nobody else has said that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<Gid>,
}

/// Files a whole group.
pub(super) fn file_group(
    sys: &mut SystemTx<'_>,
    head: &Head,
    ops: &[LoggedOp],
    refusal: &Refusal<'_>,
) -> Result<(), Error> {
    file(sys, head, None, ops.iter().map(|op| op.body.clone()).collect(), refusal)
}

/// Files one op of an accepted group.
pub(super) fn file_op(sys: &mut SystemTx<'_>, head: &Head, op: &LoggedOp, refusal: &Refusal<'_>) -> Result<(), Error> {
    file(sys, head, Some(op.n), vec![op.body.clone()], refusal)
}

fn file(sys: &mut SystemTx<'_>, head: &Head, n: Option<u32>, ops: Vec<Op>, refusal: &Refusal<'_>) -> Result<(), Error> {
    const UNTEXT: Error = Error::Internal { what: "a dead letter without a JSON text" };
    let replaces = head.replaces.filter(|_| n.is_none() && head.attempts == 0);
    let body = serde_json::to_string(&Body { ops, replaces }).map_err(|_| UNTEXT)?;
    let fields = serde_json::to_string(refusal.fields).map_err(|_| UNTEXT)?;
    sys.conn()
        .prepare_cached(
            "INSERT INTO _ts_dead (gid, n, code, fields, body, attempts, at_wall) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            head.gid.as_bytes(),
            n,
            refusal.code.as_str(),
            fields,
            body,
            head.attempts,
            refusal.at_ms.cast_signed()
        ])?;
    sys.touched_sync();
    Ok(())
}

/// Takes back the letters of single ops of a group that is to be decided anew: they are filed again if they are lost again.
pub(super) fn withdraw_ops(sys: &mut SystemTx<'_>, head: &Head) -> Result<(), Error> {
    let mut letters = sys.conn().prepare_cached("DELETE FROM _ts_dead WHERE gid = ?1 AND n IS NOT NULL")?;
    if letters.execute([head.gid.as_bytes()])? > 0 {
        sys.touched_sync();
    }
    Ok(())
}

/// The groups that have a letter of their own, or that another one took the place of. They may be forgotten by the log.
pub(super) fn given_up(sys: &SystemTx<'_>) -> Result<HashSet<Gid>, Error> {
    let mut found = sys.conn().prepare_cached(
        "SELECT gid FROM _ts_dead WHERE n IS NULL UNION SELECT replaces FROM _ts_groups WHERE replaces IS NOT NULL",
    )?;
    let gids = found.query_map([], |row| row.get::<_, [u8; 16]>(0))?;
    gids.map(|gid| Gid::from_slice(&gid?).map_err(|_| Error::Corrupt)).collect()
}

/// Takes the letter of a whole group back: it was applied after all. What took its place must not count too, nor what
/// took the place of that. `rows` are those the caller works on.
pub(super) fn withdraw(sys: &mut SystemTx<'_>, gid: Gid, rows: &mut Rows) -> Result<(), Error> {
    let mut applied = vec![gid];
    while let Some(gid) = applied.pop() {
        sys.conn().prepare_cached("DELETE FROM _ts_dead WHERE gid = ?1 AND n IS NULL")?.execute([gid.as_bytes()])?;
        for again in log::replacing(sys, gid)? {
            applied.push(again.gid);
            let to = match again.state {
                // Never sent: nobody else will decide it.
                GroupState::New | GroupState::Parked => GroupState::Dead,
                // Sent: the server refuses it, which is still to be heard. Until then it must not count twice.
                GroupState::Sent => GroupState::Unheard,
                GroupState::Held => GroupState::Voiding,
                _ => continue,
            };
            take_out(sys, &again, rows)?;
            log::move_to(sys, &again, to, None)?;
        }
    }
    sys.touched_sync();
    Ok(())
}

const LETTERS: &str = "SELECT id, gid, n, code, fields, body, attempts, at_wall FROM _ts_dead";

/// Every dead letter, oldest first.
pub(crate) fn dead_letters(conn: &rusqlite::Connection) -> Result<Vec<DeadLetter>, Error> {
    let mut found = conn.prepare_cached(&format!("{LETTERS} ORDER BY id"))?;
    let rows = found.query_map([], read)?;
    rows.map(|row| row?.map(|(letter, _)| letter).ok_or(Error::Corrupt)).collect()
}

/// A letter, and what its group would have taken the place of if it was never sent.
fn letter(conn: &rusqlite::Connection, id: i64) -> Result<Option<(DeadLetter, Option<Gid>)>, Error> {
    let mut found = conn.prepare_cached(&format!("{LETTERS} WHERE id = ?1"))?;
    match found.query_row([id], read).optional()? {
        None => Ok(None),
        Some(None) => Err(Error::Corrupt),
        Some(Some(letter)) => Ok(Some(letter)),
    }
}

fn read(row: &SqlRow<'_>) -> rusqlite::Result<Option<(DeadLetter, Option<Gid>)>> {
    let (Ok(fields), Ok(body)) = (
        serde_json::from_str::<Vec<String>>(row.get_ref(4)?.as_str()?),
        serde_json::from_str::<Body>(row.get_ref(5)?.as_str()?),
    ) else {
        return Ok(None);
    };
    let letter = DeadLetter {
        id: row.get(0)?,
        gid: log::read_gid(row, 1)?,
        n: row.get(2)?,
        code: Code::from(row.get::<_, String>(3)?),
        fields,
        ops: body.ops,
        attempts: row.get(6)?,
        at_ms: row.get::<_, i64>(7)?.cast_unsigned(),
    };
    Ok(Some((letter, body.replaces)))
}

/// Sends a dead letter again as a new group `gid`, based on the rows as they are now. Groups that were held back
/// because they build on it follow as new groups of their own; `next_gid` names them.
pub(crate) fn retry_dead_letter(
    sys: &mut SystemTx<'_>,
    id: i64,
    gid: Gid,
    next_gid: &mut dyn FnMut() -> Gid,
) -> Result<Result<(), RetryRefused>, Error> {
    let Some((letter, unsent)) = letter(sys.conn(), id)? else { return Ok(Err(RetryRefused::Unknown)) };
    if again::rebased(sys, letter.ops.clone())?.is_none() {
        return Ok(Err(RetryRefused::RowGone));
    }
    sys.conn().prepare_cached("DELETE FROM _ts_dead WHERE id = ?1")?.execute([id])?;
    // One op of an accepted group is a change of its own; a whole group takes the place of the refused one.
    let refused = letter.n.is_none().then_some(letter.gid);
    if let Some(gid) = refused
        && let Some(first) = log::head_by_gid(sys, gid)?
    {
        park::let_go(sys, &first)?;
    }
    // What was held back just now is off the rows: this is what the letter is based on.
    let Some(mut ops) = again::rebased(sys, letter.ops.clone())? else { return Ok(Err(RetryRefused::RowGone)) };
    if plant::on(Bug::RetryAsItWas) {
        ops.clone_from(&letter.ops);
    }
    let parked = park::parked_on(sys, &letter.ops)?;
    let before = log::newest(sys)?;
    again::append(sys, gid, unsent.or(refused), &ops)?;
    for parked in parked.into_iter().filter(|_| !plant::on(Bug::RetryLeavesRest)) {
        follow(sys, &parked, before, next_gid())?;
    }
    log::advance_low(sys)?;
    sys.touched_sync();
    Ok(Ok(()))
}

/// Writes a group that was held back again, behind the one it builds on. `before` is the newest group that is older
/// than what is written now.
fn follow(sys: &mut SystemTx<'_>, parked: &Head, before: i64, gid: Gid) -> Result<(), Error> {
    let ops = log::ops(sys, parked)?;
    let overtaken = overtaken(sys, parked, &ops, before)?;
    // Its ops must be off the rows before they are meant again on top of what they build on.
    leave_fold(sys, parked)?;
    let (to, replaces) = match parked.state {
        GroupState::Held => (GroupState::Voiding, Some(parked.gid)),
        _ if parked.attempts > 0 => (GroupState::Dead, Some(parked.gid)),
        // A copy of this device may have sent what was never sent here: the server must never apply both.
        _ => (GroupState::Dead, parked.replaces.or(Some(parked.gid))),
    };
    log::move_to(sys, parked, to, None)?;
    let again = if overtaken { None } else { again::rebased(sys, ops.iter().map(|op| op.body.clone()).collect())? };
    match again {
        Some(meant) => again::append(sys, gid, replaces, &meant).map(|_| ()),
        None => {
            let code = if overtaken { Code::RowDeleted } else { Code::RowPurged };
            file_group(sys, parked, &ops, &Refusal { code: &code, fields: &[], at_ms: sys.now().wall_ms })
        }
    }
}

/// Whether this device has deleted a row of a group since, or made it anew: meant again, the older change would undo
/// that. Reads the log from the group on: for rare events only.
pub(super) fn overtaken(sys: &SystemTx<'_>, parked: &Head, ops: &[LoggedOp], before: i64) -> Result<bool, Error> {
    let mut later = sys.conn().prepare_cached(&format!(
        "SELECT o.op FROM _ts_ops o JOIN _ts_groups g ON g.grp = o.grp \
         WHERE o.op >= ?1 AND o.grp <= ?2 AND ({} >> g.state) & 1 AND o.tbl = ?3 AND o.row_id = ?4",
        *states::STANDING
    ))?;
    let from = parked.first_op + parked.ops;
    for op in ops {
        for number in later.query_map(params![from, before, op.body.table, op.body.id], |row| row.get(0))? {
            if sys.op(number?)?.is_some_and(|later| later.body.kind != OpKind::Update) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
