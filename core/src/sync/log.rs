//! Groups in the log: reading them, and moving them from state to state.

use rusqlite::{OptionalExtension, Row as SqlRow, params};
use turnstone_engine::oplog::GroupState;
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::{Code, Gid};

use crate::error::Error;
use crate::storage::{Key, LoggedOp, SystemTx, states};

/// What the steps need to know of a group.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) grp: i64,
    pub(super) gid: Gid,
    pub(super) state: GroupState,
    pub(super) first_op: i64,
    pub(super) ops: i64,
    pub(super) seq: Option<u64>,
    pub(super) commit: Option<u64>,
    pub(super) attempts: u32,
    pub(super) verdict: Option<String>,
    pub(super) replaces: Option<Gid>,
}

const HEAD: &str = "SELECT grp, gid, state, first_op, ops, seq, attempts, verdict, replaces, commit_n FROM _ts_groups";

/// The group with this number.
pub(super) fn head(sys: &SystemTx<'_>, grp: i64) -> Result<Option<Head>, Error> {
    let mut found = sys.conn().prepare_cached(&format!("{HEAD} WHERE grp = ?1"))?;
    Ok(found.query_row([grp], read).optional()?)
}

/// The group this incarnation sent with this seq.
pub(super) fn head_by_seq(sys: &SystemTx<'_>, seq: u64) -> Result<Option<Head>, Error> {
    let mut found = sys.conn().prepare_cached(&format!("{HEAD} WHERE seq = ?1"))?;
    Ok(found.query_row([seq.cast_signed()], read).optional()?)
}

/// The group with this gid. Reads the log from its end: for rare events only.
pub(super) fn head_by_gid(sys: &SystemTx<'_>, gid: Gid) -> Result<Option<Head>, Error> {
    let mut found = sys.conn().prepare_cached(&format!("{HEAD} WHERE gid = ?1 ORDER BY grp DESC LIMIT 1"))?;
    Ok(found.query_row([gid.as_bytes()], read).optional()?)
}

/// The groups that take the place of this one. Reads the whole log: for rare events only.
pub(super) fn replacing(sys: &SystemTx<'_>, gid: Gid) -> Result<Vec<Head>, Error> {
    let mut found = sys.conn().prepare_cached(&format!("{HEAD} WHERE replaces = ?1 ORDER BY grp"))?;
    let rows = found.query_map([gid.as_bytes()], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The groups that were sent and name this one as one to be applied first.
pub(super) fn waiting_for(sys: &SystemTx<'_>, gid: Gid) -> Result<Vec<Head>, Error> {
    let mut found = sys
        .conn()
        .prepare_cached(&format!("{HEAD} WHERE grp >= ?1 AND state = 1 AND instr(after, ?2) > 0 ORDER BY grp"))?;
    let rows = found.query_map(params![low(sys)?, gid.to_string()], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The groups with one of `states`, in local order. Reads the whole log: for rare events only.
pub(super) fn kept(sys: &SystemTx<'_>, states: &[GroupState]) -> Result<Vec<Head>, Error> {
    from(sys, 1, states)
}

/// The groups from `grp` on with one of `states`, in local order.
pub(super) fn from(sys: &SystemTx<'_>, grp: i64, states: &[GroupState]) -> Result<Vec<Head>, Error> {
    let mut found = sys.conn().prepare_cached(&format!("{HEAD} WHERE grp >= ?1 ORDER BY grp"))?;
    filtered(found.query_map([grp], read)?, states)
}

fn filtered(rows: impl Iterator<Item = rusqlite::Result<Head>>, states: &[GroupState]) -> Result<Vec<Head>, Error> {
    let mut heads = Vec::new();
    for head in rows {
        let head = head?;
        if states.contains(&head.state) {
            heads.push(head);
        }
    }
    Ok(heads)
}

/// The groups that are held back, in local order. None, in an ordinary life.
pub(super) fn parked(sys: &SystemTx<'_>) -> Result<Vec<Head>, Error> {
    let mut found =
        sys.conn().prepare_cached(&format!("{HEAD} WHERE state IN (5, 6, 8) AND state <> 5 ORDER BY grp"))?;
    let rows = found.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The groups with a seq in `from..=to` and one of `states`.
pub(super) fn between(sys: &SystemTx<'_>, from: u64, to: u64, states: &[GroupState]) -> Result<Vec<Head>, Error> {
    let mut found =
        sys.conn().prepare_cached(&format!("{HEAD} WHERE seq IS NOT NULL AND seq >= ?1 AND seq <= ?2 ORDER BY seq"))?;
    filtered(found.query_map([from.cast_signed(), to.cast_signed()], read)?, states)
}

/// The groups this incarnation sent with `count` seqs from `first` on; fewer where it does not hold them all.
pub(super) fn run(sys: &SystemTx<'_>, first: u64, count: u64) -> Result<Vec<Head>, Error> {
    let mut found = sys.conn().prepare_cached(&format!("{HEAD} WHERE seq >= ?1 AND seq < ?2 ORDER BY seq"))?;
    let rows = found.query_map([first.cast_signed(), first.saturating_add(count).cast_signed()], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The ops of a group, in order.
pub(super) fn ops(sys: &SystemTx<'_>, head: &Head) -> Result<Vec<LoggedOp>, Error> {
    let mut ops = Vec::new();
    for number in head.first_op..head.first_op + head.ops {
        ops.extend(sys.op(number)?);
    }
    Ok(ops)
}

/// What a group's op changes, without reading what it means.
pub(super) struct Touch {
    pub(super) op: i64,
    pub(super) table: String,
    pub(super) id: String,
    pub(super) prev: Option<i64>,
}

/// The rows that so many ops change, in order.
pub(super) fn touches(sys: &SystemTx<'_>, first_op: i64, ops: i64) -> Result<Vec<Touch>, Error> {
    let mut found = sys
        .conn()
        .prepare_cached("SELECT op, tbl, row_id, prev FROM _ts_ops WHERE op >= ?1 AND op < ?2 ORDER BY op")?;
    let rows = found.query_map([first_op, first_op + ops], |row| {
        Ok(Touch { op: row.get(0)?, table: row.get(1)?, id: row.get(2)?, prev: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The state of the group an op is part of; none if it was forgotten.
pub(super) fn state_of(sys: &SystemTx<'_>, op: i64) -> Result<Option<GroupState>, Error> {
    let mut found = sys
        .conn()
        .prepare_cached("SELECT g.state FROM _ts_ops o JOIN _ts_groups g ON g.grp = o.grp WHERE o.op = ?1")?;
    Ok(found.query_row([op], |row| read_state(row, 0)).optional()?)
}

/// Groups that are no longer pending, and their ops, counted until the end of a step.
#[derive(Debug, Default)]
pub(super) struct Tally {
    groups: i64,
    ops: i64,
}

impl Tally {
    /// Counts a group that was decided.
    pub(super) const fn settled(&mut self, ops: i64) {
        self.groups += 1;
        self.ops += ops;
    }

    /// Writes the count.
    pub(super) fn write(self, sys: &mut SystemTx<'_>) -> Result<(), Error> {
        if self.groups == 0 || plant::on(Bug::StatusMiscounts) { Ok(()) } else { sys.settle(self.groups, self.ops) }
    }
}

/// Moves a group, and keeps the count of the pending ones true.
pub(super) fn move_to(
    sys: &mut SystemTx<'_>,
    head: &Head,
    state: GroupState,
    commit: Option<u64>,
) -> Result<(), Error> {
    sys.conn()
        .prepare_cached("UPDATE _ts_groups SET state = ?2, commit_n = coalesce(?3, commit_n) WHERE grp = ?1")?
        .execute(params![head.grp, state.number(), commit.map(u64::cast_signed)])?;
    match (head.state.is_pending(), state.is_pending()) {
        (true, false) => sys.settle(1, head.ops)?,
        (false, true) => sys.settle(-1, -head.ops)?,
        _ => {}
    }
    sys.touched_sync();
    Ok(())
}

/// Notes why a group must wait, or was refused.
pub(super) fn note_error(sys: &SystemTx<'_>, grp: i64, code: &Code) -> Result<(), Error> {
    sys.conn()
        .prepare_cached("UPDATE _ts_groups SET error = ?2 WHERE grp = ?1")?
        .execute(params![grp, code.as_str()])?;
    Ok(())
}

/// Every group below is settled.
pub(super) fn low(sys: &SystemTx<'_>) -> Result<i64, Error> {
    Ok(sys.meta(Key::LowGroup)?.unwrap_or(1))
}

/// Moves the low mark up to the oldest group that is undecided or still to be sent.
pub(super) fn advance_low(sys: &mut SystemTx<'_>) -> Result<(), Error> {
    let low = low(sys)?;
    let waiting: Option<i64> = sys
        .conn()
        .prepare_cached(&format!(
            "SELECT grp FROM _ts_groups WHERE grp >= ?1 AND ({} >> state) & 1 ORDER BY grp LIMIT 1",
            *states::OPEN
        ))?
        .query_row([low], |row| row.get(0))
        .optional()?;
    let next = match waiting {
        Some(grp) => grp,
        None => newest(sys)? + 1,
    };
    if next > low { sys.set_meta(Key::LowGroup, Some(next)) } else { Ok(()) }
}

/// Lowers the mark: a settled group is to be sent again.
pub(super) fn lower_low(sys: &mut SystemTx<'_>, grp: i64) -> Result<(), Error> {
    if grp < low(sys)? { sys.set_meta(Key::LowGroup, Some(grp)) } else { Ok(()) }
}

/// Where a group goes that was refused or given up, and that the feed shows: its verdict is still to be heard, for it may
/// have lost a part, or all of it. Without a seq it is a copy of this device that hears it.
pub(super) fn given_up_but_applied(sys: &mut SystemTx<'_>, head: &Head) -> Result<GroupState, Error> {
    if head.seq.is_none() {
        return Ok(GroupState::Gone);
    }
    lower_low(sys, head.grp)?;
    Ok(GroupState::Unheard)
}

/// The newest group.
pub(super) fn newest(sys: &SystemTx<'_>) -> Result<i64, Error> {
    let newest: Option<i64> =
        sys.conn().prepare_cached("SELECT max(grp) FROM _ts_groups")?.query_row([], |row| row.get(0))?;
    Ok(newest.unwrap_or(0))
}

fn read(row: &SqlRow<'_>) -> rusqlite::Result<Head> {
    Ok(Head {
        grp: row.get(0)?,
        gid: read_gid(row, 1)?,
        state: read_state(row, 2)?,
        first_op: row.get(3)?,
        ops: row.get(4)?,
        seq: row.get::<_, Option<i64>>(5)?.map(i64::cast_unsigned),
        attempts: row.get(6)?,
        verdict: row.get(7)?,
        replaces: match row.get_ref(8)?.as_blob_or_null() {
            Ok(Some(bytes)) => Gid::from_slice(bytes).ok(),
            _ => None,
        },
        commit: row.get::<_, Option<i64>>(9)?.map(i64::cast_unsigned),
    })
}

/// Reads a gid column.
pub(super) fn read_gid(row: &SqlRow<'_>, at: usize) -> rusqlite::Result<Gid> {
    let bytes = row.get_ref(at)?.as_blob()?;
    Gid::from_slice(bytes).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(at, 16))
}

/// Reads a state column.
pub(super) fn read_state(row: &SqlRow<'_>, at: usize) -> rusqlite::Result<GroupState> {
    let number: i64 = row.get(at)?;
    GroupState::from_number(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(at, number))
}
