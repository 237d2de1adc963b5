//! Faults that leave the machine running: I/O errors, a full disk, failed syncs, short reads, a killed
//! process. The handle must stay usable or be reopenable, and nothing acknowledged may go (I-01, I-06).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;
use common::*;
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use turnstone_vfs::{Disk, Faults, Mount, NoSpace};

const MODES: [Mode; 3] = [WAL_FULL, WAL_NORMAL, DELETE_EXTRA];

fn total_steps(name: &str, mode: Mode) -> u64 {
    let disk = Disk::new();
    let mount = Mount::new(&format!("{name}-dry"), &disk);
    run(&mount, mode, &Acked::default()).unwrap();
    disk.steps()
}

/// Goes through the workload, stopping at nothing: what failed is tried once more at its end.
/// Gives how many calls failed, and the connection.
fn run_through(mount: &Mount, mode: Mode, retry: bool) -> (usize, Option<Connection>) {
    let mut failed = 0;
    let mut attempt = |work: &mut dyn FnMut() -> rusqlite::Result<()>| {
        for _ in 0..20 {
            match work() {
                Ok(()) => return,
                Err(_) => failed += 1,
            }
            if !retry {
                return;
            }
        }
        panic!("still failing after the fault has gone");
    };
    let mut db = None;
    attempt(&mut || open_as(mount, mode).map(|opened| db = Some(opened)));
    if let Some(db) = &mut db {
        attempt(&mut || match contents(db)? {
            None => create(db),
            Some(_) => Ok(()),
        });
        for i in 1..=TRANSACTIONS {
            attempt(&mut || {
                let sql = "SELECT count(*) FROM t WHERE id >= ?1";
                let there: i64 = db.query_row(sql, [i as i64 * 10], |r| r.get(0))?;
                if there > 0 {
                    return Ok(()); // it was committed though an error was reported
                }
                transaction(db, i)
            });
        }
    }
    (failed, db)
}

#[test]
fn one_io_error_at_every_step_is_survived_by_the_same_handle() {
    let prefixes = prefixes();
    for (m, mode) in MODES.into_iter().enumerate() {
        let mount = Mount::new(&format!("faults-ioerr-{m}"), &Disk::new());
        let mut hit = 0;
        for step in 1..=total_steps("faults-ioerr", mode) {
            let disk = Disk::new();
            mount.insert(&disk);
            disk.set_faults(Faults { io_error_at: Some(step), ..Faults::default() });
            let (failed, db) = run_through(&mount, mode, true);
            hit += failed;
            drop(db);
            let found = examine(&mount, &prefixes);
            assert_eq!(found, Found::Prefix(TRANSACTIONS), "{mode:?} step {step}");
            disk.reboot(step);
            let found = examine(&mount, &prefixes);
            let durable = mode.synchronous != "NORMAL";
            assert!(found == Found::Prefix(TRANSACTIONS) || !durable, "{mode:?} step {step}: {found:?}");
        }
        assert!(hit > 50, "{mode:?}: only {hit} errors were noticed");
    }
}

#[test]
fn a_failed_sync_at_every_step_is_survived() {
    let prefixes = prefixes();
    for (m, mode) in [WAL_FULL, DELETE_EXTRA].into_iter().enumerate() {
        let mount = Mount::new(&format!("faults-sync-{m}"), &Disk::new());
        for step in 1..=total_steps("faults-sync", mode) {
            let disk = Disk::new();
            mount.insert(&disk);
            disk.set_faults(Faults { sync_error_at: Some(step), ..Faults::default() });
            let (_, db) = run_through(&mount, mode, true);
            for seed in 0..3 {
                let after = Mount::new(&format!("faults-sync-{m}-{step}-{seed}"), &Disk::new());
                after.insert(&Disk::from_image(&disk.power_loss(seed)));
                let found = examine(&after, &prefixes);
                assert_eq!(found, Found::Prefix(TRANSACTIONS), "{mode:?} step {step}");
            }
            drop(db);
        }
    }
}

#[test]
fn a_full_disk_from_every_step_on_refuses_writes_serves_reads_and_recovers() {
    let prefixes = prefixes();
    for (m, mode) in MODES.into_iter().enumerate() {
        let mount = Mount::new(&format!("faults-full-{m}"), &Disk::new());
        for step in 1..=total_steps("faults-full", mode) {
            let disk = Disk::new();
            mount.insert(&disk);
            disk.set_faults(Faults {
                no_space: Some(NoSpace { from: step, until: None, every_write: step % 2 == 0 }),
                ..Faults::default()
            });
            let (_, db) = run_through(&mount, mode, false);
            // With nothing at all left, a WAL that is not open yet cannot be opened, not even to read.
            if let Some(db) = db.as_ref().filter(|_| step % 2 == 1) {
                let read = contents(db);
                assert!(read.is_ok(), "{mode:?} step {step}: reads fail: {read:?}");
            }
            disk.set_faults(Faults::default());
            drop(db);
            let (failed, db) = run_through(&mount, mode, true);
            assert_eq!(failed, 0, "{mode:?} step {step}: space is back");
            drop(db);
            let found = examine(&mount, &prefixes);
            assert_eq!(found, Found::Prefix(TRANSACTIONS), "{mode:?} step {step}");
        }
    }
}

#[test]
fn a_capacity_is_a_full_disk_that_space_ends() {
    let disk = Disk::new();
    let mount = Mount::new("faults-capacity", &disk);
    let mut db = open_as(&mount, WAL_FULL).unwrap();
    create(&db).unwrap();
    disk.set_capacity(Some(disk.used() + 9_000));
    let full = (1..=TRANSACTIONS).find_map(|i| transaction(&mut db, i).err());
    let code = full.unwrap().sqlite_error_code();
    assert_eq!(code, Some(rusqlite::ErrorCode::DiskFull));
    let there = contents(&db).unwrap().unwrap();
    let i = prefixes().iter().position(|p| *p == there).unwrap() + 1;
    disk.set_capacity(None);
    transaction(&mut db, i).unwrap();
    assert_eq!(contents(&db).unwrap().unwrap(), prefixes()[i]);
}

#[test]
fn read_errors_and_short_reads_are_errors_or_nothing_and_pass() {
    let prefixes = prefixes();
    let disk = Disk::new();
    let mount = Mount::new("faults-reads", &disk);
    run(&mount, DELETE_FULL, &Acked::default()).unwrap();
    let image = disk.snapshot();
    let mut outcomes = BTreeSet::new();
    for number in 1..40 {
        for short in [false, true] {
            let disk = Disk::from_image(&image);
            mount.insert(&disk);
            disk.set_faults(Faults {
                read_error_at: (!short).then_some(number),
                short_read_at: short.then_some(number),
                ..Faults::default()
            });
            outcomes.insert(open(&mount).and_then(|db| contents(&db)).is_ok());
            disk.set_faults(Faults::default());
            let found = examine(&mount, &prefixes);
            assert_eq!(found, Found::Prefix(TRANSACTIONS), "read {number}");
        }
    }
    assert_eq!(outcomes.len(), 2, "some reads must have failed");
}

#[test]
fn a_kill_at_every_step_loses_nothing_even_without_syncs() {
    let prefixes = prefixes();
    for (m, mode) in [WAL_OFF, WAL_NORMAL, DELETE_OFF].into_iter().enumerate() {
        let mount = Mount::new(&format!("faults-kill-{m}"), &Disk::new());
        for step in 1..=total_steps("faults-kill", mode) {
            let disk = Disk::new();
            mount.insert(&disk);
            disk.crash_at(step);
            let acked = Acked::default();
            let _ = run(&mount, mode, &acked);
            disk.revive();
            let present = match examine(&mount, &prefixes) {
                Found::Nothing => 0,
                Found::Prefix(n) => n + 1,
                Found::Broken => panic!("{mode:?} step {step}"),
            };
            let acked = acked.load(Ordering::SeqCst);
            assert!(
                present == acked || present == acked + 1,
                "{mode:?} step {step}: {acked} acknowledged, {present} present"
            );
        }
    }
}

#[test]
fn a_killed_process_frees_its_locks_and_only_its_own() {
    let disk = Disk::new();
    let one = Mount::new("faults-kill-one", &disk);
    let two = Mount::new("faults-kill-two", &disk);
    let writer = open_as(&one, WAL_FULL).unwrap();
    create(&writer).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (1, 'half', 1)").unwrap();
    let other = open(&two).unwrap();
    other.busy_timeout(std::time::Duration::ZERO).unwrap();
    assert!(other.execute_batch("BEGIN IMMEDIATE").is_err());
    one.kill();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(contents(&other).unwrap().unwrap(), "");
    assert!(writer.execute_batch("COMMIT").is_err(), "it is dead");
    drop(writer); // and its end disturbs nobody
    let reborn = open(&one).unwrap();
    reborn.busy_timeout(std::time::Duration::ZERO).unwrap();
    assert!(reborn.execute_batch("BEGIN IMMEDIATE").is_err());
    other.execute_batch("COMMIT").unwrap();
    reborn.execute_batch("BEGIN IMMEDIATE; COMMIT").unwrap();
}

/// Why `open_as` steps that pragma to its end: SQLite commits the change after it has given the row, and
/// rusqlite's short forms (`query_row`, `execute_batch`, `pragma_update_and_check`) stop at the row.
#[test]
fn a_failed_change_to_wal_is_hidden_by_query_row_and_leaves_a_rollback_journal() {
    let disk = Disk::new();
    let mount = Mount::new("faults-pragma", &disk);
    disk.set_faults(Faults { sync_error_at: Some(1), ..Faults::default() });
    let db = open(&mount).unwrap();
    let said: String = db.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0)).unwrap();
    assert_eq!(said, "wal");
    create(&db).unwrap();
    assert!(disk.snapshot().get("/app.db-wal").is_none(), "no WAL at all");
    assert!(disk.stats()["/app.db-journal"].syncs > 0);
}
