//! Power loss at every step of a small workload (I-02), with SQLite itself as the system under test.
//! The last tests plant the bug: with `synchronous=OFF` this disk must show loss and corruption.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;
use common::*;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use turnstone_vfs::{Disk, DiskImage, Mount};

/// Transactions acknowledged (1 = the table) when the power went, and what was found.
struct Case {
    acked: usize,
    found: Found,
}

/// Cuts the power before every step, with several damages each.
fn every_step(mode: Mode, power_safe: bool, seeds: u64) -> Vec<Case> {
    static ONE_AT_A_TIME: Mutex<u32> = Mutex::new(0);
    let mut serial = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    *serial += 1;
    let disk = Disk::new();
    disk.set_power_safe_overwrite(power_safe);
    let mount = Mount::new(&format!("power-{serial}"), &disk);
    let acked = Acked::default();
    let (send, images) = mpsc::channel::<(usize, DiskImage)>();
    let progress = Arc::clone(&acked);
    disk.watch_steps(Some(Box::new(move |step| {
        for seed in 0..seeds {
            let image = step.power_loss(step.step * 1000 + seed);
            send.send((progress.load(Ordering::SeqCst), image)).unwrap();
        }
    })));
    run(&mount, mode, &acked).unwrap();
    disk.watch_steps(None);
    assert_eq!(acked.load(Ordering::SeqCst), TRANSACTIONS + 1);
    let prefixes = prefixes();
    let cases: Vec<Case> = images
        .iter()
        .map(|(acked, image)| {
            mount.insert(&Disk::from_image(&image));
            let found = examine(&mount, &prefixes);
            Case { acked, found }
        })
        .collect();
    assert!(cases.len() as u64 > 150 * seeds, "only {} cases", cases.len());
    cases
}

/// Acknowledged transactions that are missing in one case, or a verdict of breakage.
fn lost(case: &Case) -> Result<usize, String> {
    let present = match case.found {
        Found::Nothing => 0,
        Found::Prefix(n) => n + 1,
        Found::Broken => return Err(format!("broken with {} acknowledged", case.acked)),
    };
    if present > case.acked + 1 {
        return Err("more than was ever written".into());
    }
    Ok(case.acked.saturating_sub(present))
}

fn most_lost(cases: &[Case]) -> usize {
    cases.iter().map(|case| lost(case).unwrap()).max().unwrap()
}

fn broken(cases: &[Case]) -> usize {
    cases.iter().filter(|case| lost(case).is_err()).count()
}

#[test]
fn wal_full_loses_nothing() {
    assert_eq!(most_lost(&every_step(WAL_FULL, true, 8)), 0);
}

#[test]
fn wal_full_loses_nothing_on_a_disk_that_damages_neighbouring_bytes() {
    assert_eq!(most_lost(&every_step(WAL_FULL, false, 8)), 0);
}

#[test]
fn wal_normal_loses_some_of_the_newest_and_breaks_nothing() {
    let lost = most_lost(&every_step(WAL_NORMAL, true, 8));
    assert!(lost > 0, "a disk on which NORMAL loses nothing has no teeth");
}

#[test]
fn delete_extra_loses_nothing() {
    assert_eq!(most_lost(&every_step(DELETE_EXTRA, true, 8)), 0);
}

#[test]
fn delete_extra_loses_nothing_on_a_disk_that_damages_neighbouring_bytes() {
    assert_eq!(most_lost(&every_step(DELETE_EXTRA, false, 8)), 0);
}

#[test]
fn delete_full_may_undo_the_newest_as_its_documentation_says() {
    // The journal's removal is not synced: it may come back and roll the last transaction back.
    assert_eq!(most_lost(&every_step(DELETE_FULL, true, 8)), 1);
}

#[test]
fn delete_off_is_found_out() {
    assert!(broken(&every_step(DELETE_OFF, true, 8)) > 20);
}

#[test]
fn wal_off_is_found_out() {
    let cases = every_step(WAL_OFF, true, 8);
    let losing = cases.iter().filter(|c| lost(c) != Ok(0)).count();
    assert!(broken(&cases) > 20, "{} broken", broken(&cases));
    assert!(losing > 100, "{losing} losing");
}

#[test]
fn wal_on_a_disk_that_breaks_the_promise_sqlite_was_given_is_found_out() {
    // SQLite is told that neighbouring bytes are safe, and they are not: frames of acknowledged
    // transactions that share a sector with the next write must get lost now and then.
    let disk = Disk::new();
    let mount = Mount::new("power-lied", &disk);
    let mut db = open_as(&mount, WAL_FULL).unwrap();
    db.execute_batch("PRAGMA wal_autocheckpoint=0").unwrap();
    disk.set_power_safe_overwrite(false);
    create(&db).unwrap();
    db.execute_batch("CREATE TABLE other(x)").unwrap();
    let prefixes = prefixes();
    let other = Mount::new("power-lied-after", &disk);
    let mut lost_some = 0;
    for i in 1..=TRANSACTIONS {
        transaction(&mut db, i).unwrap();
        for seed in 0..20 {
            other.insert(&Disk::from_image(&disk.power_loss(seed)));
            // Everything is synced here: nothing may be lost yet.
            assert_eq!(examine(&other, &prefixes), Found::Prefix(i));
        }
        let (send, images) = mpsc::channel();
        disk.watch_steps(Some(Box::new(move |step| {
            for seed in 0..20 {
                send.send(step.power_loss(step.step * 1000 + seed)).unwrap();
            }
        })));
        db.execute("INSERT INTO other VALUES (1)", []).unwrap();
        disk.watch_steps(None);
        for image in images.iter() {
            other.insert(&Disk::from_image(&image));
            lost_some += usize::from(examine(&other, &prefixes) != Found::Prefix(i));
        }
    }
    assert!(lost_some > 0);
}

#[test]
fn a_crash_at_a_step_kills_every_later_call_until_reboot() {
    let prefixes = prefixes();
    let disk = Disk::new();
    let mount = Mount::new("power-crash-at", &disk);
    let total = {
        run(&mount, WAL_FULL, &Acked::default()).unwrap();
        disk.steps()
    };
    for step in (1..=total).step_by(7) {
        for seed in 0..3 {
            let disk = Disk::new();
            mount.insert(&disk);
            disk.crash_at(step);
            let acked = Acked::default();
            let outcome = run(&mount, WAL_FULL, &acked);
            assert!(disk.is_dead());
            // The last steps are those of closing, whose errors SQLite keeps to itself.
            assert!(outcome.is_err() || acked.load(Ordering::SeqCst) == TRANSACTIONS + 1);
            assert!(open(&mount).and_then(|db| contents(&db)).is_err());
            disk.reboot(seed);
            let case = Case { acked: acked.load(Ordering::SeqCst), found: examine(&mount, &prefixes) };
            assert_eq!(lost(&case), Ok(0), "step {step} seed {seed}");
        }
    }
}
