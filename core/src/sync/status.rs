//! How much waits, and where a row stands: without reading the log.

use rusqlite::{Connection, OptionalExtension, params};
use turnstone_engine::oplog::GroupState;
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::{Code, Gid};

use super::log;
use super::report::{RowSync, StatusCounts};
use crate::error::Error;
use crate::storage::{Key, states};

/// How much waits.
pub(crate) fn status_counts(conn: &Connection) -> Result<StatusCounts, Error> {
    let low = meta(conn, Key::LowGroup)?.unwrap_or(1);
    let settled_groups = meta(conn, Key::SettledGroups)?.unwrap_or(0);
    let settled_ops = meta(conn, Key::SettledOps)?.unwrap_or(0);
    let (groups, ops) = newest(conn)?;
    let marked: (u64, u64) = conn
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE state IN (6, 8)), count(*) FILTER (WHERE state IN (5, 8)) FROM _ts_groups \
             WHERE state IN (5, 6, 8)",
        )?
        .query_row([], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned())))?;
    let dead_letters: i64 = conn.prepare_cached("SELECT count(*) FROM _ts_dead")?.query_row([], |row| row.get(0))?;
    Ok(StatusCounts {
        pending_groups: u64::try_from(groups - settled_groups).unwrap_or(0),
        pending_ops: u64::try_from(ops - settled_ops).unwrap_or(0),
        parked_groups: marked.0,
        oldest_pending_at_ms: oldest(conn, low)?,
        dead_letters: if plant::on(Bug::LetterNotCounted) { 0 } else { dead_letters.cast_unsigned() },
        voids: marked.1,
    })
}

/// The newest group and op ever written: their numbers are how many there were.
fn newest(conn: &Connection) -> Result<(i64, i64), Error> {
    let newest: Option<(i64, i64)> = conn
        .prepare_cached("SELECT grp, op FROM _ts_ops ORDER BY op DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(newest.unwrap_or((0, 0)))
}

/// Every group in the log, those that no step of the sync core has seen too, in local order. Reads the whole log.
pub(crate) fn all_groups(conn: &Connection) -> Result<Vec<(Gid, GroupState)>, Error> {
    let mut found = conn.prepare_cached(
        "SELECT coalesce(g.gid, o.gid), coalesce(g.state, 0) FROM _ts_ops o LEFT JOIN _ts_groups g ON g.grp = o.grp \
         WHERE o.gid IS NOT NULL ORDER BY o.grp",
    )?;
    let rows = found.query_map([], |row| Ok((log::read_gid(row, 0)?, log::read_state(row, 1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When the oldest pending group was written.
fn oldest(conn: &Connection, low: i64) -> Result<Option<u64>, Error> {
    let known: Option<i64> = conn
        .prepare_cached(&format!(
            "SELECT wall FROM _ts_groups WHERE grp >= ?1 AND state IN {} ORDER BY grp LIMIT 1",
            *states::PENDING
        ))?
        .query_row([low], |row| row.get(0))
        .optional()?;
    if known.is_some() || plant::on(Bug::AgeForgotten) {
        return Ok(known.map(i64::cast_unsigned));
    }
    // Not in the table of groups yet: written since the last step of the sync core.
    let fresh: Option<i64> = conn
        .prepare_cached(
            "SELECT wall FROM _ts_ops WHERE gid IS NOT NULL AND op > \
             (SELECT coalesce(max(first_op + ops - 1), 0) FROM _ts_groups WHERE grp = (SELECT max(grp) FROM _ts_groups)) \
             ORDER BY op LIMIT 1",
        )?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(fresh.map(i64::cast_unsigned))
}

/// Where a row stands.
pub(crate) fn row_state(conn: &Connection, table: &str, id: &str) -> Result<RowSync, Error> {
    if let Some(code) = refused(conn, table, id)? {
        return Ok(RowSync::Failed { code });
    }
    let text = format!(
        "SELECT coalesce((SELECT _p FROM \"{table}\" WHERE id = ?1), \
         (SELECT p FROM _ts_absent WHERE tbl = ?2 AND row_id = ?1))"
    );
    let head: Option<i64> = conn.prepare_cached(&text)?.query_row(params![id, table], |row| row.get(0))?;
    let Some(head) = head else { return Ok(RowSync::Synced) };
    let group: Option<(GroupState, u32)> = conn
        .prepare_cached("SELECT g.state, g.attempts FROM _ts_ops o JOIN _ts_groups g ON g.grp = o.grp WHERE o.op = ?1")?
        .query_row([head], |row| Ok((log::read_state(row, 0)?, row.get(1)?)))
        .optional()?;
    Ok(match group {
        None | Some((GroupState::New, _)) => RowSync::Saved,
        Some((_, attempts)) => RowSync::Sending { attempts },
    })
}

/// The newest refusal that is about this row. Dead letters are few: they are read, not indexed.
fn refused(conn: &Connection, table: &str, id: &str) -> Result<Option<Code>, Error> {
    let mut letters = super::letters::dead_letters(conn)?;
    letters.retain(|letter| letter.ops.iter().any(|op| op.table == table && op.id == id));
    Ok(letters.pop().map(|letter| letter.code))
}

fn meta(conn: &Connection, key: Key) -> Result<Option<i64>, Error> {
    Ok(conn
        .prepare_cached("SELECT value FROM _ts_meta WHERE key = ?1")?
        .query_row([key.as_str()], |row| row.get(0))
        .optional()?)
}
