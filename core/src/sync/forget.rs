//! Forgetting own groups the server will never ask for again (rule 17).

use rusqlite::{OptionalExtension, params};
use serde::Deserialize;
use turnstone_protocol::plant::{self, Bug};

use super::log;
use crate::error::Error;
use crate::storage::SystemTx;

/// The most groups one call removes, so that it never holds the writer for long.
const GROUPS_MAX: i64 = 500;

/// How far forgetting went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forgotten {
    /// Everything that is stable.
    All,
    /// There may be more.
    More,
    /// Something waits, and what it may need stays until it is decided.
    Waits,
}

/// Removes settled groups at or before commit `stable`, oldest first.
///
/// The newest group and its ops always stay: numbers are never used again. What a waiting op had not pulled when it was
/// written stays too: under a new incarnation the op has to name it (rule 15). So does what was refused for as long as
/// anything is held back.
pub(crate) fn forget_stable(sys: &mut SystemTx<'_>, stable: u64) -> Result<Forgotten, Error> {
    if plant::on(Bug::NothingForgotten) {
        return Ok(Forgotten::All);
    }
    let conn = sys.conn();
    let low = log::low(sys)?;
    let waiting = oldest_waiting_base(sys, low)?;
    let stable = waiting.map_or(stable, |base| base.min(stable));
    let held_back = !log::parked(sys)?.is_empty();
    let all = if waiting.is_some() || held_back { Forgotten::Waits } else { Forgotten::All };
    let newest: Option<i64> = conn.query_row("SELECT max(grp) FROM _ts_groups", [], |row| row.get(0))?;
    let end = low.min(newest.unwrap_or(0));
    let mut found = conn.prepare_cached(
        "SELECT grp, state, commit_n, first_op, ops FROM _ts_groups WHERE grp < ?1 ORDER BY grp LIMIT ?2",
    )?;
    let mut rows = found.query([end, GROUPS_MAX])?;
    let mut last = None;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let (state, commit): (i64, Option<i64>) = (row.get(1)?, row.get(2)?);
        let gone = state == 3 && commit.is_some_and(|commit| commit.cast_unsigned() <= stable);
        // A refused group has no commit; once what surrounds it is stable, so is its refusal. What is held back may build on it.
        if !gone && (state != 4 || held_back) {
            break;
        }
        last = Some((row.get::<_, i64>(0)?, row.get::<_, i64>(3)? + row.get::<_, i64>(4)?));
        count += 1;
    }
    drop(rows);
    let Some((grp, op_end)) = last else { return Ok(all) };
    conn.prepare_cached("DELETE FROM _ts_ops WHERE op < ?1")?.execute(params![op_end])?;
    conn.prepare_cached("DELETE FROM _ts_groups WHERE grp <= ?1")?.execute(params![grp])?;
    Ok(if count == GROUPS_MAX { Forgotten::More } else { all })
}

/// What the oldest op that waits had seen; those after it saw as much or more.
fn oldest_waiting_base(sys: &SystemTx<'_>, low: i64) -> Result<Option<u64>, Error> {
    #[derive(Deserialize)]
    struct Seen {
        base: u64,
    }
    let body: Option<String> = sys
        .conn()
        .prepare_cached("SELECT o.body FROM _ts_groups g JOIN _ts_ops o ON o.op = g.first_op WHERE g.grp = ?1")?
        .query_row([low], |row| row.get(0))
        .optional()?;
    let seen = body.map(|body| serde_json::from_str::<Seen>(&body)).transpose().map_err(|_| Error::Corrupt)?;
    Ok(seen.map(|seen| seen.base))
}
