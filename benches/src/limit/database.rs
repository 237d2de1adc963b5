//! Notes in plain rusqlite: prepared statements, WAL, the same `synchronous` as Turnstone, a plain log of ops.

use std::path::Path;

use rusqlite::{CachedStatement, Connection, params};

use crate::Result;
use crate::notes::Note;

/// What survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// `synchronous = FULL`: also power loss.
    Power,
    /// `synchronous = NORMAL`: any end of the process.
    Process,
}

/// A connection that writes notes and a log.
pub(crate) struct Database {
    pub(crate) connection: Connection,
}

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS notes(
  id TEXT NOT NULL PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL, updated_at INTEGER NOT NULL,
  pinned INTEGER NOT NULL, tag TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS notes_by_pinned ON notes(pinned, updated_at);
CREATE TABLE IF NOT EXISTS log(n INTEGER PRIMARY KEY, op TEXT NOT NULL) STRICT;
";

const INSERT: &str = "INSERT INTO notes(id, title, body, updated_at, pinned, tag) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

impl Database {
    /// Opens or makes a database.
    pub(crate) fn open(path: &Path, durability: Durability) -> Result<Self> {
        let database = Self::open_existing(path, durability)?;
        database.connection.execute_batch(TABLES)?;
        Ok(database)
    }

    /// Opens a database that has its tables.
    pub(crate) fn open_existing(path: &Path, durability: Durability) -> Result<Self> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let synchronous = match durability {
            Durability::Power => "FULL",
            Durability::Process => "NORMAL",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok(Self { connection })
    }

    pub(crate) fn sql(&self, sql: &str) -> Result<CachedStatement<'_>> {
        Ok(self.connection.prepare_cached(sql)?)
    }

    pub(crate) fn begin(&self) -> Result<()> {
        self.sql("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    pub(crate) fn commit(&self) -> Result<()> {
        self.sql("COMMIT")?.execute([])?;
        Ok(())
    }

    pub(crate) fn insert(&self, note: &Note) -> Result<()> {
        let Note { id, title, body, updated_at, pinned, tag } = note;
        self.sql(INSERT)?.execute(params![id, title, body, updated_at, pinned, tag])?;
        Ok(())
    }

    pub(crate) fn log(&self, op: &str) -> Result<()> {
        self.sql("INSERT INTO log(op) VALUES (?1)")?.execute([op])?;
        Ok(())
    }

    /// The row and its op, inside the caller's transaction.
    pub(crate) fn create(&self, note: &Note) -> Result<()> {
        self.insert(note)?;
        self.log(&create_op(note)?)
    }

    /// One field and its op, inside the caller's transaction.
    pub(crate) fn retitle(&self, id: &str, title: &str) -> Result<()> {
        self.sql("UPDATE notes SET title = ?2 WHERE id = ?1")?.execute([id, title])?;
        self.log(&serde_json::to_string(&UpdateOp { op: "update", table: "notes", id, title })?)
    }

    /// Notes without ops, many to a transaction.
    pub(crate) fn fill(&self, notes: &[Note]) -> Result<()> {
        for chunk in notes.chunks(10_000) {
            self.begin()?;
            chunk.iter().try_for_each(|note| self.insert(note))?;
            self.commit()?;
        }
        Ok(())
    }
}

#[derive(serde::Serialize)]
struct CreateOp<'a> {
    op: &'static str,
    table: &'static str,
    row: &'a Note,
}

#[derive(serde::Serialize)]
struct UpdateOp<'a> {
    op: &'static str,
    table: &'static str,
    id: &'a str,
    title: &'a str,
}

/// An op as a plain log keeps it: the row in JSON.
pub(crate) fn create_op(row: &Note) -> Result<String> {
    Ok(serde_json::to_string(&CreateOp { op: "create", table: "notes", row })?)
}

/// A note from a row of `SELECT id, title, body, updated_at, pinned, tag`.
pub(crate) fn note_from(row: &rusqlite::Row<'_>) -> rusqlite::Result<Note> {
    Ok(Note {
        id: row.get(0)?,
        title: row.get(1)?,
        body: row.get(2)?,
        updated_at: row.get(3)?,
        pinned: row.get(4)?,
        tag: row.get(5)?,
    })
}

/// Makes a row id as an app would.
#[expect(clippy::disallowed_methods, reason = "the limit makes ids as any app does, while it is being timed")]
pub(crate) fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
