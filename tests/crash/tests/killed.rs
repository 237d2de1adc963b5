//! A kill, and a power loss after it: what the next process showed of a commit that was never synced must stay
//! (I-02, I-54).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use turnstone::{Durability, Options, Schema, Store};
use turnstone_server::storage::Storage;
use turnstone_server::storage::sqlite::{SqliteOptions, SqliteStorage};
use turnstone_vfs::{Damage, Disk, Mount};

const SCHEMA: &str =
    "name = \"notes\"\nversion = 1\n[tables.notes]\nfields.title = { type = \"text\", default = \"\" }\n";

/// Kills at every step of a write; the next process looks, then the power goes, with all that was not synced. What a dying
/// call still does depends on the number of its step, so writes of several lengths are tried, each with room on the disk
/// afterwards and without.
fn what_was_seen_stays<S>(
    whose: &str,
    open: impl Fn(&str) -> S,
    write: impl Fn(&S, String) -> bool,
    seen: impl Fn(&S) -> String,
) {
    for (pages, full) in (0..6).flat_map(|pages| [(pages, false), (pages, true)]) {
        let life = Life { whose: &format!("{whose}-{pages}-{full}"), full };
        killed_at_every_step(&life, &open, |store| write(store, "x".repeat(4_096 * pages)), &seen);
    }
}

struct Life<'a> {
    whose: &'a str,
    /// The disk is full when the next process starts.
    full: bool,
}

fn killed_at_every_step<S>(
    life: &Life<'_>,
    open: impl Fn(&str) -> S,
    write: impl Fn(&S) -> bool,
    seen: impl Fn(&S) -> String,
) {
    let Life { whose, full } = *life;
    let mut unsynced = 0;
    for step in 1.. {
        let disk = Disk::new();
        let mount = Mount::new(&format!("killed-{whose}-{step}"), &disk);
        let first = open(mount.name());
        disk.crash_at(disk.steps() + step);
        let is_written = write(&first);
        if !disk.is_dead() {
            assert!(is_written && step > 2 && unsynced > 0, "{step} steps, {unsynced} of them before a sync");
            return;
        }
        unsynced += usize::from(disk.unsynced_sectors() > 0);
        disk.revive();
        drop(first);
        // The next process may want a little for the index of the log, and nothing for the log.
        disk.set_capacity(full.then(|| disk.used() + 2_000));
        let next = open(mount.name());
        let shown = seen(&next);
        let lost = Disk::from_image(&disk.power_loss_with(Damage::Lost, step));
        let after = Mount::new(&format!("killed-{whose}-{step}-after"), &lost);
        assert_eq!(seen(&open(after.name())), shown, "{whose}: killed at step {step} of the write");
    }
}

#[test]
fn i_02_what_a_device_showed_after_a_kill_outlives_a_power_loss() {
    let open = |vfs: &str| {
        let options = Options::new("/app.db", Schema::parse(SCHEMA).unwrap()).durability(Durability::Power);
        Store::open(options.vfs(vfs)).unwrap()
    };
    let write =
        |store: &Store, title: String| store.write(|tx| tx.insert_with_id("notes", "n", [("title", title)])).is_ok();
    what_was_seen_stays("device", open, write, |store| store.get("notes", "n").unwrap().is_some().to_string());
}

#[test]
fn i_54_what_a_server_answered_after_a_kill_outlives_a_power_loss() {
    let open = |vfs: &str| {
        let base = SqliteOptions::new("/server.db", [7; 32]);
        SqliteStorage::open(&SqliteOptions { vfs: Some(vfs.to_owned()), witness: Some("w".to_owned()), ..base })
            .unwrap()
    };
    let write = |storage: &SqliteStorage, schema: String| storage.set_schema(&schema).is_ok();
    what_was_seen_stays("server", open, write, |storage| storage.schema().unwrap().is_some().to_string());
}
