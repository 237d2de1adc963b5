//! How much waits, and where a row stands: without reading the log.

use std::sync::LazyLock;

use rusqlite::{Connection, OptionalExtension, params};
use turnstone_engine::oplog::GroupState;
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::{Code, Gid};

use super::log;
use super::report::{RowSync, StatusCounts};
use crate::error::Error;
use crate::storage::{Key, states};

/// Everything a status tells of the log, in one statement: an app may ask after every commit. The oldest group that
/// waits may not be in the table of groups yet, if it was written since the last step of the sync core.
static COUNTS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT count(*) FILTER (WHERE state IN (6, 8)), count(*) FILTER (WHERE state IN (5, 8)), \
         (SELECT count(*) FROM _ts_dead), \
         (SELECT grp FROM _ts_ops ORDER BY op DESC LIMIT 1), (SELECT op FROM _ts_ops ORDER BY op DESC LIMIT 1), \
         (SELECT value FROM _ts_meta WHERE key = '{}'), (SELECT value FROM _ts_meta WHERE key = '{}'), \
         coalesce((SELECT wall FROM _ts_groups WHERE grp >= coalesce((SELECT value FROM _ts_meta WHERE key = '{}'), 1) \
         AND ({} >> state) & 1 ORDER BY grp LIMIT 1), \
         (SELECT wall FROM _ts_ops WHERE ?1 AND gid IS NOT NULL AND op > \
         (SELECT coalesce(max(first_op + ops - 1), 0) FROM _ts_groups WHERE grp = (SELECT max(grp) FROM _ts_groups)) \
         ORDER BY op LIMIT 1)) \
         FROM _ts_groups WHERE state IN (5, 6, 8)",
        Key::SettledGroups.as_str(),
        Key::SettledOps.as_str(),
        Key::LowGroup.as_str(),
        *states::PENDING
    )
});

/// How much waits.
pub(crate) fn status_counts(conn: &Connection) -> Result<StatusCounts, Error> {
    let mut counts = conn.prepare_cached(&COUNTS)?;
    Ok(counts.query_row([!plant::on(Bug::AgeForgotten)], |row| {
        let number = |at| row.get::<_, Option<i64>>(at).map(Option::unwrap_or_default);
        let waiting = |newest, settled| Ok::<_, rusqlite::Error>(u64::try_from(number(newest)? - number(settled)?));
        let dead_letters = if plant::on(Bug::LetterNotCounted) { 0 } else { number(2)?.cast_unsigned() };
        Ok(StatusCounts {
            parked_groups: number(0)?.cast_unsigned(),
            voids: number(1)?.cast_unsigned(),
            dead_letters,
            // Their numbers are how many were ever written.
            pending_groups: waiting(3, 5)?.unwrap_or(0),
            pending_ops: waiting(4, 6)?.unwrap_or(0),
            oldest_pending_at_ms: row.get::<_, Option<i64>>(7)?.map(i64::cast_unsigned),
        })
    })?)
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
