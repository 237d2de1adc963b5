//! Opening: what is made, what grows, what is refused with a typed error and left untouched (I-44, I-45).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod storage;

use std::fs;
use std::path::Path;

use storage::{SCHEMA, bed, foreign, one, options, schema, text};
use turnstone::storage::Database;
use turnstone::{Error, Schema, Value};

fn refused(path: &Path) -> Error {
    Database::open(path, &schema(), &options()).map(drop).unwrap_err()
}

/// The schema with something added and the next version.
fn grown(add: &[(&str, &str)]) -> Schema {
    let mut text = SCHEMA.replace("version = 1", "version = 2");
    for (after, more) in add {
        assert!(text.contains(after));
        text = text.replace(after, &format!("{after}\n{more}"));
    }
    Schema::parse(&text).unwrap()
}

#[test]
fn a_new_database_has_an_identity_and_the_tables_of_the_schema() {
    let bed = bed();
    let (device, incarnation) = bed.db.identity().unwrap();
    assert_ne!(device.as_bytes(), incarnation.as_bytes());
    assert_eq!(
        one(&bed.db, "SELECT count(*) FROM pragma_table_list WHERE name IN ('notes', 'places', 'drafts') AND strict"),
        Value::Int(3)
    );
    assert_eq!(one(&bed.db, "SELECT count(*) FROM sqlite_schema WHERE name = 'notes_by_pinned'"), Value::Int(1));
    assert_eq!(one(&bed.db, "PRAGMA user_version"), Value::Int(1));
    assert_eq!(foreign(&bed.path()).query_row("PRAGMA journal_mode", [], |row| row.get(0)), Ok("wal".to_owned()));
    bed.check();
}

#[test]
fn the_same_entropy_gives_the_same_identity_and_another_gives_another() {
    let identity = |seed| {
        let mut options = options();
        options.entropy = turnstone::Entropy::seeded(seed);
        storage::bed_with(&schema(), options).db.identity().unwrap()
    };
    assert_eq!(identity(4), identity(4));
    assert_ne!(identity(4), identity(5));
}

#[test]
fn a_file_that_is_no_database_is_left_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    for content in ["hello", &"not a database at all ".repeat(500)] {
        fs::write(&path, content).unwrap();
        assert_eq!(refused(&path), Error::NotADatabase);
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing beside it");
    }
}

#[test]
fn a_database_of_somebody_else_is_left_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    foreign(&path).execute_batch("CREATE TABLE notes (id)").unwrap();
    let before = fs::read(&path).unwrap();
    assert_eq!(refused(&path), Error::ForeignDatabase);
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// I-44: an older app refuses what a newer one wrote, and touches nothing, also with a log that was left behind.
#[test]
fn a_newer_database_is_left_untouched() {
    let bed = bed();
    bed.db.write(|tx| tx.insert_with_id("notes", "a", [("title", "a")])).unwrap();
    let path = bed.path();
    bed.db.close().unwrap();
    foreign(&path).execute_batch("PRAGMA user_version = 99").unwrap();
    let before = fs::read(&path).unwrap();
    assert_eq!(refused(&path), Error::NewerDatabase { found: 99, known: 1 });
    assert_eq!(fs::read(&path).unwrap(), before);
    foreign(&path).execute_batch("PRAGMA user_version = 1").unwrap();
    let db = Database::open(&path, &schema(), &options()).unwrap();
    assert!(db.get("notes", "a").unwrap().is_some());
}

/// I-51: a name of bytes that are no text is damage, said once and at the beginning.
#[test]
fn a_definition_that_is_no_text_is_damage() {
    let bed = bed();
    let path = bed.path();
    bed.db.close().unwrap();
    let change = "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = \
                  CAST(replace(sql, 'title', CAST(x'74ff' AS TEXT)) AS TEXT) WHERE name = 'notes'";
    foreign(&path).execute_batch(change).unwrap();
    assert_eq!(refused(&path), Error::Corrupt);
}

#[test]
fn wrong_paths_have_typed_errors() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(refused(&folder.path().join("no/such/t.db")), Error::FolderMissing);
    fs::write(folder.path().join("file"), "x").unwrap();
    assert_eq!(refused(&folder.path().join("file/t.db")), Error::FolderMissing);
    assert_eq!(refused(folder.path()), Error::CannotOpen);
    let path = folder.path().join("t.db");
    drop(Database::open(&path, &schema(), &options()).unwrap());
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    assert_eq!(refused(&path), Error::ReadOnly);
}

/// Root may write everywhere but in the kernel's own folders.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_has_a_typed_error() {
    let folder = Path::new("/sys/kernel");
    if folder.is_dir() {
        assert_eq!(refused(&folder.join("t.db")), Error::ReadOnly);
    }
}

#[test]
fn a_second_opener_is_told_so_and_the_first_goes_on() {
    let bed = bed();
    assert_eq!(refused(&bed.path()), Error::AlreadyOpen);
    bed.db.write(|tx| tx.insert("notes", [("title", "a")])).unwrap();
    let (path, folder) = (bed.path(), bed.folder);
    bed.db.close().unwrap();
    let second = Database::open(&path, &schema(), &options()).unwrap();
    assert_eq!(refused(&path), Error::AlreadyOpen);
    drop(second);
    drop(Database::open(&path, &schema(), &options()).unwrap());
    drop(folder);
}

#[test]
fn a_closed_handle_says_so() {
    let bed = bed();
    let other = bed.db.clone();
    bed.db.close().unwrap();
    assert_eq!(other.write(|tx| tx.insert("notes", [("title", "a")])).unwrap_err(), Error::Closed);
    assert_eq!(other.query("SELECT 1", &[]).unwrap_err(), Error::Closed);
    assert_eq!(other.close().unwrap_err(), Error::Closed);
}

/// Somebody whom the lock did not stop took the database over: the fencing token says so.
#[test]
fn a_stolen_lease_is_noticed_before_anything_is_written() {
    let bed = bed();
    bed.db.write(|tx| tx.insert("notes", [("title", "a")])).unwrap();
    foreign(&bed.path())
        .execute("INSERT INTO _ts_sessions (opened_wall, boot, schema) VALUES (1, x'00', 1)", [])
        .unwrap();
    assert_eq!(bed.db.write(|tx| tx.insert("notes", [("title", "b")])).unwrap_err(), Error::LeaseLost);
    assert_eq!(one(&bed.db, "SELECT count(*) FROM notes"), Value::Int(1));
    assert_eq!(bed.db.write(|tx| tx.insert("notes", [("title", "b")])).unwrap_err(), Error::LeaseLost);
}

#[test]
fn new_tables_fields_and_indexes_appear_and_rows_and_ops_stay() {
    let bed = bed();
    bed.db.write(|tx| tx.insert_with_id("notes", "a", [("title", "one")])).unwrap();
    bed.db.write(|tx| tx.insert_with_id("drafts", "d", [("text", "one")])).unwrap();
    let (path, folder) = (bed.path(), bed.folder);
    bed.db.close().unwrap();
    let more = "color = { type = \"text\", default = \"it's red\" }\ncount = { type = \"integer\", default = 3, merge = \"counter\" }";
    let schema2 = grown(&[
        ("tags = { type = \"json\", default = \"[]\" }", more),
        (
            "note = { type = \"text\", nullable = true }",
            "[tables.lists.fields]\nname = { type = \"text\" }\n[[tables.lists.indexes]]\nname = \"lists_by_name\"\nfields = [\"name\"]",
        ),
    ]);
    let db = Database::open(&path, &schema2, &options()).unwrap();
    let row = db.get("notes", "a").unwrap().unwrap();
    assert_eq!((row.text("title"), row.text("color"), row.int("count")), (Some("one"), Some("it's red"), Some(3)));
    assert_eq!(storage::ops(&db).len(), 1);
    db.write(|tx| {
        tx.insert_with_id("lists", "l", [("name", "n")])?;
        tx.update("notes", "a", [("color", "blue")])?;
        tx.execute("UPDATE notes SET count = count + 1", &[])
    })
    .unwrap();
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
    let error = foreign(&path).execute("UPDATE notes SET color = 'x'", []).unwrap_err().to_string();
    assert!(error.contains("turnstone_only"), "a new column is guarded too: {error}");
    db.close().unwrap();
    let error = Database::open(&path, &schema(), &options()).map(drop).unwrap_err();
    assert_eq!(error.code(), "schema_contradicts", "the older app refuses, the data is untouched: {error}");
    assert!(Database::open(&path, &schema2, &options()).is_ok());
    drop(folder);
}

#[test]
fn a_change_that_is_no_addition_is_refused() {
    let bed = bed();
    let (path, folder) = (bed.path(), bed.folder);
    bed.db.close().unwrap();
    let before = fs::read(&path).unwrap();
    for (from, to) in [
        ("best = { type = \"integer\", default = 0, merge = \"max\" }", "best = { type = \"text\", default = \"\" }"),
        ("best = { type = \"integer\", default = 0, merge = \"max\" }", ""),
        ("local_only = true", ""),
        ("merge = \"lww\"", ""),
    ] {
        let schema2 = Schema::parse(&SCHEMA.replace("version = 1", "version = 2").replace(from, to)).unwrap();
        let error = Database::open(&path, &schema2, &options()).map(drop).unwrap_err();
        assert_eq!(error.code(), "schema_contradicts", "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
    drop(folder);
}

#[test]
fn tables_that_are_not_what_the_schema_says_are_refused() {
    for damage in [
        "DROP TABLE drafts",
        "ALTER TABLE drafts ADD COLUMN mine TEXT",
        "ALTER TABLE drafts RENAME COLUMN text TO words",
        "DROP TABLE drafts; CREATE TABLE drafts (id TEXT NOT NULL PRIMARY KEY, text INTEGER NOT NULL, note TEXT) STRICT",
    ] {
        let bed = bed();
        let (path, folder) = (bed.path(), bed.folder);
        bed.db.close().unwrap();
        foreign(&path).execute_batch(damage).unwrap();
        assert_eq!(refused(&path).code(), "schema_contradicts", "{damage}");
        drop(folder);
    }
}

/// E17: what an older app kept in `_extra` becomes a column once the app knows the field; a value that does not
/// fit stays where it is. The same for rows of a table it did not know.
#[test]
fn what_was_kept_for_later_becomes_columns_and_rows() {
    let bed = bed();
    bed.db.write(|tx| tx.insert_with_id("notes", "a", [("title", "one")])).unwrap();
    bed.db.write(|tx| tx.insert_with_id("notes", "b", [("title", "two")])).unwrap();
    let (path, folder) = (bed.path(), bed.folder);
    bed.db.close().unwrap();
    let conn = foreign(&path);
    // As the sync core would have written it.
    turnstone_guard(&conn);
    conn.execute_batch(
        "UPDATE notes SET _p = NULL, _v = 5; DELETE FROM _ts_ops;
         UPDATE notes SET _extra = '{\"color\":\"red\",\"other\":7}' WHERE id = 'a';
         UPDATE notes SET _extra = '{\"color\":5}' WHERE id = 'b';
         INSERT INTO _ts_unknown (tbl, row_id, v, image) VALUES ('lists', 'l', 9, '{\"name\":\"n\",\"later\":true}');",
    )
    .unwrap();
    drop(conn);
    let schema2 = grown(&[
        ("tags = { type = \"json\", default = \"[]\" }", "color = { type = \"text\", default = \"\" }"),
        ("note = { type = \"text\", nullable = true }", "[tables.lists.fields]\nname = { type = \"text\" }"),
    ]);
    let db = Database::open(&path, &schema2, &options()).unwrap();
    assert_eq!(one(&db, "SELECT color || _extra FROM notes WHERE id = 'a'"), text("red{\"other\":7}"));
    assert_eq!(one(&db, "SELECT color || _extra FROM notes WHERE id = 'b'"), text("{\"color\":5}"));
    assert_eq!(one(&db, "SELECT name || _v || _extra FROM lists WHERE id = 'l'"), text("n9{\"later\":true}"));
    assert_eq!(one(&db, "SELECT count(*) FROM _ts_unknown"), Value::Int(0));
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
    drop(folder);
}

fn turnstone_guard(conn: &rusqlite::Connection) {
    use rusqlite::functions::FunctionFlags;
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    conn.create_scalar_function("write_this_table_through_turnstone_only", 0, flags, |_| Ok(1)).unwrap();
}

#[test]
fn policies_that_are_not_built_are_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    let text = SCHEMA.replace(
        "title = { type = \"text\", default = \"\" }",
        "title = { type = \"text\", default = \"\", merge = \"text\" }",
    );
    let error = Database::open(&path, &Schema::parse(&text).unwrap(), &options()).map(drop).unwrap_err();
    assert_eq!(error.code(), "schema");
    assert!(!path.exists());
}

#[test]
fn the_sqlite_inside_is_one_whose_log_resets_safely() {
    // I-53: up to 3.51.2 two connections that reset the write-ahead log at once could damage the file.
    let bed = bed();
    let Value::Text(version) = one(&bed.db, "SELECT sqlite_version()") else { panic!("a version is a text") };
    let numbers: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(numbers >= vec![3, 51, 3], "{version}");
}
