//! Writes by plain SQL: captured as ops by comparing, refused where they would go around capture (rules 21 to 23).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod storage;

use storage::{Bed, bed, foreign, one, text};
use turnstone::{Error, Value};
use turnstone_protocol::{Op, OpKind};

/// Two notes, `a` and `b`, already in the log.
fn two() -> Bed {
    let bed = bed();
    bed.db
        .write(|tx| {
            tx.insert_with_id("notes", "a", [("title", "one"), ("body", "x")])?;
            tx.insert_with_id("notes", "b", [("title", "two"), ("body", "y")])
        })
        .unwrap();
    bed
}

/// The ops since the two creates.
fn since(bed: &Bed) -> Vec<Op> {
    bed.check();
    bed.ops().into_iter().skip(2).map(|(_, op)| op).collect()
}

fn sql(bed: &Bed, sql: &str) -> Result<usize, Error> {
    bed.db.execute(sql, &[])
}

#[test]
fn an_update_becomes_one_op_a_row_with_the_fields_that_changed() {
    let bed = two();
    assert_eq!(sql(&bed, "UPDATE notes SET title = title || '!', body = 'x', views = views + 2").unwrap(), 2);
    let ops = since(&bed);
    assert_eq!(ops.len(), 2);
    assert_eq!((ops[0].kind, ops[0].id.as_str()), (OpKind::Update, "a"));
    assert!(ops[0].set.get("title") == Some(&text("one!")), "counter -> amount, unchanged body left out");
    assert_eq!(ops[0].set.keys().collect::<Vec<_>>(), ["title"]);
    assert_eq!(ops[0].inc.get("views"), Some(&2));
    assert!(ops[0].was.get("title") == Some(&text("one")));
    assert_eq!(ops[1].set.keys().collect::<Vec<_>>(), ["body", "title"]);
    assert_eq!(bed.counts().1, 2, "one statement, one group");
}

#[test]
fn an_insert_becomes_a_create_without_the_defaults() {
    let bed = two();
    let params = [text("c"), text("three")];
    bed.db.execute("INSERT INTO notes (id, title, pinned) VALUES (?1, ?2, 0)", &params).unwrap();
    let ops = since(&bed);
    assert_eq!(ops[0].kind, OpKind::Create);
    assert_eq!(ops[0].set.keys().collect::<Vec<_>>(), ["title"]);
    assert_eq!(one(&bed.db, "SELECT _p FROM notes WHERE id = 'c'"), Value::Int(3));
}

#[test]
fn a_delete_becomes_a_delete_also_of_all_rows() {
    let bed = two();
    assert_eq!(sql(&bed, "DELETE FROM notes").unwrap(), 2);
    let ops = since(&bed);
    assert_eq!(ops.iter().map(|op| op.kind).collect::<Vec<_>>(), [OpKind::Delete; 2]);
    assert_eq!(one(&bed.db, "SELECT count(*) FROM _ts_absent"), Value::Int(2));
}

#[test]
fn writing_the_same_value_makes_no_op() {
    let bed = two();
    assert_eq!(sql(&bed, "UPDATE notes SET title = title, views = views + 0").unwrap(), 2);
    assert_eq!(since(&bed), []);
    assert_eq!(bed.counts().1, 1, "and no group");
}

#[test]
fn there_and_back_again_makes_no_op() {
    let bed = two();
    bed.db
        .write(|tx| {
            tx.execute("UPDATE notes SET title = 'three' WHERE id = 'a'", &[])?;
            tx.execute("INSERT INTO notes (id) VALUES ('c')", &[])?;
            tx.execute("DELETE FROM notes WHERE id = 'c'", &[])?;
            tx.execute("UPDATE notes SET title = 'one' WHERE id = 'a'", &[])
        })
        .unwrap();
    assert_eq!(since(&bed), []);
}

#[test]
fn an_upsert_is_an_update_of_what_is_there_and_a_create_of_what_is_not() {
    let bed = two();
    let upsert = "INSERT INTO notes (id, title) VALUES ('a', 'new'), ('c', 'new') \
                  ON CONFLICT (id) DO UPDATE SET title = excluded.title, views = views + 1";
    sql(&bed, upsert).unwrap();
    let ops = since(&bed);
    assert_eq!(ops.iter().map(|op| op.kind).collect::<Vec<_>>(), [OpKind::Update, OpKind::Create]);
    assert_eq!(ops[0].inc.get("views"), Some(&1));
    sql(&bed, "INSERT INTO notes (id) VALUES ('a') ON CONFLICT DO NOTHING").unwrap();
    sql(&bed, "INSERT OR IGNORE INTO notes (id) VALUES ('a')").unwrap();
    assert_eq!(since(&bed).len(), 2);
}

/// REPLACE removes and inserts; to the row's history it is an update, and the row keeps its place in its chain.
#[test]
fn a_replace_is_an_update() {
    let bed = two();
    sql(&bed, "REPLACE INTO notes (id, title) VALUES ('a', 'new')").unwrap();
    let ops = since(&bed);
    assert_eq!(ops.len(), 1);
    assert_eq!(ops[0].kind, OpKind::Update);
    assert_eq!(ops[0].set.keys().collect::<Vec<_>>(), ["body", "title"]);
    assert!(ops[0].set.get("body") == Some(&text("")), "what REPLACE leaves out falls back to its default");
    sql(&bed, "INSERT OR REPLACE INTO notes (id, title) VALUES ('a', 'new')").unwrap();
    assert_eq!(since(&bed).len(), 1, "nothing changed the second time, and the hidden columns are back");
}

#[test]
fn delete_and_insert_of_one_id_in_one_transaction_is_an_update() {
    let bed = two();
    bed.db
        .write(|tx| {
            tx.execute("DELETE FROM notes WHERE id = 'a'", &[])?;
            tx.execute("INSERT INTO notes (id, title) VALUES ('a', 'one')", &[])
        })
        .unwrap();
    let ops = since(&bed);
    assert_eq!((ops.len(), ops[0].kind), (1, OpKind::Update));
    assert_eq!(ops[0].set.keys().collect::<Vec<_>>(), ["body"]);
}

#[test]
fn returning_is_captured_when_its_rows_are_read() {
    let bed = two();
    let rows = bed.db.write(|tx| tx.query("UPDATE notes SET title = 'r' RETURNING id, title", &[])).unwrap();
    assert_eq!(rows.columns, ["id", "title"]);
    assert_eq!(rows.rows.len(), 2);
    assert_eq!(since(&bed).len(), 2);
    let changed = sql(&bed, "INSERT INTO notes (id) VALUES ('r1'), ('r2') RETURNING id").unwrap();
    assert_eq!((changed, since(&bed).len()), (2, 4));
    sql(&bed, "DELETE FROM notes WHERE id = 'r1' RETURNING id").unwrap();
    assert_eq!(since(&bed).len(), 5);
}

#[test]
fn a_rolled_back_savepoint_leaves_no_op() {
    let bed = two();
    bed.db
        .write(|tx| {
            tx.execute("UPDATE notes SET title = 'kept' WHERE id = 'a'", &[])?;
            tx.execute("SAVEPOINT s", &[])?;
            tx.execute("UPDATE notes SET title = 'lost'", &[])?;
            tx.insert_with_id("notes", "c", [("title", "lost")])?;
            tx.execute("UPDATE notes SET body = 'lost' WHERE id = 'a'", &[])?;
            tx.execute("ROLLBACK TO s", &[])?;
            tx.execute("UPDATE notes SET body = 'kept' WHERE id = 'b'", &[])?;
            tx.execute("RELEASE s", &[])
        })
        .unwrap();
    let ops = since(&bed);
    let seen: Vec<(&str, Vec<&String>)> = ops.iter().map(|op| (op.id.as_str(), op.set.keys().collect())).collect();
    assert_eq!(format!("{seen:?}"), r#"[("a", ["title"]), ("b", ["body"])]"#);
}

/// The statements are prepared once and kept: a second rollback must be noticed as well as the first.
#[test]
fn every_rollback_to_a_savepoint_is_noticed() {
    let bed = two();
    for _ in 0..3 {
        bed.db
            .write(|tx| {
                tx.execute("SAVEPOINT s", &[])?;
                tx.insert("notes", [("title", "lost")])?;
                tx.execute("ROLLBACK TO s", &[])?;
                tx.execute("RELEASE s", &[])?;
                tx.execute("UPDATE notes SET views = views + 1 WHERE id = 'a'", &[])
            })
            .unwrap();
    }
    assert_eq!(since(&bed).len(), 3);
}

/// The third row breaks the rule; SQLite undoes the whole statement, and so do we.
#[test]
fn a_failing_update_of_many_rows_leaves_no_op() {
    let bed = two();
    sql(&bed, "INSERT INTO notes (id, title) VALUES ('c', 'three')").unwrap();
    let failing = "UPDATE notes SET title = CASE id WHEN 'c' THEN NULL ELSE 'changed' END";
    bed.db
        .write(move |tx| {
            assert_eq!(tx.execute(failing, &[]).unwrap_err().code(), "sql");
            tx.execute("UPDATE notes SET body = 'after' WHERE id = 'a'", &[])
        })
        .unwrap();
    let ops = since(&bed);
    assert_eq!((ops.len(), ops[1].id.as_str()), (2, "a"));
    assert_eq!(one(&bed.db, "SELECT count(*) FROM notes WHERE title = 'changed'"), Value::Int(0));
}

/// OR FAIL keeps the rows before the one that broke the rule: they are changed, so they are ops.
#[test]
fn or_fail_keeps_what_it_did_and_so_do_we() {
    let bed = two();
    let failing = "UPDATE OR FAIL notes SET title = CASE id WHEN 'b' THEN NULL ELSE 'changed' END";
    bed.db
        .write(move |tx| {
            assert!(tx.execute(failing, &[]).is_err());
            Ok(())
        })
        .unwrap();
    assert_eq!(since(&bed).len(), 1);
}

/// OR ROLLBACK would end the transaction under us, and the next statement would commit by itself.
#[test]
fn or_rollback_undoes_the_whole_transaction() {
    let bed = two();
    let error = bed
        .db
        .write(|tx| {
            tx.insert_with_id("notes", "c", [("title", "three")])?;
            assert!(tx.execute("UPDATE OR ROLLBACK notes SET title = NULL", &[]).is_err());
            assert_eq!(tx.insert("notes", [("title", "lost")]).unwrap_err(), Error::Lost);
            assert_eq!(tx.execute("DELETE FROM notes", &[]).unwrap_err(), Error::Lost);
            Ok(())
        })
        .unwrap_err();
    assert_eq!(error, Error::Lost);
    assert_eq!(since(&bed), []);
    sql(&bed, "UPDATE notes SET title = 'works' WHERE id = 'a'").unwrap();
    assert_eq!(since(&bed).len(), 1);
}

#[test]
fn a_changed_id_is_refused_and_an_equal_one_is_not() {
    let bed = two();
    let error = sql(&bed, "UPDATE notes SET id = 'c' WHERE id = 'a'").unwrap_err();
    assert_eq!(error.code(), "sql_refused");
    assert_eq!(sql(&bed, "UPDATE notes SET id = id, title = 't' WHERE id = 'a'").unwrap(), 1);
    assert_eq!(since(&bed).len(), 1);
    assert_eq!(sql(&bed, "UPDATE notes SET rowid = 77 WHERE id = 'a'").unwrap_err().code(), "sql_refused");
}

#[test]
fn api_and_sql_in_one_transaction_keep_their_order() {
    let bed = two();
    bed.db
        .write(|tx| {
            tx.execute("UPDATE notes SET title = 'sql' WHERE id = 'a'", &[])?;
            tx.update("notes", "a", [("title", "api")])?;
            tx.execute("UPDATE notes SET title = 'sql again', views = 4 WHERE id = 'a'", &[])?;
            tx.increment("notes", "a", "views", 1)?;
            tx.execute("DELETE FROM notes WHERE id = 'a'", &[])?;
            tx.insert_with_id("notes", "a", [("title", "back")])
        })
        .unwrap();
    let ops = since(&bed);
    let kinds: Vec<OpKind> = ops.iter().map(|op| op.kind).collect();
    use OpKind::{Create, Delete, Update};
    assert_eq!(kinds, [Update, Update, Update, Update, Delete, Create]);
    assert!(ops[1].was.get("title") == Some(&text("sql")));
    assert_eq!(bed.counts().1, 2);
}

#[test]
fn hidden_columns_cannot_be_written() {
    let bed = two();
    for refused in [
        "UPDATE notes SET _v = 1",
        "UPDATE notes SET _p = NULL",
        "UPDATE notes SET _extra = '{}'",
        "INSERT INTO notes (id, _v) VALUES ('c', 4)",
        "INSERT INTO notes (id, _p) VALUES ('c', 4)",
        "INSERT INTO notes (id, _extra) VALUES ('c', '{}')",
        "INSERT INTO notes (id) VALUES ('a') ON CONFLICT DO UPDATE SET _v = 9",
    ] {
        assert_eq!(sql(&bed, refused).unwrap_err().code(), "sql_refused", "{refused}");
    }
    sql(&bed, "INSERT INTO notes (id, _v, _p, _extra) VALUES ('c', 0, NULL, NULL)").unwrap();
    assert_eq!(since(&bed).len(), 1);
}

#[test]
fn what_would_go_around_capture_is_refused() {
    let bed = two();
    for refused in [
        "BEGIN",
        "COMMIT",
        "END",
        "ROLLBACK",
        "ATTACH 'x.db' AS x",
        "DETACH main",
        "VACUUM",
        "PRAGMA recursive_triggers = OFF",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA user_version = 9",
        "PRAGMA writable_schema = 1",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "CREATE TABLE mine (x)",
        "CREATE TEMP TABLE mine (x)",
        "CREATE INDEX mine ON notes (title)",
        "CREATE TRIGGER mine AFTER INSERT ON notes BEGIN SELECT 1; END",
        "CREATE TEMP TRIGGER mine AFTER INSERT ON notes BEGIN SELECT 1; END",
        "CREATE VIEW mine AS SELECT 1",
        "CREATE VIRTUAL TABLE mine USING fts5(x)",
        "DROP TABLE notes",
        "DROP TRIGGER _ts_guard_notes",
        "DROP TABLE _ts_ops",
        "ALTER TABLE notes ADD COLUMN mine",
        "ALTER TABLE notes RENAME TO mine",
        "REINDEX",
        "ANALYZE",
        "DELETE FROM _ts_ops",
        "UPDATE _ts_meta SET value = 0",
        "INSERT INTO _ts_write_ids (write_id) VALUES ('x')",
        "DELETE FROM sqlite_schema",
        "SAVEPOINT _ts_job",
        "ROLLBACK TO _ts_job",
        "RELEASE _ts_part",
        "SELECT _ts_inserted(0, 'x', 0, NULL, NULL)",
    ] {
        let error = sql(&bed, refused).unwrap_err();
        assert!(matches!(error, Error::SqlRefused { .. } | Error::Sql { .. }), "{refused}: {error:?}");
        assert!(
            error.code() == "sql_refused" || refused == "VACUUM" || refused.contains("sqlite_"),
            "{refused}: {error:?}"
        );
        let error = bed.db.query(refused, &[]).unwrap_err();
        assert!(matches!(error, Error::SqlRefused { .. } | Error::Sql { .. }), "{refused}: {error:?}");
    }
    assert_eq!(sql(&bed, "UPDATE notes SET title = 'a'; DELETE FROM notes").unwrap_err().code(), "sql");
    assert_eq!(since(&bed), []);
    assert_eq!(bed.db.query("PRAGMA table_info(notes)", &[]).unwrap().rows.len(), 13);
    sql(&bed, "UPDATE notes SET title = 'works' WHERE id = 'a'").unwrap();
    assert_eq!(since(&bed).len(), 1);
}

/// A statement of ours that is kept prepared must not run when the app says the same words.
#[test]
fn the_apps_words_never_find_our_prepared_statements() {
    let bed = two();
    for ours in [
        "BEGIN IMMEDIATE",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT _ts_part",
        "DELETE FROM _ts_absent WHERE tbl = ?1 AND row_id = ?2",
    ] {
        let error = bed.db.write(move |tx| {
            tx.savepoint(|tx| tx.execute(ours, &[]))?;
            Ok(())
        });
        assert_eq!(error.unwrap_err().code(), "sql_refused", "{ours}");
    }
    bed.db.read(|reader| reader.get("notes", "a")).unwrap();
    assert_eq!(bed.db.query("BEGIN", &[]).unwrap_err().code(), "sql_refused");
    assert_eq!(since(&bed), []);
}

#[test]
fn a_query_cannot_write() {
    let bed = two();
    assert_eq!(bed.db.query("DELETE FROM notes RETURNING id", &[]).unwrap_err().code(), "sql_refused");
    assert_eq!(bed.db.query("UPDATE drafts SET text = ''", &[]).unwrap_err().code(), "sql_refused");
    assert_eq!(since(&bed), []);
}

/// SQL passes the same door as the API: a value no server takes refuses the whole transaction.
#[test]
fn values_are_checked_as_the_api_checks_them() {
    let bed = two();
    let mut limits = storage::options();
    limits.value_bytes_max = 100;
    for (refused, param) in [
        ("UPDATE notes SET title = ?1 WHERE id = 'a'", text("nul\0inside")),
        ("UPDATE notes SET title = CAST(?1 AS TEXT) WHERE id = 'a'", Value::Bytes(vec![0xff, 0xfe])),
        ("UPDATE notes SET weight = ?1 * 1e308 WHERE id = 'a'", Value::Real(1e308)),
        ("UPDATE notes SET pinned = ?1 WHERE id = 'a'", Value::Int(2)),
        ("UPDATE notes SET tags = ?1 WHERE id = 'a'", text("{not json")),
        ("INSERT INTO notes (id) VALUES (?1)", text("")),
        ("INSERT INTO notes (id) VALUES (?1)", text(&"x".repeat(257))),
        ("INSERT INTO notes (id) VALUES (?1)", text("x\0")),
        ("UPDATE notes SET title = ?1 WHERE id = 'a'", text(&"x".repeat((1 << 20) + 1))),
        ("UPDATE notes SET at = ?1 WHERE id = 'a'", text("not a number")),
    ] {
        let error = bed.db.execute(refused, &[param]).unwrap_err();
        assert!(["invalid_value", "invalid_id", "sql"].contains(&error.code()), "{refused}: {error:?}");
        assert_eq!(since(&bed), []);
    }
    // NaN is NULL to SQLite, and weight may be NULL.
    bed.db.execute("UPDATE notes SET weight = ?1 WHERE id = 'a'", &[Value::Real(f64::NAN)]).unwrap();
    assert_eq!(since(&bed), []);
}

#[test]
fn values_are_stored_in_the_form_they_are_sent_in() {
    let bed = two();
    let params = [text("{\"b\": 1, \"a\": 1.50}"), Value::Real(-0.0)];
    bed.db.execute("UPDATE notes SET tags = ?1, weight = ?2 WHERE id = 'a'", &params).unwrap();
    let ops = since(&bed);
    assert!(ops[0].set.get("tags") == Some(&Value::Json("{\"a\":1.5,\"b\":1}".to_owned())));
    assert_eq!(one(&bed.db, "SELECT tags FROM notes WHERE id = 'a'"), text("{\"a\":1.5,\"b\":1}"));
    bed.db.execute("UPDATE notes SET tags = ?1 WHERE id = 'a'", &[text("{\"b\":1,  \"a\":1.5}")]).unwrap();
    assert_eq!(since(&bed).len(), 1, "the same json, written otherwise, is the same");
    assert_eq!(one(&bed.db, "SELECT tags FROM notes WHERE id = 'a'"), text("{\"a\":1.5,\"b\":1}"));
}

/// Rule 18: too much is refused before COMMIT, and a large statement that changes little is not too much.
#[test]
fn a_group_larger_than_servers_accept_is_refused() {
    let bed = bed();
    let many = |n: usize| {
        format!(
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {n}) INSERT INTO notes (id, title) SELECT 'n' || n, 't' FROM c"
        )
    };
    let error = sql(&bed, &many(10_001)).unwrap_err();
    assert_eq!(error, Error::GroupTooLarge { what: "ops", found: 10_001, max: 10_000 });
    assert_eq!(bed.counts(), (0, 0));
    sql(&bed, &many(10_000)).unwrap();
    sql(&bed, &many(10_005).replace("INSERT", "INSERT OR IGNORE")).unwrap();
    assert_eq!(
        sql(&bed, "UPDATE notes SET title = 't'").unwrap(),
        10_005,
        "touches more rows than a group may have ops"
    );
    assert_eq!(bed.counts(), (10_005, 2));
    let large = text(&"x".repeat(1 << 20));
    let error = bed.db.execute("UPDATE notes SET body = ?1 WHERE rowid <= 20", &[large]).unwrap_err();
    assert!(matches!(error, Error::GroupTooLarge { what: "bytes", .. }), "{error:?}");
    assert_eq!(bed.counts(), (10_005, 2));
    bed.check();
}

#[test]
fn a_foreign_connection_cannot_write_what_syncs_and_can_read() {
    let bed = two();
    let foreign = foreign(&bed.path());
    assert_eq!(foreign.query_row("SELECT count(*) FROM notes WHERE id = 'a'", [], |row| row.get(0)), Ok(1));
    for refused in [
        "INSERT INTO notes (id) VALUES ('c')",
        "UPDATE notes SET title = 'x'",
        "UPDATE notes SET tags = 'x'",
        "UPDATE notes SET _v = 7",
        "UPDATE notes SET id = 'x' WHERE id = 'a'",
        "DELETE FROM notes",
        "REPLACE INTO notes (id) VALUES ('a')",
        "INSERT INTO notes (id) VALUES ('a') ON CONFLICT DO UPDATE SET title = 'x'",
    ] {
        let error = foreign.execute(refused, []).unwrap_err().to_string();
        assert!(error.contains("write_this_table_through_turnstone_only"), "{refused}: {error}");
    }
    foreign.execute("INSERT INTO drafts (id) VALUES ('foreign')", []).unwrap();
    assert_eq!(since(&bed), []);
    bed.db.write(|tx| tx.insert("notes", [("title", "after")])).unwrap();
    assert_eq!(since(&bed).len(), 1);
}

#[test]
fn parameters_must_fit_the_statement() {
    let bed = two();
    assert_eq!(bed.db.execute("UPDATE notes SET title = ?1", &[]).unwrap_err().code(), "sql");
    assert_eq!(bed.db.query("SELECT ?1", &[text("a"), text("b")]).unwrap_err().code(), "sql");
    assert_eq!(bed.db.query("SELEKT", &[]).unwrap_err().code(), "sql");
    assert_eq!(bed.db.query("SELECT \"nocolumn\" FROM notes", &[]).unwrap_err().code(), "sql");
    assert_eq!(since(&bed), []);
}

/// Rule 18: what does not pack into one request is refused before COMMIT, not by the server later.
#[test]
fn a_group_that_no_request_could_carry_is_refused() {
    let bed = bed();
    let mut random = fastrand::Rng::with_seed(1);
    let picture: Vec<Value> = (0..12)
        .map(|_| Value::Text(std::iter::repeat_with(|| random.alphanumeric()).take(1_000_000).collect()))
        .collect();
    let write = |pictures: Vec<Value>| {
        bed.db.write(move |tx| {
            pictures
                .into_iter()
                .try_for_each(|picture| tx.insert("notes", [("title", text("p")), ("body", picture)]).map(drop))
        })
    };
    let error = write(picture.clone()).unwrap_err();
    assert!(matches!(error, Error::GroupTooLarge { what: "bytes when packed", .. }), "{error:?}");
    assert_eq!(bed.counts(), (0, 0));
    write(picture[..9].to_vec()).unwrap();
    write(vec![text(&"written by a person ".repeat(50_000)); 12]).unwrap();
    assert_eq!(bed.counts(), (21, 2));
    bed.check();
}

/// I-61: what is wrong with a statement is told without the statement and its literals.
#[test]
fn an_error_of_sql_repeats_no_literal() {
    let bed = bed();
    for wrong in [
        "SELECT title FROM notes WHERE title = 'tell nobody' AND",
        "SELECT title FROM notes WHERE 'tell nobody' 'tell nobody'",
        "SELECT 'tell nobody' FROM nowhere",
        "SELECT title FROM notes WHERE title = 'tell nobody",
        "INSERT INTO notes (id, missing) VALUES ('a', 'tell nobody')",
    ] {
        let told = bed.db.write(|tx| tx.execute(wrong, &[])).unwrap_err().to_string();
        assert!(!told.contains("tell"), "{told}");
        assert!(
            told.contains("syntax error")
                || told.contains("no such table")
                || told.contains("unrecognized token")
                || told.contains("no column named")
                || told.contains("incomplete"),
            "{told}"
        );
    }
}

/// I-61, I-62: a closure that takes a column for something else is told which one, and is not told of damage; what was read is
/// in none of its errors.
#[test]
fn a_mistake_of_a_closure_names_the_column_and_no_value() {
    type Each = fn(&rusqlite::Row<'_>) -> rusqlite::Result<i64>;
    let mistakes: [(Each, &str); 4] = [
        (|row| row.get(1), "column 1 is not what"),
        (|row| row.get::<_, u8>(2).map(i64::from), "column 2 is not what"),
        (
            |row| {
                row.get_ref(1)?.as_i64().map_err(|error| {
                    rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, error.into())
                })
            },
            "column 1 is not what",
        ),
        (|_| Err(rusqlite::Error::QueryReturnedNoRows), "found no row"),
    ];
    let bed = two();
    sql(&bed, "UPDATE notes SET title = 'tell nobody', views = 1000").unwrap();
    for (each, expected) in mistakes {
        let told = bed.db.read(|reader| reader.query_map("SELECT id, title, views FROM notes", &[], each)).unwrap_err();
        let Error::Sql { message } = &told else { panic!("{told:?}") };
        assert!(message.contains(expected), "{message}");
        assert!(!told.to_string().contains("tell") && !told.to_string().contains("1000"), "{told}");
    }
}
