//! The internal tables, version by version. Each step is one transaction that also sets `user_version`: a crash
//! leaves the step undone or done, and opening again goes on from there (I-45).

use rusqlite::Connection;

use super::meta::{self, Key};
use super::options::OpenOptions;
use crate::error::Error;

/// Every step, from version 1 on. A released step never changes; the next one is added at the end, with a fixture
/// of the version before it in `core/tests/fixtures`.
const STEPS: &[&str] = &[include_str!("migrations/0001_internal.sql")];

/// "Turn" in ASCII: what tells our files from other SQLite databases.
const APPLICATION_ID: i32 = 0x5475_726e;

/// What a file turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing is in it yet.
    Empty,
    /// Ours, at a version this program knows.
    Ours(usize),
}

/// Looks at a file without changing it.
///
/// # Errors
/// [`Error::NotADatabase`], [`Error::ForeignDatabase`], [`Error::NewerDatabase`].
pub(crate) fn look(conn: &Connection) -> Result<Found, Error> {
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let application: i32 = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if application != APPLICATION_ID {
        let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        return if tables == 0 && version == 0 { Ok(Found::Empty) } else { Err(Error::ForeignDatabase) };
    }
    match usize::try_from(version) {
        Ok(version) if version <= STEPS.len() => Ok(Found::Ours(version)),
        _ => Err(Error::NewerDatabase { found: version, known: i64::try_from(STEPS.len()).unwrap_or(i64::MAX) }),
    }
}

/// Brings the internal tables to the newest version, making a new database where there was none.
pub(crate) fn run(conn: &mut Connection, found: Found, options: &OpenOptions) -> Result<(), Error> {
    let from = match found {
        Found::Empty => 0,
        Found::Ours(version) => version,
    };
    for (at, step) in STEPS.iter().enumerate().skip(from) {
        let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        tx.execute_batch(step)?;
        if at == 0 {
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
            let random = || options.entropy.next().map(u128::to_be_bytes);
            meta::write(&tx, Key::Device, Some(random()?.as_slice()))?;
            meta::write(&tx, Key::Incarnation, Some(random()?.as_slice()))?;
        }
        tx.pragma_update(None, "user_version", i64::try_from(at + 1).unwrap_or(i64::MAX))?;
        tx.commit()?;
    }
    Ok(())
}
