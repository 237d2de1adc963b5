//! The loops tested on themselves: a row and its op, written with plain SQLite, right or with one planted bug.

use rusqlite::Connection;
use turnstone_vfs::{DiskImage, Mount};

use crate::dump;
use crate::scenario::{Failure, Scenario, Session};

const PATH: &str = "/bare.db";
const ACTIONS: usize = 6;

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// Nothing.
    Nothing,
    /// `Durability::Process`: nothing wrong either, but the newest may go with the power.
    ProcessOnly,
    /// It promises power loss safety with `synchronous=NORMAL`.
    NormalForPower,
    /// `synchronous=OFF`.
    SyncOff,
    /// Row and op are two transactions.
    TwoTransactions,
    /// A repeated action is done again.
    NotIdempotent,
    /// The change to WAL is not stepped to its end, so an error in it goes unseen.
    WalUnseen,
    /// After an error the handle refuses for ever.
    Wedged,
}

/// The workload.
#[derive(Debug, Clone, Copy)]
pub struct Bare(pub Planted);

impl Scenario for Bare {
    fn name(&self) -> &'static str {
        "bare"
    }

    fn start(&self) -> Result<Vec<DiskImage>, Failure> {
        Ok(vec![DiskImage::new()])
    }

    fn durable(&self) -> bool {
        self.0 != Planted::ProcessOnly
    }

    fn actions(&self) -> usize {
        ACTIONS
    }

    fn open<'a>(&self, machines: &'a [Mount]) -> Result<Box<dyn Session + 'a>, Failure> {
        let mount = machines.first().ok_or_else(|| Failure::unexpected("no machine"))?;
        let db = dump::open(mount, PATH)?;
        let synchronous = match self.0 {
            Planted::NormalForPower | Planted::ProcessOnly => "NORMAL",
            Planted::SyncOff => "OFF",
            _ => "FULL",
        };
        db.execute_batch(&format!("PRAGMA synchronous={synchronous}; PRAGMA wal_autocheckpoint=10"))?;
        let mut wal = db.prepare("PRAGMA journal_mode=WAL")?;
        let mut rows = wal.query([])?;
        while rows.next()?.is_some() && self.0 != Planted::WalUnseen {}
        drop(rows);
        drop(wal);
        db.execute_batch(
            "BEGIN IMMEDIATE;
             CREATE TABLE IF NOT EXISTS notes(id INTEGER PRIMARY KEY, body TEXT);
             CREATE TABLE IF NOT EXISTS ops(op INTEGER PRIMARY KEY, row INTEGER);
             COMMIT",
        )
        .inspect_err(|_| drop(db.execute_batch("ROLLBACK")))?;
        Ok(Box::new(Open { db, planted: self.0, wedged: false }))
    }

    fn dump(&self, victim: &Mount) -> Result<String, Failure> {
        dump::dump(victim, PATH, &[])
    }
}

struct Open {
    db: Connection,
    planted: Planted,
    wedged: bool,
}

impl Open {
    fn write(&self, i: i64) -> Result<(), Failure> {
        let done: i64 = self.db.query_row("SELECT count(*) FROM ops WHERE op = ?1", [i], |row| row.get(0))?;
        if done > 0 && self.planted != Planted::NotIdempotent {
            return Ok(());
        }
        let body = "words ".repeat(100 + 300 * (i as usize % 3));
        self.db.execute("INSERT INTO notes(body) VALUES (?1)", [body])?;
        if self.planted == Planted::TwoTransactions {
            self.db.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
        }
        self.db.execute("INSERT OR REPLACE INTO ops VALUES (?1, last_insert_rowid())", [i])?;
        Ok(())
    }
}

impl Session for Open {
    fn act(&mut self, i: usize) -> Result<(), Failure> {
        if self.wedged {
            return Err(rusqlite::Error::InvalidQuery.into());
        }
        let begun = self.db.execute_batch("BEGIN IMMEDIATE").map_err(Failure::from);
        let done = begun.and_then(|()| self.write(i as i64)).and_then(|()| Ok(self.db.execute_batch("COMMIT")?));
        if done.is_err() && !self.db.is_autocommit() {
            self.db.execute_batch("ROLLBACK")?;
        }
        self.wedged = done.is_err() && self.planted == Planted::Wedged;
        done
    }

    fn see(&mut self) -> Result<String, Failure> {
        let sql = "SELECT (SELECT group_concat(id || ':' || body, '|') FROM notes) || '#' || (SELECT group_concat(op || ':' || row) FROM ops)";
        let seen: Option<String> = self.db.query_row(sql, [], |row| row.get(0))?;
        Ok(seen.unwrap_or_default())
    }
}
