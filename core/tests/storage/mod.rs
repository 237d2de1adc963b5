//! What the storage tests share: a schema with every kind of field and policy, and looks into the log.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use turnstone::storage::{Database, OpenOptions};
use turnstone::{Clock, Durability, Entropy, Schema, Value};
use turnstone_protocol::Op;

pub const SCHEMA: &str = r#"
name = "test"
version = 1

[tables.notes]
delete = "edit_wins"
[tables.notes.fields]
title = { type = "text", default = "" }
body = { type = "text", default = "" }
views = { type = "integer", default = 0, merge = "counter" }
best = { type = "integer", default = 0, merge = "max" }
pinned = { type = "boolean", default = false }
weight = { type = "real", nullable = true }
raw = { type = "bytes", nullable = true }
at = { type = "timestamp", default = 0 }
tags = { type = "json", default = "[]" }
[[tables.notes.indexes]]
name = "notes_by_pinned"
fields = ["pinned", "at"]

[tables.places]
merge = "lww"
[tables.places.fields]
name = { type = "text" }
lat = { type = "real", default = 0.0 }
lon = { type = "real", default = 0.0 }

[tables.drafts]
local_only = true
[tables.drafts.fields]
text = { type = "text", default = "" }
note = { type = "text", nullable = true }
"#;

pub fn schema() -> Schema {
    Schema::parse(SCHEMA).unwrap()
}

pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new(Clock::manual(1_700_000_000_000), Entropy::seeded(1));
    options.durability = Durability::Process;
    options
}

/// A database in a folder of its own.
pub struct Bed {
    pub db: Database,
    pub folder: TempDir,
    /// Its clones draw on: opening again with a fresh seed would mint the same ids again.
    pub options: OpenOptions,
}

pub fn bed() -> Bed {
    bed_with(&schema(), options())
}

pub fn bed_with(schema: &Schema, options: OpenOptions) -> Bed {
    let folder = tempfile::tempdir().unwrap();
    let db = Database::open(&folder.path().join("t.db"), schema, &options).unwrap();
    Bed { db, folder, options }
}

impl Bed {
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("t.db")
    }

    /// Every op of the log as (group, op), in order.
    pub fn ops(&self) -> Vec<(i64, Op)> {
        ops(&self.db)
    }

    /// The last op.
    pub fn last(&self) -> Op {
        self.ops().pop().unwrap().1
    }

    /// How many ops and groups there are.
    pub fn counts(&self) -> (usize, usize) {
        let ops = self.ops();
        let groups: std::collections::BTreeSet<i64> = ops.iter().map(|(grp, _)| *grp).collect();
        (ops.len(), groups.len())
    }

    /// All must be well (I-03).
    pub fn check(&self) {
        assert_eq!(self.db.check().unwrap(), Vec::<String>::new());
    }

    /// Closes and opens again.
    pub fn reopen(self) -> Self {
        let path = self.path();
        self.db.close().unwrap();
        let Self { db, folder, options } = self;
        drop(db);
        let db = Database::open(&path, &schema(), &options).unwrap();
        Self { db, folder, options }
    }
}

pub fn ops(db: &Database) -> Vec<(i64, Op)> {
    let rows = db.query("SELECT grp, body FROM _ts_ops ORDER BY op", &[]).unwrap();
    rows.rows
        .into_iter()
        .map(|row| match &row[..] {
            [Value::Int(grp), Value::Text(body)] => {
                let op: Op = serde_json::from_str(body).unwrap();
                let mut text = String::new();
                turnstone_protocol::canonical::write_op(&mut text, &op);
                assert_eq!(text, *body, "bodies are canonical from the start");
                (*grp, op)
            }
            _ => panic!("another shape"),
        })
        .collect()
}

/// One value of one row.
pub fn one(db: &Database, sql: &str) -> Value {
    let rows = db.query(sql, &[]).unwrap();
    assert_eq!(rows.rows.len(), 1, "{sql}");
    rows.rows[0][0].clone()
}

/// A plain SQLite connection of somebody else.
pub fn foreign(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

pub fn text(value: &str) -> Value {
    Value::from(value)
}
