//! A seed is a replay: equal runs make equal steps and equal bytes. Disks can be copied, and counted.
//! One test only: SQLite's random generator is one per process, and tests share a process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;
use common::*;
use turnstone_vfs::{Damage, Disk, Mount, seed_sqlite_randomness};

fn run_seeded(name: &str, seed: u32) -> (u64, u64, Vec<u64>) {
    seed_sqlite_randomness(seed);
    let disk = Disk::new();
    let mount = Mount::new(name, &disk);
    let (send, damages) = std::sync::mpsc::channel();
    disk.watch_steps(Some(Box::new(move |step| {
        let _ = send.send(step.power_loss(step.step).hash());
    })));
    run(&mount, WAL_FULL, &Acked::default()).unwrap();
    disk.watch_steps(None);
    (disk.trace_hash(), disk.snapshot().hash(), damages.iter().collect())
}

#[test]
fn equal_seeds_give_equal_runs_and_copies_are_independent() {
    let first = run_seeded("replay-1", 42);
    let again = run_seeded("replay-2", 42);
    let other = run_seeded("replay-3", 43);
    assert_eq!(first, again);
    assert_eq!(first.0, other.0, "the steps do not depend on chance");
    assert_ne!(first.2, other.2, "the bytes of the WAL do");

    let disk = Disk::new();
    let mount = Mount::new("replay-copies", &disk);
    let mut db = open_as(&mount, WAL_NORMAL).unwrap();
    create(&db).unwrap();
    transaction(&mut db, 1).unwrap();
    let backup = disk.snapshot();
    let twin_disk = Disk::from_image(&backup);
    let twin = Mount::new("replay-twin", &twin_disk);
    transaction(&mut db, 2).unwrap();
    let prefixes = prefixes();
    assert_eq!(contents(&open(&twin).unwrap()).unwrap().unwrap(), prefixes[1]);
    assert_eq!(contents(&db).unwrap().unwrap(), prefixes[2]);
    assert!(disk.unsynced_sectors() > 0);
    let none = disk.power_loss_with(Damage::Lost, 0);
    let all = disk.power_loss_with(Damage::Kept, 0);
    assert_eq!(all, disk.snapshot());
    assert_ne!(none, all);
    let wal = &disk.stats()["/app.db-wal"];
    assert!(wal.writes > 10 && wal.written_bytes > 10_000, "{wal:?}");

    disk.restore(&backup);
    assert!(contents(&db).is_err(), "the old connection is dead");
    assert_eq!(contents(&open(&mount).unwrap()).unwrap().unwrap(), prefixes[1]);
}
