//! Storage beside plain rusqlite, in turns: `cargo run --profile ci --example measure_writes -- [rounds] [folder]`.
//! The full benchmarks live in `benches`; this one needs no server and is for working on the storage.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs
)]

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, params};
use turnstone::storage::{Database, OpenOptions};
use turnstone::{Clock, Durability, Entropy, Schema, Value};

const SCHEMA: &str = r#"
name = "notes"
version = 1
[tables.notes.fields]
title = { type = "text", default = "" }
body = { type = "text", default = "" }
updated_at = { type = "timestamp", default = 0 }
pinned = { type = "boolean", default = false }
tag = { type = "text", default = "" }
[[tables.notes.indexes]]
name = "notes_by_pinned"
fields = ["pinned", "updated_at"]
"#;

const LIMIT: &str = "PRAGMA journal_mode=WAL;
CREATE TABLE notes(id TEXT NOT NULL PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL, updated_at INTEGER NOT NULL,
  pinned INTEGER NOT NULL, tag TEXT NOT NULL) STRICT;
CREATE INDEX notes_by_pinned ON notes(pinned, updated_at);
CREATE TABLE log(n INTEGER PRIMARY KEY, op TEXT NOT NULL) STRICT;";

struct Work {
    single: usize,
    batches: usize,
    full: bool,
}

fn cpu_us() -> f64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    t.tv_sec as f64 * 1e6 + t.tv_nsec as f64 / 1e3
}

type Times = Vec<(&'static str, f64, f64)>;

struct Meter {
    out: Times,
}

impl Meter {
    fn time(&mut self, name: &'static str, n: usize, run: impl FnOnce()) {
        let (cpu, wall) = (cpu_us(), Instant::now());
        run();
        self.out.push((name, wall.elapsed().as_secs_f64() * 1e6 / n as f64, (cpu_us() - cpu) / n as f64));
    }
}

fn title(n: usize) -> String {
    format!("a title of about forty characters {n:06}")
}

fn note(n: usize, body: &str) -> [(&'static str, Value); 5] {
    [
        ("title", Value::Text(title(n))),
        ("body", Value::Text(body.to_owned())),
        ("updated_at", Value::Int(1_700_000_000_000 + n as i64)),
        ("pinned", Value::Bool(n.is_multiple_of(10))),
        ("tag", Value::Text("tag".to_owned())),
    ]
}

fn ours(path: &Path, work: &Work, body: &str) -> Times {
    let mut options = OpenOptions::new(Clock::system(), Entropy::system());
    options.durability = if work.full { Durability::Power } else { Durability::Process };
    let db = Database::open(path, &Schema::parse(SCHEMA).unwrap(), &options).unwrap();
    let mut meter = Meter { out: Vec::new() };
    let mut ids = Vec::new();
    meter.time("create", work.single, || {
        for n in 0..work.single {
            let note = note(n, body);
            ids.push(db.write(move |tx| tx.insert("notes", note)).unwrap());
        }
    });
    meter.time("batch", work.batches * 1000, || {
        for b in 0..work.batches {
            let notes: Vec<_> = (0..1000).map(|n| note(b * 1000 + n, body)).collect();
            ids.extend(
                db.write(move |tx| {
                    notes.into_iter().map(|note| tx.insert("notes", note)).collect::<Result<Vec<_>, _>>()
                })
                .unwrap(),
            );
        }
    });
    let mut rng = fastrand::Rng::with_seed(3);
    meter.time("update", work.single, || {
        for n in 0..work.single {
            let id = ids[rng.usize(..ids.len())].clone();
            db.write(move |tx| tx.update("notes", &id, [("title", title(n))])).unwrap();
        }
    });
    meter.time("sql", 20_000, || {
        for n in 0..20i64 {
            db.execute(
                "UPDATE notes SET tag = ?1 WHERE rowid > ?2 AND rowid <= ?3",
                &[Value::from(format!("tag {n}")), Value::Int(n % 5 * 1000), Value::Int(n % 5 * 1000 + 1000)],
            )
            .unwrap();
        }
    });
    let mut sum = 0;
    meter.time("get", 20_000, || {
        for _ in 0..20_000 {
            let row = db.get("notes", &ids[rng.usize(..ids.len())]).unwrap().unwrap();
            sum += row.text("title").unwrap().len();
        }
    });
    meter.time("query50", 300, || {
        for _ in 0..300 {
            let found = db.query_map(
                "SELECT id, title, body, updated_at FROM notes WHERE pinned = 1 ORDER BY updated_at DESC LIMIT 50",
                &[],
                |row| {
                    Ok((
                        row.get::<_, String>(0)?,
                        row.get::<_, String>(1)?,
                        row.get::<_, String>(2)?,
                        row.get::<_, i64>(3)?,
                    ))
                },
            );
            sum += found.unwrap().len();
        }
    });
    meter.time("scan", ids.len(), || {
        let found = db.query_map("SELECT id, title, body, updated_at, pinned, tag FROM notes", &[], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, i64>(3)?,
                row.get::<_, bool>(4)?,
                row.get::<_, String>(5)?,
            ))
        });
        sum += found.unwrap().len();
    });
    assert!(sum > 0);
    db.close().unwrap();
    meter.time("open", 1, || {
        let db = Database::open(path, &Schema::parse(SCHEMA).unwrap(), &options).unwrap();
        db.query("SELECT title FROM notes WHERE pinned = 1 ORDER BY updated_at DESC LIMIT 50", &[]).unwrap();
    });
    if work.full {
        group(path, &options, &mut meter, body);
    }
    meter.out
}

fn group(path: &Path, options: &OpenOptions, meter: &mut Meter, body: &str) {
    let db = Database::open(path, &Schema::parse(SCHEMA).unwrap(), options).unwrap();
    meter.time("group16", 16 * 200, || {
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for n in 0..200 {
                        let note = note(n, body);
                        db.write(move |tx| tx.insert("notes", note)).unwrap();
                    }
                });
            }
        });
    });
}

fn limit(path: &Path, work: &Work, body: &str) -> Times {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(LIMIT).unwrap();
    conn.pragma_update(None, "synchronous", if work.full { "FULL" } else { "NORMAL" }).unwrap();
    conn.set_prepared_statement_cache_capacity(32);
    let mut meter = Meter { out: Vec::new() };
    let mut ids: Vec<String> = Vec::new();
    let mut rng = fastrand::Rng::with_seed(3);
    let run = |sql: &str| conn.prepare_cached(sql).unwrap().execute([]).unwrap();
    let insert = |ids: &mut Vec<String>, rng: &mut fastrand::Rng, n: usize| {
        let id = uuid::Builder::from_unix_timestamp_millis(
            1_700_000_000_000 + ids.len() as u64 / 20,
            &rng.u128(..).to_be_bytes()[6..].try_into().unwrap(),
        )
        .as_uuid()
        .to_string();
        let (title, at) = (title(n), 1_700_000_000_000 + n as i64);
        conn.prepare_cached(
            "INSERT INTO notes(id, title, body, updated_at, pinned, tag) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .unwrap()
        .execute(params![id, title, body, at, n.is_multiple_of(10), "tag"])
        .unwrap();
        let op = serde_json::json!({"op": "create", "table": "notes", "row": {"id": id, "title": title, "body": body, "updated_at": at, "pinned": n.is_multiple_of(10), "tag": "tag"}});
        conn.prepare_cached("INSERT INTO log(op) VALUES (?1)").unwrap().execute([op.to_string()]).unwrap();
        ids.push(id);
    };
    meter.time("create", work.single, || {
        for n in 0..work.single {
            run("BEGIN IMMEDIATE");
            insert(&mut ids, &mut rng, n);
            run("COMMIT");
        }
    });
    meter.time("batch", work.batches * 1000, || {
        for b in 0..work.batches {
            run("BEGIN IMMEDIATE");
            for n in 0..1000 {
                insert(&mut ids, &mut rng, b * 1000 + n);
            }
            run("COMMIT");
        }
    });
    let log_update = |id: &str, field: &str, value: &str| {
        let op = serde_json::json!({"op": "update", "table": "notes", "id": id, field: value});
        conn.prepare_cached("INSERT INTO log(op) VALUES (?1)").unwrap().execute([op.to_string()]).unwrap();
    };
    meter.time("update", work.single, || {
        for n in 0..work.single {
            let id = &ids[rng.usize(..ids.len())];
            run("BEGIN IMMEDIATE");
            conn.prepare_cached("UPDATE notes SET title = ?2 WHERE id = ?1")
                .unwrap()
                .execute(params![id, title(n)])
                .unwrap();
            log_update(id, "title", &title(n));
            run("COMMIT");
        }
    });
    meter.time("sql", 20_000, || {
        for n in 0..20i64 {
            let (from, to) = (n % 5 * 1000, n % 5 * 1000 + 1000);
            run("BEGIN IMMEDIATE");
            conn.prepare_cached("UPDATE notes SET tag = ?1 WHERE rowid > ?2 AND rowid <= ?3")
                .unwrap()
                .execute(params![format!("tag {n}"), from, to])
                .unwrap();
            for at in from..to {
                log_update(&ids[at as usize], "tag", "tag");
            }
            run("COMMIT");
        }
    });
    let mut sum = 0;
    meter.time("get", 20_000, || {
        for _ in 0..20_000 {
            let row: (String, String, i64, bool, String) = conn
                .prepare_cached("SELECT title, body, updated_at, pinned, tag FROM notes WHERE id = ?1")
                .unwrap()
                .query_row([&ids[rng.usize(..ids.len())]], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
                })
                .unwrap();
            sum += row.0.len();
        }
    });
    meter.time("query50", 300, || {
        for _ in 0..300 {
            let mut statement = conn
                .prepare_cached(
                    "SELECT id, title, body, updated_at FROM notes WHERE pinned = 1 ORDER BY updated_at DESC LIMIT 50",
                )
                .unwrap();
            let found: Vec<(String, String, String, i64)> = statement
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            sum += found.len();
        }
    });
    meter.time("scan", ids.len(), || {
        let mut statement = conn.prepare_cached("SELECT id, title, body, updated_at, pinned, tag FROM notes").unwrap();
        let found: Vec<(String, String, String, i64, bool, String)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        sum += found.len();
    });
    assert!(sum > 0);
    drop(conn);
    meter.time("open", 1, || {
        let conn = Connection::open(path).unwrap();
        conn.prepare("SELECT title FROM notes WHERE pinned = 1 ORDER BY updated_at DESC LIMIT 50")
            .unwrap()
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap()
            .for_each(drop);
    });
    if work.full {
        let conn = Connection::open(path).unwrap();
        conn.pragma_update(None, "synchronous", "FULL").unwrap();
        meter.time("group16", 500, || {
            for n in 0..500 {
                conn.prepare_cached("BEGIN IMMEDIATE").unwrap().execute([]).unwrap();
                conn.prepare_cached(
                    "INSERT INTO notes(id, title, body, updated_at, pinned, tag) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )
                .unwrap()
                .execute(params![format!("g{n}"), title(n), body, 1, false, "tag"])
                .unwrap();
                conn.prepare_cached("INSERT INTO log(op) VALUES (?1)").unwrap().execute([body]).unwrap();
                conn.prepare_cached("COMMIT").unwrap().execute([]).unwrap();
            }
        });
    }
    meter.out
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let rounds: usize = args.get(1).map_or(5, |n| n.parse().unwrap());
    let root = args.get(2).map_or_else(std::env::temp_dir, Into::into);
    let full = args.get(3).is_some_and(|mode| mode == "full");
    let work = Work { single: if full { 300 } else { 3000 }, batches: 20, full };
    let mut rng = fastrand::Rng::with_seed(7);
    let body: String = (0..400).map(|_| rng.alphanumeric()).collect();
    let mut all: Vec<(Times, Times)> = Vec::new();
    for _ in 0..rounds {
        let folder = tempfile::tempdir_in(&root).unwrap();
        let limit = limit(&folder.path().join("limit.db"), &work, &body);
        let ours = ours(&folder.path().join("ours.db"), &work, &body);
        all.push((limit, ours));
    }
    println!(
        "{:10} {:>10} {:>10} {:>7}   cpu: {:>8} {:>8} {:>7}",
        "", "limit us", "ours us", "ratio", "limit", "ours", "ratio"
    );
    for at in 0..all[0].0.len() {
        let median = |pick: &dyn Fn(&(Times, Times)) -> f64| {
            let mut values: Vec<f64> = all.iter().map(pick).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        println!(
            "{:10} {:10.2} {:10.2} {:7.2}        {:8.2} {:8.2} {:7.2}",
            all[0].0[at].0,
            median(&|pair| pair.0[at].1),
            median(&|pair| pair.1[at].1),
            median(&|pair| pair.0[at].1 / pair.1[at].1),
            median(&|pair| pair.0[at].2),
            median(&|pair| pair.1[at].2),
            median(&|pair| pair.0[at].2 / pair.1[at].2),
        );
    }
}
