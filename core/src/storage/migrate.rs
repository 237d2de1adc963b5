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
/// [`Error::NotADatabase`], [`Error::ForeignDatabase`], [`Error::NewerDatabase`], [`Error::Corrupt`].
pub(crate) fn look(conn: &Connection) -> Result<Found, Error> {
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let application: i32 = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if application != APPLICATION_ID {
        let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        return if tables == 0 && version == 0 { Ok(Found::Empty) } else { Err(Error::ForeignDatabase) };
    }
    match usize::try_from(version) {
        Ok(version) if version <= STEPS.len() => legible(conn).map(|()| Found::Ours(version)),
        _ => Err(Error::NewerDatabase { found: version, known: i64::try_from(STEPS.len()).unwrap_or(i64::MAX) }),
    }
}

/// Refuses definitions that are not UTF-8. SQLite would take the names in them as they are, and the gate cannot be told
/// of one that is no text: each statement would fail on its own, by a panic inside the callback (found by the fuzzer).
fn legible(conn: &Connection) -> Result<(), Error> {
    let mut definitions = conn.prepare("SELECT name, tbl_name, sql FROM sqlite_schema")?;
    let mut rows = definitions.query([])?;
    while let Some(row) = rows.next()? {
        for at in 0..3 {
            row.get_ref(at)?.as_str_or_null().map_err(|_| Error::Corrupt)?;
        }
    }
    Ok(())
}

/// Brings the internal tables to the newest version, making a new database where there was none.
pub(crate) fn run(conn: &mut Connection, found: Found, options: &OpenOptions) -> Result<(), Error> {
    run_steps(conn, found, options, STEPS)
}

/// Commits the version that stands there already: a commit that changes nothing.
pub(crate) fn stamp(conn: &Connection) -> Result<(), Error> {
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok(conn.pragma_update(None, "user_version", version)?)
}

fn run_steps(conn: &mut Connection, found: Found, options: &OpenOptions, steps: &[&str]) -> Result<(), Error> {
    let from = match found {
        Found::Empty => 0,
        Found::Ours(version) => version,
    };
    for (at, step) in steps.iter().enumerate().skip(from) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, Entropy};

    const LATER: [&str; 2] = [
        "ALTER TABLE _ts_dead ADD COLUMN note TEXT; CREATE TABLE _ts_second (x TEXT) STRICT;
         INSERT INTO _ts_second VALUES ('one'), ('two');",
        "CREATE TABLE _ts_third AS SELECT x || '!' AS y FROM _ts_second; DROP TABLE _ts_second;",
    ];

    fn options() -> OpenOptions {
        OpenOptions::new(Clock::manual(1), Entropy::seeded(1))
    }

    fn dump(conn: &Connection) -> Vec<String> {
        let read = |sql: &str| -> Vec<String> {
            conn.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let mut all = read("SELECT coalesce(sql, '') FROM sqlite_schema ORDER BY name");
        all.extend(read("SELECT key || hex(value) FROM _ts_meta ORDER BY key"));
        all.extend(read("SELECT user_version || '' FROM pragma_user_version"));
        all
    }

    fn steps(later: usize) -> Vec<&'static str> {
        STEPS.iter().chain(LATER.iter().take(later)).copied().collect()
    }

    fn version(conn: &Connection) -> Found {
        let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        Found::Ours(usize::try_from(version).unwrap())
    }

    /// I-45: one step at a time ends where all at once does.
    #[test]
    fn step_by_step_is_all_at_once() {
        let mut slow = Connection::open_in_memory().unwrap();
        run_steps(&mut slow, Found::Empty, &options(), &steps(0)).unwrap();
        for later in 1..=LATER.len() {
            let found = version(&slow);
            run_steps(&mut slow, found, &options(), &steps(later)).unwrap();
        }
        let mut fast = Connection::open_in_memory().unwrap();
        run_steps(&mut fast, Found::Empty, &options(), &steps(2)).unwrap();
        assert_eq!(dump(&slow), dump(&fast));
    }

    /// I-45: a step that stops anywhere leaves the version before it, whole; trying again goes on from there.
    #[test]
    fn a_step_that_stops_half_way_was_never_begun() {
        for (at, step) in LATER.iter().enumerate() {
            let cuts: Vec<usize> = step.match_indices(';').map(|(cut, _)| cut).collect();
            for cut in cuts {
                let mut conn = Connection::open_in_memory().unwrap();
                run_steps(&mut conn, Found::Empty, &options(), &steps(at)).unwrap();
                let before = dump(&conn);
                let broken = format!("{}; SELECT no_such_function();", &step[..cut]);
                let mut cut_short = steps(at);
                cut_short.push(&broken);
                let found = version(&conn);
                run_steps(&mut conn, found, &options(), &cut_short).unwrap_err();
                assert_eq!(dump(&conn), before);
                run_steps(&mut conn, found, &options(), &steps(2)).unwrap();
                let mut straight = Connection::open_in_memory().unwrap();
                run_steps(&mut straight, Found::Empty, &options(), &steps(2)).unwrap();
                assert_eq!(dump(&conn), dump(&straight));
            }
        }
    }
}
