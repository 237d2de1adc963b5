//! Measures the choices that ADR 0011 and 0057 stand on, with plain rusqlite, interleaved: every variant once per
//! round, the median of the rounds. `cargo run --profile ci --example measure_storage -- [rounds] [dir]`.
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

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, params};

#[derive(Clone, Copy)]
struct Variant {
    name: &'static str,
    rowid: bool,
    /// 0 none, 1 `WHEN` a flag function then OLD values, 2 a function with OLD values at once.
    triggers: u8,
    groups: bool,
    /// `OR FAIL`: no statement journal.
    fail: bool,
    body: usize,
}

const VARIANTS: &[Variant] = &[
    Variant { name: "limit: rowid, log", rowid: true, triggers: 0, groups: false, fail: false, body: 400 },
    Variant { name: "without rowid, log", rowid: false, triggers: 0, groups: false, fail: false, body: 400 },
    Variant { name: "rowid, log, groups", rowid: true, triggers: 0, groups: true, fail: false, body: 400 },
    Variant { name: "without rowid, log, groups", rowid: false, triggers: 0, groups: true, fail: false, body: 400 },
    Variant { name: "rowid, log, WHEN flag trigger", rowid: true, triggers: 1, groups: false, fail: false, body: 400 },
    Variant { name: "rowid, log, function trigger", rowid: true, triggers: 2, groups: false, fail: false, body: 400 },
    Variant {
        name: "without rowid, function trigger",
        rowid: false,
        triggers: 2,
        groups: false,
        fail: false,
        body: 400,
    },
    Variant { name: "rowid, WHEN flag, OR FAIL", rowid: true, triggers: 1, groups: false, fail: true, body: 400 },
    Variant { name: "rowid, function, OR FAIL", rowid: true, triggers: 2, groups: false, fail: true, body: 400 },
    Variant { name: "rowid, WHEN column", rowid: true, triggers: 3, groups: false, fail: false, body: 400 },
    Variant { name: "rowid, WHEN column, OR FAIL", rowid: true, triggers: 3, groups: false, fail: true, body: 400 },
    Variant { name: "limit 6 KB", rowid: true, triggers: 0, groups: false, fail: false, body: 6000 },
    Variant { name: "without rowid 6 KB", rowid: false, triggers: 0, groups: false, fail: false, body: 6000 },
];

fn open(path: &Path, v: Variant) -> Connection {
    let _ = std::fs::remove_file(path);
    for s in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{s}", path.display()));
    }
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;").unwrap();
    let tail = if v.rowid { "STRICT" } else { "STRICT, WITHOUT ROWID" };
    conn.execute_batch(&format!(
        "CREATE TABLE notes(id TEXT NOT NULL PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL,
           updated_at INTEGER NOT NULL, pinned INTEGER NOT NULL, tag TEXT NOT NULL,
           _v INTEGER NOT NULL DEFAULT 0, _p INTEGER, _extra TEXT) {tail};
         CREATE INDEX i ON notes(pinned, updated_at);
         CREATE TABLE log(op INTEGER PRIMARY KEY, tbl TEXT NOT NULL, row_id TEXT NOT NULL, body TEXT NOT NULL) STRICT;
         CREATE TABLE groups(grp INTEGER PRIMARY KEY, gid BLOB, state INTEGER, wall INTEGER, boot BLOB) STRICT;"
    ))
    .unwrap();
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
    conn.create_scalar_function("cap", 0, flags, |_| Ok(0i64)).unwrap();
    conn.create_scalar_function("note", -1, flags, |_| Ok(0i64)).unwrap();
    let when = if v.triggers == 1 { "WHEN cap()" } else { "" };
    let (wi, wu) = if v.triggers == 3 { ("WHEN NEW._p IS NULL", "WHEN NEW._p IS OLD._p") } else { (when, when) };
    if v.triggers > 0 {
        conn.execute_batch(&format!(
            "CREATE TRIGGER ti AFTER INSERT ON notes {wi} BEGIN SELECT note('notes', NEW.id, NEW._v, NEW._p, NEW._extra); END;
             CREATE TRIGGER tu AFTER UPDATE ON notes {wu} BEGIN SELECT note('notes', OLD.id, NEW.id, OLD._v, OLD._p, OLD._extra,
               OLD.title, OLD.body, OLD.updated_at, OLD.pinned, OLD.tag); END;
             CREATE TRIGGER td AFTER DELETE ON notes {when} BEGIN SELECT note('notes', OLD.id, OLD._v, OLD._p, OLD._extra,
               OLD.title, OLD.body, OLD.updated_at, OLD.pinned, OLD.tag); END;"
        ))
        .unwrap();
    }
    conn
}

fn uuid(rng: &mut fastrand::Rng, n: u64) -> String {
    let ms = 1_700_000_000_000u64 + n / 8;
    uuid::Builder::from_unix_timestamp_millis(ms, &rng.u128(..).to_be_bytes()[6..].try_into().unwrap())
        .as_uuid()
        .to_string()
}

fn run(dir: &Path, v: Variant, rows: u64) -> Vec<(&'static str, f64)> {
    let mut rng = fastrand::Rng::with_seed(7);
    let conn = open(&dir.join("m.db"), v);
    let body: String = (0..v.body).map(|_| rng.alphanumeric()).collect();
    let op = format!(
        "{{\"base\":0,\"set\":{{\"body\":\"{body}\",\"pinned\":false,\"tag\":\"x\",\"title\":\"a title of about forty characters, yes\",\"updated_at\":1700000000000}}}}"
    );
    let or = if v.fail { "OR FAIL" } else { "" };
    let mut ins = conn
        .prepare(&format!(
            "INSERT {or} INTO notes(id,title,body,updated_at,pinned,tag,_p) VALUES(?1,?2,?3,?4,?5,?6,?7)"
        ))
        .unwrap();
    let mut log = conn.prepare("INSERT INTO log(tbl,row_id,body) VALUES(?1,?2,?3)").unwrap();
    let mut grp = conn.prepare("INSERT INTO groups(gid,state,wall,boot) VALUES(?1,0,?2,?3)").unwrap();
    let mut begin = conn.prepare("BEGIN IMMEDIATE").unwrap();
    let mut commit = conn.prepare("COMMIT").unwrap();
    let mut out = Vec::new();
    let title = "a title of about forty characters, yes";
    let mut ids = Vec::new();
    let insert = |ids: &mut Vec<String>,
                  ins: &mut rusqlite::Statement,
                  log: &mut rusqlite::Statement,
                  rng: &mut fastrand::Rng| {
        let n = ids.len() as u64;
        let id = uuid(rng, n);
        ins.execute(params![id, title, body, 1_700_000_000_000i64 + n as i64, n.is_multiple_of(10), "tag", n as i64])
            .unwrap();
        log.execute(params!["notes", id, op]).unwrap();
        ids.push(id);
    };
    let t = Instant::now();
    for _ in 0..rows / 100 {
        begin.execute([]).unwrap();
        for _ in 0..100 {
            insert(&mut ids, &mut ins, &mut log, &mut rng);
        }
        commit.execute([]).unwrap();
    }
    out.push(("batch", t.elapsed().as_secs_f64() * 1e6 / rows as f64));
    let singles = 3000;
    let t = Instant::now();
    for _ in 0..singles {
        begin.execute([]).unwrap();
        insert(&mut ids, &mut ins, &mut log, &mut rng);
        if v.groups {
            grp.execute(params![[7u8; 16], 1_700_000_000_000i64, [8u8; 16]]).unwrap();
        }
        commit.execute([]).unwrap();
    }
    out.push(("create", t.elapsed().as_secs_f64() * 1e6 / f64::from(singles)));
    let mut upd = conn.prepare(&format!("UPDATE {or} notes SET title=?1, _p=?2 WHERE id=?3")).unwrap();
    let short = "{\"base\":0,\"set\":{\"title\":\"a title of about forty characters, yes\"},\"was\":{\"title\":\"a title of about forty characters, yes\"}}";
    let t = Instant::now();
    for n in 0..singles {
        let id = &ids[rng.usize(..ids.len())];
        begin.execute([]).unwrap();
        upd.execute(params![title, n, id]).unwrap();
        log.execute(params!["notes", id, short]).unwrap();
        if v.groups {
            grp.execute(params![[7u8; 16], 1_700_000_000_000i64, [8u8; 16]]).unwrap();
        }
        commit.execute([]).unwrap();
    }
    out.push(("update", t.elapsed().as_secs_f64() * 1e6 / f64::from(singles)));
    let t = Instant::now();
    for n in 0..20 {
        begin.execute([]).unwrap();
        let from = 1_700_000_000_000i64 + n * 1000;
        conn.prepare_cached("UPDATE notes SET tag='other' WHERE updated_at >= ?1 AND updated_at < ?2").unwrap();
        conn.prepare_cached(
            "UPDATE notes INDEXED BY i SET tag='other' WHERE pinned IN (0,1) AND updated_at >= ?1 AND updated_at < ?2",
        )
        .unwrap()
        .execute([from, from + 1000])
        .unwrap();
        commit.execute([]).unwrap();
    }
    out.push(("sql/row", t.elapsed().as_secs_f64() * 1e6 / 20_000.0));
    let mut get = conn.prepare("SELECT title,body,updated_at,pinned,tag FROM notes WHERE id=?1").unwrap();
    let t = Instant::now();
    let mut sum = 0;
    for _ in 0..20_000 {
        let id = &ids[rng.usize(..ids.len())];
        sum += get.query_row([id], |r| Ok(r.get::<_, String>(1)?.len() + r.get::<_, String>(0)?.len())).unwrap();
    }
    out.push(("get", t.elapsed().as_secs_f64() * 1e6 / 20_000.0));
    let mut q = conn
        .prepare("SELECT id,title,body,updated_at FROM notes WHERE pinned=1 ORDER BY updated_at DESC LIMIT 50")
        .unwrap();
    let t = Instant::now();
    for _ in 0..300 {
        sum += q.query_map([], |r| Ok(r.get::<_, String>(2)?.len())).unwrap().map(|n| n.unwrap()).sum::<usize>();
    }
    out.push(("query50", t.elapsed().as_secs_f64() * 1e6 / 300.0));
    let mut q = conn.prepare("SELECT id,title,body,updated_at,pinned,tag FROM notes").unwrap();
    let t = Instant::now();
    let mut n = 0;
    let mut rows = q.query([]).unwrap();
    while let Some(r) = rows.next().unwrap() {
        sum += r.get::<_, String>(2).unwrap().len() + r.get::<_, String>(0).unwrap().len();
        n += 1;
    }
    out.push(("scan/row", t.elapsed().as_secs_f64() * 1e6 / f64::from(n)));
    assert!(sum > 0);
    out.push(("MB", std::fs::metadata(dir.join("m.db")).unwrap().len() as f64 / 1e6));
    out
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let rounds: usize = args.get(1).map_or(5, |n| n.parse().unwrap());
    let dir = args.get(2).map_or_else(std::env::temp_dir, Into::into);
    let mut all: Vec<Vec<Vec<(&str, f64)>>> = vec![Vec::new(); VARIANTS.len()];
    for _ in 0..rounds {
        for (i, v) in VARIANTS.iter().enumerate() {
            let rows = if v.body > 1000 { 10_000 } else { 50_000 };
            all[i].push(run(&dir, *v, rows));
        }
    }
    for (i, v) in VARIANTS.iter().enumerate() {
        print!("{:34}", v.name);
        for (m, (name, _)) in all[i][0].iter().enumerate() {
            let mut times: Vec<f64> = all[i].iter().map(|r| r[m].1).collect();
            times.sort_by(f64::total_cmp);
            print!(" {name} {:7.2}", times[rounds / 2]);
        }
        println!();
    }
}
