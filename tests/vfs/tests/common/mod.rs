//! A small workload whose every prefix is known, so that a test can say which one a disk holds.
#![allow(dead_code, unreachable_pub)]

use rusqlite::{Connection, OpenFlags};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use turnstone_vfs::Mount;

pub const PATH: &str = "/app.db";
pub const TRANSACTIONS: usize = 12;

/// How SQLite is set up.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    pub journal: &'static str,
    pub synchronous: &'static str,
}

pub const WAL_FULL: Mode = Mode { journal: "WAL", synchronous: "FULL" };
pub const WAL_NORMAL: Mode = Mode { journal: "WAL", synchronous: "NORMAL" };
pub const WAL_OFF: Mode = Mode { journal: "WAL", synchronous: "OFF" };
pub const DELETE_EXTRA: Mode = Mode { journal: "DELETE", synchronous: "EXTRA" };
pub const DELETE_FULL: Mode = Mode { journal: "DELETE", synchronous: "FULL" };
pub const DELETE_OFF: Mode = Mode { journal: "DELETE", synchronous: "OFF" };

pub fn open(mount: &Mount) -> rusqlite::Result<Connection> {
    Connection::open_with_flags_and_vfs(PATH, OpenFlags::default(), mount.name())
}

pub fn open_as(mount: &Mount, mode: Mode) -> rusqlite::Result<Connection> {
    let db = open(mount)?;
    // Few pages per checkpoint and a small cache: many different steps in a short run.
    db.execute_batch(&format!(
        "PRAGMA synchronous={}; PRAGMA wal_autocheckpoint=20; PRAGMA cache_size=8;",
        mode.synchronous
    ))?;
    // Stepped to its end: the change is committed there, and query_row would hide that it failed.
    let mut statement = db.prepare(&format!("PRAGMA journal_mode={}", mode.journal))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    drop(rows);
    drop(statement);
    Ok(db)
}

pub fn create(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch("CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT NOT NULL, seen INTEGER NOT NULL) STRICT")
}

/// Transaction `i` (from 1): every one changes several pages.
pub fn transaction(db: &mut Connection, i: usize) -> rusqlite::Result<()> {
    let tx = db.transaction()?;
    for part in 0..6 {
        let body = format!("{i}-{part}-").repeat(40 + 37 * ((i + part) % 5));
        let sql = "INSERT INTO t VALUES (?1, ?2, ?3)";
        tx.execute(sql, ((i * 10 + part) as i64, body, i as i64))?;
    }
    tx.execute("UPDATE t SET seen = ?1 WHERE id % 3 = ?1 % 3", [i as i64])?;
    tx.execute("DELETE FROM t WHERE id < ?1", [(i as i64 - 6) * 10])?;
    tx.commit()
}

/// Everything in the table, as one text; `None` if there is no table.
pub fn contents(db: &Connection) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 't'";
    if db.query_row(sql, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(None);
    }
    let sql = "SELECT group_concat(id || ':' || seen || ':' || body, '|') FROM (SELECT * FROM t ORDER BY id)";
    let all: Option<String> = db.query_row(sql, [], |row| row.get(0))?;
    Ok(Some(all.unwrap_or_default()))
}

/// The contents after 0, 1, 2 … transactions.
pub fn prefixes() -> Vec<String> {
    let mut db = Connection::open_in_memory().unwrap();
    create(&db).unwrap();
    let mut all = vec![contents(&db).unwrap().unwrap()];
    for i in 1..=TRANSACTIONS {
        transaction(&mut db, i).unwrap();
        all.push(contents(&db).unwrap().unwrap());
    }
    all
}

/// What a disk was found to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Not even the table.
    Nothing,
    /// Exactly the first so many transactions.
    Prefix(usize),
    /// Something that no prefix explains, or a damaged database.
    Broken,
}

pub fn examine(mount: &Mount, prefixes: &[String]) -> Found {
    let found = open(mount).and_then(|db| {
        let sound: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        Ok((sound == "ok", contents(&db)?))
    });
    match found {
        Ok((true, None)) => Found::Nothing,
        Ok((true, Some(text))) => match prefixes.iter().position(|p| *p == text) {
            Some(n) => Found::Prefix(n),
            None => Found::Broken,
        },
        _ => Found::Broken,
    }
}

/// How far the workload has come, for a watcher on another thread of control: 0 nothing, 1 the table
/// is acknowledged, 1 + n transaction n is.
pub type Acked = Arc<AtomicUsize>;

/// Runs everything, noting each acknowledgement.
pub fn run(mount: &Mount, mode: Mode, acked: &Acked) -> rusqlite::Result<()> {
    let mut db = open_as(mount, mode)?;
    create(&db)?;
    acked.store(1, Ordering::SeqCst);
    for i in 1..=TRANSACTIONS {
        transaction(&mut db, i)?;
        acked.store(1 + i, Ordering::SeqCst);
    }
    Ok(())
}
