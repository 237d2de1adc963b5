//! Writes by the API: what they change, what they log, what they refuse.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod storage;

use storage::{bed, one, text};
use turnstone::{Error, Fields, Value};
use turnstone_protocol::OpKind;

fn fields(pairs: &[(&str, Value)]) -> Fields {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

#[test]
fn insert_makes_a_row_and_one_create_op() {
    let bed = bed();
    let id = bed
        .db
        .write(|tx| tx.insert("notes", [("title", text("a")), ("views", Value::Int(3)), ("pinned", Value::Bool(true))]))
        .unwrap();
    let row = bed.db.get("notes", &id).unwrap().unwrap();
    assert_eq!(row.text("title"), Some("a"));
    assert_eq!(row.int("views"), Some(3));
    assert_eq!(row.bool("pinned"), Some(true));
    assert_eq!(row.text("tags"), Some("[]"));
    let op = bed.last();
    assert_eq!((op.kind, op.base, op.id), (OpKind::Create, 0, id));
    assert!(op.set == fields(&[("title", text("a")), ("pinned", Value::Bool(true))]));
    assert_eq!(op.inc.get("views"), Some(&3));
    assert!(op.was.is_empty());
    bed.check();
}

#[test]
fn update_logs_what_was_seen_and_an_equal_value_too() {
    let bed = bed();
    let id = bed.db.write(|tx| tx.insert("notes", [("title", text("a"))])).unwrap();
    let key = id.clone();
    bed.db.write(move |tx| tx.update("notes", &key, [("title", text("b"))])).unwrap();
    assert!(bed.last().was == fields(&[("title", text("a"))]));
    let key = id.clone();
    bed.db.write(move |tx| tx.update("notes", &key, [("title", text("b"))])).unwrap();
    let op = bed.last();
    assert!(op.set == fields(&[("title", text("b"))]), "rule 1: an equal value raises the stamp");
    assert!(op.was == fields(&[("title", text("b"))]));
    assert_eq!(bed.counts(), (3, 3));
    bed.check();
}

#[test]
fn delete_then_insert_of_one_id_is_one_chain() {
    let bed = bed();
    bed.db.write(|tx| tx.insert_with_id("notes", "n", [("title", text("a"))])).unwrap();
    assert!(bed.db.write(|tx| tx.delete("notes", "n")).unwrap());
    assert!(bed.db.get("notes", "n").unwrap().is_none());
    bed.check();
    assert!(!bed.db.write(|tx| tx.delete("notes", "n")).unwrap(), "it is not there any more");
    bed.db.write(|tx| tx.insert_with_id("notes", "n", [("title", text("b"))])).unwrap();
    bed.check();
    assert_eq!(one(&bed.db, "SELECT count(*) FROM _ts_absent"), Value::Int(0));
    assert_eq!(one(&bed.db, "SELECT group_concat(coalesce(prev, 0)) FROM _ts_ops"), text("0,1,2"));
}

#[test]
fn increments_travel_as_amounts() {
    let bed = bed();
    bed.db.write(|tx| tx.insert_with_id("notes", "n", [("views", 5)])).unwrap();
    bed.db.write(|tx| tx.increment("notes", "n", "views", -2)).unwrap();
    assert_eq!(bed.last().inc.get("views"), Some(&-2));
    bed.db.write(|tx| tx.update("notes", "n", [("views", 10)])).unwrap();
    assert_eq!(bed.last().inc.get("views"), Some(&7), "setting a counter is adding the difference");
    assert_eq!(one(&bed.db, "SELECT views FROM notes"), Value::Int(10));
    let error = bed.db.write(|tx| tx.increment("notes", "n", "views", i64::MAX)).unwrap_err();
    assert_eq!(error.code(), "counter_overflow");
    let error = bed.db.write(|tx| tx.increment("notes", "n", "best", 1)).unwrap_err();
    assert_eq!(error.code(), "not_a_counter");
    assert_eq!(bed.counts(), (3, 3));
    bed.check();
}

#[test]
fn upsert_updates_what_is_there_and_makes_what_is_not() {
    let bed = bed();
    assert!(bed.db.write(|tx| tx.upsert("notes", "n", [("title", "a")])).unwrap());
    assert!(!bed.db.write(|tx| tx.upsert("notes", "n", [("body", "b")])).unwrap());
    assert_eq!(bed.last().kind, OpKind::Update);
    let row = bed.db.get("notes", "n").unwrap().unwrap();
    assert_eq!((row.text("title"), row.text("body")), (Some("a"), Some("b")));
    bed.check();
}

#[test]
fn whole_row_tables_send_the_whole_row() {
    let bed = bed();
    bed.db.write(|tx| tx.insert_with_id("places", "p", [("name", text("x"))])).unwrap();
    bed.db.write(|tx| tx.update("places", "p", [("lat", Value::Real(2.0))])).unwrap();
    let op = bed.last();
    assert!(op.set == fields(&[("name", text("x")), ("lat", Value::Int(2)), ("lon", Value::Int(0))]));
    assert!(op.was == fields(&[("lat", Value::Int(0))]));
    bed.check();
}

#[test]
fn one_transaction_is_one_group_and_an_empty_one_is_none() {
    let bed = bed();
    bed.db
        .write(|tx| {
            for n in 0..5 {
                tx.insert("notes", [("title", format!("{n}"))])?;
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(bed.counts(), (5, 1));
    bed.db.write(|tx| tx.query("SELECT * FROM notes", &[])).unwrap();
    bed.db.write(|_| Ok(())).unwrap();
    assert_eq!(bed.counts(), (5, 1));
    bed.db.write(|tx| tx.insert("notes", [("title", "x")])).unwrap();
    assert_eq!(bed.counts(), (6, 2));
    bed.check();
}

/// I-05, I-06: an error undoes everything and leaves no trace.
#[test]
fn a_failing_closure_leaves_no_trace() {
    let bed = bed();
    let error = bed
        .db
        .write(|tx| {
            tx.insert("notes", [("title", "a")])?;
            tx.insert("notes", [("nothing", "a")])
        })
        .unwrap_err();
    assert_eq!(error, Error::UnknownField { table: "notes".to_owned(), field: "nothing".to_owned() });
    assert_eq!(bed.counts(), (0, 0));
    bed.db.write(|tx| tx.insert("notes", [("title", "b")])).unwrap();
    assert_eq!(one(&bed.db, "SELECT op * 100 + grp FROM _ts_ops"), Value::Int(101), "numbers have no holes");
    bed.check();
}

/// An error that the closure swallows leaves what was good.
#[test]
fn a_refused_write_changes_nothing_and_the_transaction_goes_on() {
    let bed = bed();
    bed.db
        .write(|tx| {
            tx.insert_with_id("notes", "a", [("title", "a")])?;
            assert_eq!(tx.insert_with_id("notes", "a", [("title", "b")]).unwrap_err().code(), "row_exists");
            assert_eq!(tx.update("notes", "b", [("title", "b")]).unwrap_err().code(), "row_missing");
            assert_eq!(tx.update("notes", "a", [("pinned", 7)]).unwrap_err().code(), "invalid_value");
            assert_eq!(tx.insert("nowhere", [("pinned", 7)]).unwrap_err().code(), "unknown_table");
            assert_eq!(tx.insert("places", [("lat", 7)]).unwrap_err().code(), "missing_field");
            assert_eq!(tx.insert_with_id("notes", "", [("title", "b")]).unwrap_err().code(), "invalid_id");
            tx.update("notes", "a", [("body", "b")])
        })
        .unwrap();
    assert_eq!(bed.counts(), (2, 1));
    bed.check();
}

#[test]
fn a_savepoint_undoes_its_part_alone() {
    let bed = bed();
    bed.db
        .write(|tx| {
            tx.insert_with_id("notes", "a", [("title", "a")])?;
            let part = tx.savepoint(|tx| {
                tx.insert_with_id("notes", "b", [("title", "b")])?;
                tx.execute("UPDATE notes SET body = 'x'", &[])?;
                Err::<(), _>(Error::Busy)
            });
            assert_eq!(part, Err(Error::Busy));
            tx.savepoint(|tx| tx.insert_with_id("notes", "c", [("title", "c")]))
        })
        .unwrap();
    assert_eq!(one(&bed.db, "SELECT group_concat(id || body) FROM notes"), text("a,c"));
    assert_eq!(bed.counts(), (2, 1));
    bed.check();
}

#[test]
fn tables_that_never_leave_the_device_make_no_ops() {
    let bed = bed();
    bed.db.write(|tx| tx.insert_with_id("drafts", "d", [("text", "a")])).unwrap();
    bed.db.write(|tx| tx.update("drafts", "d", [("text", "b")])).unwrap();
    bed.db.execute("UPDATE drafts SET text = text || 'c'", &[]).unwrap();
    assert_eq!(bed.db.get("drafts", "d").unwrap().unwrap().text("text"), Some("bc"));
    assert!(bed.db.write(|tx| tx.delete("drafts", "d")).unwrap());
    assert_eq!(bed.counts(), (0, 0));
}

#[test]
fn large_old_values_travel_as_hashes_and_are_kept_to_be_undone() {
    let bed = bed();
    let large = "x".repeat(5_000);
    let before = large.clone();
    bed.db.write(move |tx| tx.insert_with_id("notes", "n", [("body", before)])).unwrap();
    bed.db.write(|tx| tx.update("notes", "n", [("body", "y"), ("title", "t")])).unwrap();
    let op = bed.last();
    assert!(op.was == fields(&[("title", text(""))]));
    let hash = turnstone_protocol::hash::hex(&turnstone_protocol::hash::sha256(format!("\"{large}\"").as_bytes()));
    assert_eq!(op.was_hash.get("body"), Some(&hash));
    let undo = one(&bed.db, "SELECT undo FROM _ts_ops WHERE op = 2");
    assert!(undo == Value::Text(format!("{{\"body\":\"{large}\"}}")));
    bed.check();
}

#[test]
fn numbers_go_on_after_opening_again() {
    let bed = bed();
    bed.db.write(|tx| tx.insert_with_id("notes", "a", [("title", "a")])).unwrap();
    let identity = bed.db.identity().unwrap();
    let bed = bed.reopen();
    assert_eq!(bed.db.identity().unwrap(), identity);
    bed.db.write(|tx| tx.update("notes", "a", [("title", "b")])).unwrap();
    assert_eq!(
        one(&bed.db, "SELECT group_concat(op || ':' || grp || ':' || session) FROM _ts_ops"),
        text("1:1:1,2:2:2")
    );
    bed.check();
}

/// I-04: a repeated write id gives the first result, never a second op.
#[test]
fn a_write_id_is_used_once() {
    let bed = bed();
    let write = |db: &turnstone::storage::Database| {
        db.write_once("first", |tx| {
            let id = tx.insert("notes", [("title", "a")])?;
            tx.remember(id);
            Ok(())
        })
    };
    let first = write(&bed.db).unwrap();
    assert!(!first.repeated);
    let again = write(&bed.db).unwrap();
    assert!(again.repeated);
    assert_eq!((again.gid, &again.result), (first.gid, &first.result));
    assert_eq!(bed.counts(), (1, 1));
    let failed = bed.db.write_once("second", |tx| tx.update("notes", "no", [("title", "a")]));
    assert_eq!(failed.unwrap_err().code(), "row_missing");
    let done = bed.db.write_once("second", |tx| tx.insert_with_id("notes", "yes", [("title", "a")])).unwrap();
    assert!(!done.repeated, "a failed write leaves its key unused");
    let bed = bed.reopen();
    assert!(write(&bed.db).unwrap().repeated);
    assert_eq!(bed.db.write_once("", |_| Ok(())).unwrap_err().code(), "invalid_write_id");
    bed.check();
}

#[test]
fn a_write_inside_a_write_is_an_error_and_a_read_is_not() {
    let bed = bed();
    let inner = bed.db.clone();
    bed.db
        .write(move |tx| {
            tx.insert("notes", [("title", "a")])?;
            assert_eq!(inner.write(|_| Ok(())).unwrap_err(), Error::Reentrant);
            assert_eq!(inner.query("SELECT * FROM notes", &[])?.rows.len(), 0, "others see what is committed");
            assert_eq!(tx.query("SELECT * FROM notes", &[])?.rows.len(), 1);
            Ok(())
        })
        .unwrap();
    bed.db.write(|_| Ok(())).unwrap();
}

/// I-63: a panic is an error, undoes its transaction, and the handle works on.
#[test]
fn a_panic_is_an_error_and_the_handle_works_on() {
    let bed = bed();
    let done = bed.db.write(|tx| {
        tx.insert("notes", [("title", "a")])?;
        if true {
            panic!("the app's own");
        }
        Ok(())
    });
    assert_eq!(done.unwrap_err().code(), "internal");
    bed.db.write(|tx| tx.insert("notes", [("title", "b")])).unwrap();
    assert_eq!(bed.counts(), (1, 1));
    bed.check();
}
