//! What a page brings that cannot be applied yet: parts of a commit, and rows of tables the app does not know.

use rusqlite::params;
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::wire::{Commit, Part, Row};

use crate::error::Error;
use crate::storage::SystemTx;
use crate::sync::rows::to_text;

/// Keeps a part on disk.
pub(super) fn keep(sys: &SystemTx<'_>, commit: &Commit, part: Part) -> Result<(), Error> {
    let body = serde_json::to_string(commit).map_err(|_| Error::Internal { what: "a part without a JSON text" })?;
    sys.conn()
        .prepare_cached("INSERT OR REPLACE INTO _ts_stage (commit_n, part, body) VALUES (?1, ?2, ?3)")?
        .execute(params![commit.n.cast_signed(), part.i, body])?;
    Ok(())
}

/// The earlier parts, now that the last one is here. A missing one means the server broke its word about the feed.
pub(super) fn take(sys: &SystemTx<'_>, n: u64, last: Part) -> Result<Vec<Commit>, Error> {
    let mut found = sys.conn().prepare_cached("SELECT body FROM _ts_stage WHERE commit_n = ?1 ORDER BY part")?;
    let bodies = found.query_map([n.cast_signed()], |row| row.get::<_, String>(0))?;
    let mut parts = Vec::new();
    for body in bodies {
        parts.push(serde_json::from_str::<Commit>(&body?).map_err(|_| Error::Corrupt)?);
    }
    if parts.len() + 1 != usize::try_from(last.n).unwrap_or(0) {
        return Err(Error::Internal { what: "a commit arrived without its earlier parts" });
    }
    // Whatever is staged below this commit was left by a feed that was given up.
    if plant::on(Bug::StagedKept) {
        return Ok(parts);
    }
    sys.conn().prepare_cached("DELETE FROM _ts_stage WHERE commit_n <= ?1")?.execute([n.cast_signed()])?;
    Ok(parts)
}

/// Keeps a row of a table the app does not know (yet).
pub(crate) fn keep_unknown(sys: &SystemTx<'_>, n: u64, row: &Row) -> Result<(), Error> {
    if row.gone.is_some() {
        sys.conn()
            .prepare_cached("DELETE FROM _ts_unknown WHERE tbl = ?1 AND row_id = ?2 AND v < ?3")?
            .execute(params![row.table, row.id, n.cast_signed()])?;
        return Ok(());
    }
    sys.conn()
        .prepare_cached(
            "INSERT INTO _ts_unknown (tbl, row_id, v, image) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (tbl, row_id) DO UPDATE SET v = excluded.v, image = excluded.image WHERE v < excluded.v",
        )?
        .execute(params![row.table, row.id, n.cast_signed(), to_text(&row.fields)?])?;
    Ok(())
}
