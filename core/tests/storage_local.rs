//! SQL of the app's own: full-text tables, views and triggers, checked at open (rule 22).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod storage;

use storage::{bed_with, one, options, schema, text};
use turnstone::storage::{Database, OpenOptions};
use turnstone::{Error, Value};

fn with(statements: &[&str]) -> OpenOptions {
    let mut options = options();
    options.local_sql = statements.iter().map(|sql| (*sql).to_owned()).collect();
    options
}

fn refused(statements: &[&str]) -> Error {
    let folder = tempfile::tempdir().unwrap();
    Database::open(&folder.path().join("t.db"), &schema(), &with(statements)).map(drop).unwrap_err()
}

const FTS: &[&str] = &[
    "CREATE VIRTUAL TABLE IF NOT EXISTS notes_text USING fts5 (title, body, id UNINDEXED)",
    "CREATE TRIGGER IF NOT EXISTS notes_text_i AFTER INSERT ON notes BEGIN
       INSERT INTO notes_text (title, body, id) VALUES (NEW.title, NEW.body, NEW.id); END",
    "CREATE TRIGGER IF NOT EXISTS notes_text_u AFTER UPDATE OF title, body ON notes BEGIN
       UPDATE notes_text SET title = NEW.title, body = NEW.body WHERE id = OLD.id; END",
    "CREATE TRIGGER IF NOT EXISTS notes_text_d AFTER DELETE ON notes BEGIN
       DELETE FROM notes_text WHERE id = OLD.id; END",
    "CREATE TRIGGER IF NOT EXISTS notes_log AFTER UPDATE ON notes BEGIN
       INSERT INTO drafts (id, text) VALUES (hex(randomblob(8)), OLD.title); END",
    "CREATE VIEW IF NOT EXISTS pinned AS SELECT id, title FROM notes WHERE pinned",
];

fn found(db: &Database, word: &str) -> i64 {
    match db.query("SELECT count(*) FROM notes_text WHERE notes_text MATCH ?1", &[text(word)]).unwrap().rows[0][0] {
        Value::Int(n) => n,
        _ => panic!("not a number"),
    }
}

#[test]
fn full_text_search_follows_writes_by_api_and_by_sql() {
    let bed = bed_with(&schema(), with(FTS));
    bed.db.write(|tx| tx.insert_with_id("notes", "a", [("title", "apples"), ("body", "and pears")])).unwrap();
    assert_eq!((found(&bed.db, "apples"), found(&bed.db, "pears")), (1, 1));
    bed.db.execute("UPDATE notes SET body = 'and plums'", &[]).unwrap();
    assert_eq!((found(&bed.db, "pears"), found(&bed.db, "plums")), (0, 1));
    bed.db.write(|tx| tx.update("notes", "a", [("title", "cherries")])).unwrap();
    assert_eq!((found(&bed.db, "apples"), found(&bed.db, "cherries")), (0, 1));
    bed.db.execute("REPLACE INTO notes (id, title) VALUES ('a', 'figs')", &[]).unwrap();
    assert_eq!((found(&bed.db, "cherries"), found(&bed.db, "figs")), (0, 1));
    assert_eq!(one(&bed.db, "SELECT count(*) > 0 FROM drafts"), Value::Int(1));
    bed.db.write(|tx| tx.delete("notes", "a")).unwrap();
    assert_eq!(found(&bed.db, "figs"), 0);
    assert_eq!(bed.counts(), (5, 5), "what triggers write on the side is no op");
    bed.check();
    let path = bed.path();
    bed.db.close().unwrap();
    let db = Database::open(&path, &schema(), &with(FTS)).unwrap();
    db.write(|tx| tx.insert("notes", [("title", "dates")])).unwrap();
    assert_eq!(found(&db, "dates"), 1);
}

#[test]
fn full_text_search_can_be_written_inside_a_transaction() {
    let bed = bed_with(&schema(), with(FTS));
    bed.db.write(|tx| tx.execute("INSERT INTO notes_text (notes_text) VALUES ('optimize')", &[])).unwrap();
    bed.db.write(|tx| tx.execute("INSERT INTO notes_text (notes_text) VALUES ('integrity-check')", &[])).unwrap();
}

/// Writes through a view are writes of what is below it.
#[test]
fn instead_of_triggers_on_views_are_captured() {
    let bed = bed_with(
        &schema(),
        with(&[
            "CREATE VIEW titles AS SELECT id, title FROM notes",
            "CREATE TRIGGER titles_u INSTEAD OF UPDATE ON titles BEGIN UPDATE notes SET title = NEW.title WHERE id = OLD.id; END",
        ]),
    );
    bed.db.write(|tx| tx.insert_with_id("notes", "a", [("title", "one")])).unwrap();
    bed.db.execute("UPDATE titles SET title = 'two'", &[]).unwrap();
    assert!(bed.last().set.get("title") == Some(&text("two")));
    bed.check();
}

#[test]
fn triggers_that_write_what_syncs_are_refused() {
    for trigger in [
        "CREATE TRIGGER t AFTER UPDATE ON notes BEGIN UPDATE notes SET at = 1 WHERE id = OLD.id; END",
        "CREATE TRIGGER t AFTER UPDATE OF best ON notes BEGIN DELETE FROM notes; END",
        "CREATE TRIGGER t BEFORE DELETE ON notes BEGIN INSERT INTO places (id, name) VALUES ('x', 'y'); END",
        "CREATE TRIGGER t AFTER INSERT ON notes WHEN NEW.pinned BEGIN INSERT INTO places (id, name) VALUES ('x', 'y'); END",
        "CREATE TRIGGER t AFTER INSERT ON drafts BEGIN UPDATE notes SET title = 'x'; END",
    ] {
        assert_eq!(refused(&[trigger]).code(), "schema_contradicts", "{trigger}");
    }
    let chain = [
        "CREATE TRIGGER t AFTER INSERT ON notes BEGIN INSERT INTO drafts (id) VALUES ('x'); END",
        "CREATE TRIGGER u AFTER INSERT ON drafts BEGIN UPDATE notes SET title = 'x'; END",
    ];
    assert_eq!(refused(&chain).code(), "schema_contradicts", "also by way of another table");
    assert_eq!(
        refused(&["CREATE TRIGGER t AFTER INSERT ON notes BEGIN DELETE FROM _ts_ops; END"]).code(),
        "sql_refused"
    );
}

#[test]
fn local_sql_cannot_touch_what_is_declared_or_ours() {
    for statement in [
        "CREATE TABLE notes (id)",
        "DROP TABLE notes",
        "DROP TRIGGER _ts_guard_notes",
        "CREATE TABLE _ts_mine (x)",
        "CREATE TRIGGER _ts_t AFTER INSERT ON notes BEGIN SELECT 1; END",
        "CREATE INDEX i ON notes (title)",
        "ALTER TABLE notes ADD COLUMN x",
        "PRAGMA user_version = 9",
        "ATTACH 'x' AS x",
        "COMMIT",
        "DELETE FROM _ts_meta",
        "CREATE TEMP TABLE x (y)",
    ] {
        let error = refused(&[statement]);
        assert!(matches!(error, Error::SqlRefused { .. }), "{statement}: {error:?}");
    }
    assert_eq!(refused(&["CREATE GARBAGE"]).code(), "sql");
}

#[test]
fn tables_of_the_apps_own_are_written_without_ops() {
    let bed = bed_with(&schema(), with(&["CREATE TABLE IF NOT EXISTS cache (k TEXT PRIMARY KEY, v)"]));
    bed.db.execute("INSERT INTO cache VALUES ('a', 1)", &[]).unwrap();
    bed.db.execute("INSERT OR REPLACE INTO cache VALUES ('a', 2)", &[]).unwrap();
    assert_eq!(one(&bed.db, "SELECT v FROM cache"), Value::Int(2));
    assert_eq!(bed.counts(), (0, 0));
}
