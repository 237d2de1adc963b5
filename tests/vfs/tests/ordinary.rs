//! Without faults the disk must be an ordinary one: SQLite works on it in every journal mode, locks
//! conflict as they do between processes, WAL readers and writers do not wait for each other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "threads are what is tested")]

mod common;
use common::*;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use turnstone_vfs::{Disk, Mount, Sleep};

fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    error.sqlite_error_code()
}

fn count(db: &Connection) -> i64 {
    db.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
}

#[test]
fn every_journal_mode_works_and_passes_integrity_check() {
    for journal in ["DELETE", "TRUNCATE", "PERSIST", "WAL", "MEMORY"] {
        let disk = Disk::new();
        let mount = Mount::new(&format!("ordinary-{journal}"), &disk);
        let mode = Mode { journal, synchronous: "FULL" };
        run(&mount, mode, &Acked::default()).unwrap();
        assert_eq!(examine(&mount, &prefixes()), Found::Prefix(TRANSACTIONS), "{journal}");
        assert_eq!(disk.open_handles(), 0, "{journal}");
        open(&mount).unwrap().execute_batch("VACUUM").unwrap();
        assert_eq!(examine(&mount, &prefixes()), Found::Prefix(TRANSACTIONS));
    }
}

#[test]
fn temporary_files_large_sorts_and_attached_databases_work() {
    let disk = Disk::new();
    let mount = Mount::new("ordinary-temp", &disk);
    let db = open_as(&mount, WAL_FULL).unwrap();
    db.execute_batch(
        "PRAGMA temp_store=FILE; PRAGMA temp.cache_size=4;
         CREATE TEMP TABLE big(x, y);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
           INSERT INTO big SELECT i, hex(zeroblob(40)) || i FROM n;
         CREATE INDEX temp.big_y ON big(y);
         ATTACH '/other.db' AS other;
         CREATE TABLE other.t AS SELECT * FROM big ORDER BY y DESC;",
    )
    .unwrap();
    let n: i64 = db.query_row("SELECT count(DISTINCT y) FROM other.t", [], |r| r.get(0)).unwrap();
    assert_eq!(n, 5000);
    assert!(disk.stats()[""].writes > 0, "temporary files were used");
    drop(db);
    assert_eq!(disk.open_handles(), 0);
    let names: Vec<String> = disk.snapshot().iter().map(|f| f.0.to_owned()).collect();
    assert_eq!(names, ["/app.db", "/other.db"]);
}

#[test]
fn a_second_writer_is_told_busy_and_a_reader_is_not() {
    for mode in [WAL_FULL, DELETE_FULL] {
        let disk = Disk::new();
        let mount = Mount::new(&format!("ordinary-busy-{}", mode.journal), &disk);
        let second_process = Mount::new(&format!("ordinary-busy2-{}", mode.journal), &disk);
        let mut one = open_as(&mount, mode).unwrap();
        create(&one).unwrap();
        transaction(&mut one, 1).unwrap();
        for mut two in [open(&mount).unwrap(), open(&second_process).unwrap()] {
            two.busy_timeout(std::time::Duration::ZERO).unwrap();
            let tx = one.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
            tx.execute("DELETE FROM t WHERE id = 10", []).unwrap();
            let denied = two.transaction_with_behavior(TransactionBehavior::Immediate);
            assert_eq!(code(&denied.map(drop).unwrap_err()), Some(ErrorCode::DatabaseBusy));
            assert_eq!(count(&two), 6);
            tx.rollback().unwrap();
            transaction(&mut two, 1).unwrap_err(); // the ids are there: an ordinary refusal
            two.execute("UPDATE t SET seen = 9", []).unwrap();
        }
    }
}

#[test]
fn a_delete_mode_writer_waits_for_readers_to_leave_and_keeps_new_ones_out() {
    let disk = Disk::new();
    let mount = Mount::new("ordinary-pending", &disk);
    let mut writer = open_as(&mount, DELETE_FULL).unwrap();
    create(&writer).unwrap();
    transaction(&mut writer, 1).unwrap();
    let (mut reader, late) = (open(&mount).unwrap(), open(&mount).unwrap());
    for db in [&writer, &reader, &late] {
        db.busy_timeout(std::time::Duration::ZERO).unwrap();
    }
    let reading = reader.transaction().unwrap();
    assert_eq!(count(&reading), 6);
    writer.execute_batch("BEGIN; DELETE FROM t").unwrap();
    let busy = writer.execute_batch("COMMIT").unwrap_err();
    assert_eq!(code(&busy), Some(ErrorCode::DatabaseBusy));
    let kept_out = late.query_row("SELECT count(*) FROM t", [], |r| r.get::<_, i64>(0));
    assert_eq!(code(&kept_out.unwrap_err()), Some(ErrorCode::DatabaseBusy), "the pending lock keeps new readers out");
    reading.commit().unwrap();
    writer.execute_batch("COMMIT").unwrap();
    assert_eq!(count(&late), 0);
}

#[test]
fn a_wal_reader_keeps_its_snapshot_while_others_write_and_checkpoint() {
    let disk = Disk::new();
    let mount = Mount::new("ordinary-snapshot", &disk);
    let mut writer = open_as(&mount, WAL_FULL).unwrap();
    create(&writer).unwrap();
    transaction(&mut writer, 1).unwrap();
    let mut reader = open(&mount).unwrap();
    let reading = reader.transaction().unwrap();
    let before = contents(&reading).unwrap();
    for i in 2..=TRANSACTIONS {
        transaction(&mut writer, i).unwrap();
        let (busy, log, done) = checkpoint(&writer, "PASSIVE");
        assert_eq!(busy, 0);
        assert!(done <= log);
        assert_eq!(contents(&reading).unwrap(), before);
    }
    writer.busy_timeout(std::time::Duration::ZERO).unwrap();
    assert_eq!(checkpoint(&writer, "TRUNCATE").0, 1, "the reader is in the way");
    reading.commit().unwrap();
    assert_eq!(checkpoint(&writer, "TRUNCATE"), (0, 0, 0));
    assert_eq!(contents(&reader).unwrap(), prefixes().pop());
}

fn checkpoint(db: &Connection, kind: &str) -> (i64, i64, i64) {
    let sql = format!("PRAGMA wal_checkpoint({kind})");
    db.query_row(&sql, [], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).unwrap()
}

#[test]
fn threads_write_and_read_through_connections_of_their_own() {
    for mode in [WAL_NORMAL, DELETE_FULL] {
        let disk = Disk::new();
        let mount = Mount::new(&format!("ordinary-threads-{}", mode.journal), &disk);
        mount.set_sleep(Sleep::Real);
        let db = open_as(&mount, mode).unwrap();
        db.execute_batch("CREATE TABLE t(writer, i); CREATE TABLE total(n); INSERT INTO total VALUES (0)").unwrap();
        const WRITERS: i64 = 3;
        const ROUNDS: i64 = 60;
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let mount = &mount;
                scope.spawn(move || {
                    let mut db = open_as(mount, mode).unwrap();
                    db.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
                    for i in 0..ROUNDS {
                        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
                        tx.execute("INSERT INTO t VALUES (?1, ?2)", [writer, i]).unwrap();
                        tx.execute("UPDATE total SET n = n + 1", []).unwrap();
                        tx.commit().unwrap();
                    }
                });
            }
            let mount = &mount;
            scope.spawn(move || {
                let db = open(mount).unwrap();
                db.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
                let mut seen = 0;
                while seen < WRITERS * ROUNDS {
                    let sql = "SELECT (SELECT count(*) FROM t), (SELECT n FROM total)";
                    let pair: (i64, i64) = db.query_row(sql, [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
                    assert_eq!(pair.0, pair.1, "a reader saw half a transaction");
                    assert!(pair.0 >= seen);
                    seen = pair.0;
                    std::thread::yield_now();
                }
            });
        });
        let sound: String = db.query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
        assert_eq!(sound, "ok");
    }
}

#[test]
fn reads_of_a_missing_file_and_writes_to_a_read_only_one_are_refused() {
    let disk = Disk::new();
    let mount = Mount::new("ordinary-refusals", &disk);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let missing = Connection::open_with_flags_and_vfs(PATH, flags, mount.name());
    assert_eq!(code(&missing.map(drop).unwrap_err()), Some(ErrorCode::CannotOpen));
    create(&open(&mount).unwrap()).unwrap();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = Connection::open_with_flags_and_vfs(PATH, flags, mount.name()).unwrap();
    let refused = db.execute("INSERT INTO t VALUES (1, '', 1)", []);
    assert_eq!(code(&refused.unwrap_err()), Some(ErrorCode::ReadOnly));
    assert_eq!(count(&db), 0);
}

#[test]
fn time_is_what_the_test_says() {
    let mount = Mount::new("ordinary-time", &Disk::new());
    mount.set_time_ms(951_782_400_123);
    let now: String =
        open(&mount).unwrap().query_row("SELECT strftime('%Y-%m-%d %H:%M:%f')", [], |r| r.get(0)).unwrap();
    assert_eq!(now, "2000-02-29 00:00:00.123");
}
