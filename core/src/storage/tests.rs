//! What can only be tested from the inside: full disks, steps of the sync core, migrations.

use tempfile::TempDir;
use turnstone_engine::oplog::{GroupState, follow_up};
use turnstone_protocol::{Fields, Gid, Op, OpKind, Schema, Value};

use super::system::Base;
use super::*;
use crate::{Clock, Entropy, Error};

const SCHEMA: &str = r#"
name = "test"
version = 1
[tables.notes.fields]
title = { type = "text", default = "" }
body = { type = "text", default = "" }
views = { type = "integer", default = 0, merge = "counter" }
pinned = { type = "boolean", default = false }
[tables.places]
merge = "lww"
[tables.places.fields]
name = { type = "text", default = "" }
lat = { type = "real", default = 0.0 }
"#;

fn bed() -> (Database, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (open_at(&folder), folder)
}

fn open_at(folder: &TempDir) -> Database {
    let mut options = OpenOptions::new(Clock::manual(1_000), Entropy::seeded(1));
    options.durability = Durability::Process;
    Database::open(&folder.path().join("t.db"), &Schema::parse(SCHEMA).unwrap(), &options).unwrap()
}

fn insert(db: &Database, id: &'static str) -> Result<(), Error> {
    db.write(move |tx| tx.insert_with_id("notes", id, [("title", id)]))
}

fn pages_max(db: &Database, pages: Option<i64>) {
    db.system(|sys| {
        let now: i64 = sys.conn().query_row("PRAGMA page_count", [], |row| row.get(0))?;
        let limit = pages.map_or(1 << 30, |more| now + more);
        sys.conn().query_row(&format!("PRAGMA max_page_count = {limit}"), [], |_| Ok(()))?;
        Ok(())
    })
    .unwrap();
}

/// I-06: a full disk undoes the write, leaves no trace, is a typed error; reads go on, and so do writes once there
/// is room, without opening again.
#[test]
fn a_full_disk_is_a_typed_error_and_heals() {
    let (db, _folder) = bed();
    insert(&db, "a").unwrap();
    pages_max(&db, Some(2));
    let large = "x".repeat(500_000);
    for round in 0..3 {
        let body = large.clone();
        let error = db.write(move |tx| {
            tx.insert_with_id("notes", "small", [("title", "x")])?;
            tx.insert_with_id("notes", "large", [("body", body)])
        });
        assert_eq!(error.unwrap_err(), Error::StorageFull, "round {round}");
        assert!(db.get("notes", "a").unwrap().is_some());
        assert!(db.get("notes", "small").unwrap().is_none());
        assert_eq!(db.execute("UPDATE notes SET body = hex(zeroblob(400000))", &[]).unwrap_err(), Error::StorageFull);
    }
    pages_max(&db, None);
    db.write(move |tx| tx.insert_with_id("notes", "large", [("body", large)])).unwrap();
    insert(&db, "b").unwrap();
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
    assert_eq!(db.query("SELECT max(op), max(grp) FROM _ts_ops", &[]).unwrap().rows[0], [Value::Int(3), Value::Int(3)]);
}

/// A closure that swallows the error of a full disk must not commit half of what it did.
#[test]
fn a_swallowed_full_disk_does_not_commit() {
    let (db, _folder) = bed();
    pages_max(&db, Some(2));
    let done = db.write(|tx| {
        tx.insert_with_id("notes", "small", [("title", "x")])?;
        let _ = tx.insert_with_id("notes", "large", [("body", "x".repeat(500_000))]);
        Ok(())
    });
    assert!(done.is_err());
    pages_max(&db, None);
    insert(&db, "b").unwrap();
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
    assert_eq!(db.query("SELECT id FROM notes", &[]).unwrap().rows.len(), 1);
}

#[test]
fn groups_are_entered_when_the_sync_core_looks() {
    let (db, _folder) = bed();
    insert(&db, "a").unwrap();
    db.write(|tx| {
        tx.insert_with_id("notes", "b", [("title", "b")])?;
        tx.update("notes", "a", [("title", "c")])
    })
    .unwrap();
    let groups = |db: &Database| {
        db.query("SELECT grp, state, first_op, ops, bytes, wall, schema, length(gid) FROM _ts_groups", &[])
            .unwrap()
            .rows
    };
    assert_eq!(groups(&db).len(), 0, "a local write touches one log table");
    db.system(|_| Ok(())).unwrap();
    let entered = groups(&db);
    let numbers =
        |row: &[Value]| row.iter().map(|value| if let Value::Int(int) = value { *int } else { -1 }).collect::<Vec<_>>();
    let bytes: Vec<i64> = entered.iter().map(|row| numbers(row)[4]).collect();
    assert_eq!(numbers(&entered[0]), [1, 0, 1, 1, bytes[0], 1_000, 1, 16]);
    assert_eq!(numbers(&entered[1]), [2, 0, 2, 2, bytes[1], 1_000, 1, 16]);
    let logged = db.query("SELECT sum(length(CAST(body AS BLOB))) FROM _ts_ops GROUP BY grp", &[]).unwrap().rows;
    assert_eq!(logged, [[Value::Int(bytes[0])], [Value::Int(bytes[1])]]);
    db.system(|_| Ok(())).unwrap();
    assert_eq!(groups(&db).len(), 2, "once");
    insert(&db, "c").unwrap();
    db.system(|_| Ok(())).unwrap();
    assert_eq!(groups(&db).len(), 3);
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
}

fn fields(pairs: &[(&str, Value)]) -> Fields {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// What the server confirmed: visible, at version `v`, with nothing pending.
fn confirm(db: &Database, id: &'static str, v: u64, pairs: &[(&str, Value)]) {
    db.system(|sys| {
        sys.put("notes", id, &Stored { v, p: None, fields: fields(pairs), extra: fields(&[("later", Value::Int(7))]) })
    })
    .unwrap();
}

fn base(db: &Database, id: &str) -> Base {
    db.read(|reader| reader.base("notes", id)).unwrap()
}

/// I-63: a chain of ops that comes back to where it began, as damage may leave it, is a typed error, not a walk without end.
#[test]
fn a_chain_that_goes_round_is_damage() {
    let (db, _folder) = bed();
    insert(&db, "a").unwrap();
    db.write(|tx| tx.update("notes", "a", [("title", "two")])).unwrap();
    db.system(|sys| Ok(sys.conn().execute("UPDATE _ts_ops SET prev = 2 WHERE op = 1", [])?)).unwrap();
    assert!(matches!(db.check(), Err(Error::Corrupt)));
    let walked = db.system(|sys| sys.ops_in_fold("notes", Some(2)).map(drop));
    assert!(matches!(walked, Err(Error::Corrupt)));
}

#[test]
fn the_base_is_the_visible_row_with_its_ops_undone() {
    let (db, _folder) = bed();
    confirm(
        &db,
        "a",
        5,
        &[("title", Value::from("one")), ("views", Value::Int(3)), ("body", Value::from("x".repeat(9_000)))],
    );
    let confirmed = base(&db, "a");
    assert_eq!((confirmed.v, confirmed.explicit), (5, false));
    let mut whole = confirmed.fields.clone().unwrap();
    assert!(whole.remove("later") == Some(Value::Int(7)), "unknown fields are part of the base");
    db.write(|tx| tx.update("notes", "a", [("title", "two"), ("body", "y")])).unwrap();
    assert_eq!(base(&db, "a"), confirmed);
    db.write(|tx| tx.increment("notes", "a", "views", 4)).unwrap();
    db.execute("UPDATE notes SET title = 'three', views = views - 1, pinned = 1", &[]).unwrap();
    assert_eq!(base(&db, "a"), confirmed);
    db.write(|tx| tx.delete("notes", "a")).unwrap();
    assert_eq!(base(&db, "a"), confirmed);
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
    db.write(|tx| tx.insert_with_id("notes", "a", [("title", "again")])).unwrap();
    assert_eq!(base(&db, "a"), confirmed);
    db.execute("REPLACE INTO notes (id, title) VALUES ('a', 'replaced')", &[]).unwrap();
    assert_eq!(base(&db, "a"), confirmed);
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
    db.system(|sys| {
        let (head, v) = sys.head("notes", "a")?.unwrap();
        let kinds: Vec<OpKind> = sys.ops_in_fold("notes", head)?.iter().map(|op| op.body.kind).collect();
        assert_eq!(v, 5, "the version of the base stays");
        assert_eq!(
            kinds,
            [OpKind::Update, OpKind::Update, OpKind::Update, OpKind::Delete, OpKind::Create, OpKind::Update]
        );
        Ok(())
    })
    .unwrap();
}

/// Unknown fields survive REPLACE, and travel in the op of a table where whole rows compete (I-46).
#[test]
fn unknown_fields_survive_local_writes() {
    let (db, _folder) = bed();
    let extra = fields(&[("color", Value::from("red")), ("zebra", Value::Int(1))]);
    db.system(|sys| {
        let fields = fields(&[("name", Value::from("here")), ("lat", Value::Real(1.5))]);
        sys.put("places", "p", &Stored { v: 3, p: None, fields, extra: extra.clone() })
    })
    .unwrap();
    db.write(|tx| tx.update("places", "p", [("lat", 2.5)])).unwrap();
    db.execute("REPLACE INTO places (id, name) VALUES ('p', 'there')", &[]).unwrap();
    let rows = db.query("SELECT body FROM _ts_ops ORDER BY op", &[]).unwrap().rows;
    for row in &rows {
        let Value::Text(body) = &row[0] else { panic!("no text") };
        let op: Op = serde_json::from_str(body).unwrap();
        assert!(op.set.get("color") == Some(&Value::from("red")) && op.set.get("zebra") == Some(&Value::Int(1)));
        let mut text = String::new();
        turnstone_protocol::canonical::write_op(&mut text, &op);
        assert_eq!(text, *body);
    }
    assert_eq!(rows.len(), 2);
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
}

#[test]
fn pending_rows_take_the_position_as_their_base_and_groups_the_clock_as_their_floor() {
    let (db, _folder) = bed();
    insert(&db, "a").unwrap();
    db.system(|sys| {
        sys.set_meta(Key::AppliedN, Some(41))?;
        sys.set_meta(Key::ServerHlc, Some(77))
    })
    .unwrap();
    insert(&db, "b").unwrap();
    // What is only pending has seen all that was pulled, an earlier life of its id too.
    db.write(|tx| tx.update("notes", "b", [("title", "by the API")])).unwrap();
    db.write(|tx| tx.execute("UPDATE notes SET title = 'by SQL' WHERE id = 'b'", &[]).map(|_| ())).unwrap();
    db.write(|tx| tx.delete("notes", "b").map(|_| ())).unwrap();
    let rows = db.query("SELECT body, hlc_floor FROM _ts_ops ORDER BY op", &[]).unwrap().rows;
    let bases: Vec<u64> = rows
        .iter()
        .map(|row| match &row[0] {
            Value::Text(body) => serde_json::from_str::<Op>(body).unwrap().base,
            _ => panic!("no text"),
        })
        .collect();
    assert_eq!(bases, [0, 41, 41, 41, 41]);
    assert_eq!((&rows[0][1], &rows[1][1]), (&Value::Int(0), &Value::Int(77)));
}

/// I-03: an op that is in the fold, and that its row no longer leads to, is found though the row looks as it should.
#[test]
fn an_op_that_is_not_reached_from_its_row_is_found() {
    let (db, _folder) = bed();
    insert(&db, "a").unwrap();
    db.system(|sys| Ok(sys.conn().execute("UPDATE notes SET _p = NULL", [])?)).unwrap();
    assert_eq!(db.check().unwrap(), ["notes: 1 ops are in the fold and not reached from their rows"]);
}

/// A group goes on under the gid that follows from its own, if it was given up once or twice, and under no other.
#[test]
fn a_group_under_a_gid_that_is_not_its_own_is_found() {
    let (db, _folder) = bed();
    insert(&db, "a").unwrap();
    let gid = db.system(|sys| Ok(Gid(sys.conn().query_row("SELECT gid FROM _ts_ops", [], |row| row.get(0))?))).unwrap();
    for (entered, faults) in [(gid, 0), (follow_up(gid), 0), (follow_up(follow_up(gid)), 0), (Gid([7; 16]), 1)] {
        let set = move |sys: &mut SystemTx<'_>| {
            Ok(sys.conn().execute("UPDATE _ts_groups SET gid = ?1, replaces = ?1", [entered.as_bytes()])?)
        };
        assert_eq!(db.system(set).unwrap(), 1);
        assert_eq!(db.check().unwrap().len(), faults, "{entered}");
    }
}

/// A closure of an app that takes a column for something else is told so, and the file is not called damaged.
#[test]
fn a_closure_that_reads_another_type_is_told_so() {
    let (db, _folder) = bed();
    insert(&db, "a").unwrap();
    let read = db.query_map("SELECT id FROM notes", &[], |row| row.get::<_, i64>(0));
    assert_eq!(read.unwrap_err().code(), "sql");
}

/// A group that a system transaction appends continues the chains and the numbers.
#[test]
fn an_appended_group_follows_the_newest_ops() {
    let (db, _folder) = bed();
    insert(&db, "a").unwrap();
    let op = |title: &str| Op {
        kind: OpKind::Update,
        table: "notes".to_owned(),
        id: "a".to_owned(),
        base: 0,
        set: fields(&[("title", Value::from(title))]),
        inc: std::collections::BTreeMap::new(),
        was: fields(&[("title", Value::from("a"))]),
        was_hash: std::collections::BTreeMap::new(),
    };
    db.system(|sys| {
        let grp = sys.append_group(Gid::from_random(9), &[(op("b"), None), (op("c"), None)])?;
        assert_eq!(grp, 2);
        let mut row = sys.stored("notes", "a")?.unwrap();
        row.fields.insert("title".to_owned(), Value::from("c"));
        row.p = Some(3);
        sys.put("notes", "a", &row)
    })
    .unwrap();
    insert(&db, "b").unwrap();
    db.system(|sys| {
        let chain: Vec<i64> = sys.ops_in_fold("notes", Some(3))?.iter().map(|op| op.op).collect();
        assert_eq!(chain, [1, 2, 3]);
        assert_eq!(sys.op(4)?.unwrap().grp, 3);
        assert_eq!(sys.op(4)?.unwrap().state, GroupState::New);
        Ok(())
    })
    .unwrap();
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
}

/// A chain skips ops that were refused and ends at one that is in the base.
#[test]
fn a_chain_skips_the_refused_and_ends_at_the_confirmed() {
    let (db, _folder) = bed();
    for title in ["one", "two", "three", "four"] {
        db.write(move |tx| tx.upsert("notes", "a", [("title", title)])).unwrap();
    }
    db.system(|sys| {
        sys.conn().execute("UPDATE _ts_groups SET state = 3 WHERE grp = 2", [])?;
        sys.conn().execute("UPDATE _ts_groups SET state = 4 WHERE grp = 3", [])?;
        let chain: Vec<i64> = sys.ops_in_fold("notes", Some(4))?.iter().map(|op| op.op).collect();
        assert_eq!(chain, [4]);
        sys.settle(2, 2)?;
        assert_eq!(sys.meta::<i64>(Key::SettledOps)?, Some(2));
        sys.settle(-1, -1)?;
        assert_eq!(sys.meta::<i64>(Key::SettledOps)?, Some(1));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_failed_system_transaction_leaves_no_trace() {
    let (db, _folder) = bed();
    insert(&db, "a").unwrap();
    let failed = db.system(|sys| {
        sys.set_meta(Key::AppliedN, Some(41))?;
        sys.remove("notes", "a", None)?;
        Err::<(), _>(Error::Busy)
    });
    assert_eq!(failed, Err(Error::Busy));
    insert(&db, "b").unwrap();
    let rows = db.query("SELECT body FROM _ts_ops WHERE op = 2 AND body LIKE '{\"base\":0,%'", &[]).unwrap().rows;
    assert_eq!(rows.len(), 1);
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
}

/// What is bound does not make SQLite compile a statement anew, and the partial index serves it all the same.
#[test]
fn a_statement_is_compiled_once_whatever_is_bound() {
    let (db, _folder) = bed();
    ["a", "b", "c"].iter().for_each(|id| insert(&db, id).unwrap());
    db.system(|sys| {
        let by_seq = "SELECT grp FROM _ts_groups WHERE seq = ?1";
        for seq in 1..=3 {
            sys.conn().execute("UPDATE _ts_groups SET seq = ?1 WHERE grp = ?1", [seq])?;
        }
        let mut found = sys.conn().prepare(by_seq)?;
        for seq in 1..=3 {
            assert_eq!(found.query_row([seq], |row| row.get::<_, i64>(0))?, seq);
        }
        assert_eq!(found.get_status(rusqlite::StatementStatus::RePrepare), 0);
        let plan: String =
            sys.conn().query_row(&format!("EXPLAIN QUERY PLAN {by_seq}"), [1], |row| row.get("detail"))?;
        assert!(plan.contains("_ts_groups_seq"), "{plan}");
        Ok(())
    })
    .unwrap();
}
