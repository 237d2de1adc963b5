//! What a page brings that cannot be applied yet: parts of a commit, and rows of tables the app does not know.

use std::collections::BTreeSet;

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

/// Whether every commit whose last part is among these has its earlier parts, on disk or here: the server broke its word
/// about the feed otherwise.
pub(super) fn is_whole<'c>(sys: &SystemTx<'_>, commits: impl Iterator<Item = &'c Commit>) -> Result<bool, Error> {
    let mut here = BTreeSet::new();
    for commit in commits {
        let Some(part) = commit.part.filter(|_| commit.count <= 1 && !plant::on(Bug::GroupCutByPage)) else { continue };
        if part.i < part.n {
            here.insert((commit.n, part.i));
            continue;
        }
        let mut staged = sys.conn().prepare_cached("SELECT part FROM _ts_stage WHERE commit_n = ?1")?;
        for i in staged.query_map([commit.n.cast_signed()], |row| row.get::<_, u32>(0))? {
            here.insert((commit.n, i?));
        }
        let earlier = here.range((commit.n, 0)..=(commit.n, u32::MAX)).map(|(_, i)| *i);
        if !earlier.eq(1..part.n) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The earlier parts, now that the last one is here.
pub(super) fn earlier(sys: &SystemTx<'_>, n: u64) -> Result<Vec<Commit>, Error> {
    let mut found = sys.conn().prepare_cached("SELECT body FROM _ts_stage WHERE commit_n = ?1 ORDER BY part")?;
    let bodies = found.query_map([n.cast_signed()], |row| row.get::<_, String>(0))?;
    bodies.map(|body| serde_json::from_str(&body?).map_err(|_| Error::Corrupt)).collect()
}

/// Forgets the parts of a commit that is applied, and whatever a feed that was given up left below it.
pub(super) fn forget(sys: &SystemTx<'_>, n: u64) -> Result<(), Error> {
    if !plant::on(Bug::StagedKept) {
        sys.conn().prepare_cached("DELETE FROM _ts_stage WHERE commit_n <= ?1")?.execute([n.cast_signed()])?;
    }
    Ok(())
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
