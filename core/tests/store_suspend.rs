//! Suspending: no lock is held, nobody takes one, everything goes on afterwards (I-49, I-42).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "threads beside the test, and how long suspending takes")]

mod kit;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kit::{Device, MemoryServer, SlowPushes};
use turnstone::{Store, Value};

/// Locks of this process on the database and its companions, as the kernel lists them.
fn locks(folder: &Path) -> Vec<String> {
    let inodes: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .map(|found| format!(":{}", found.ino()))
        .collect();
    let pid = std::process::id().to_string();
    let all = std::fs::read_to_string("/proc/locks").unwrap();
    let ours = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.contains(&pid.as_str()) && words.iter().any(|word| inodes.iter().any(|inode| word.ends_with(inode)))
    };
    all.lines().filter(ours).map(str::to_owned).collect()
}

/// Files of the folder this process has open.
fn open_files(folder: &Path) -> Vec<String> {
    let fds = std::fs::read_dir("/proc/self/fd").unwrap();
    let paths = fds.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok());
    paths.filter(|path| path.starts_with(folder)).map(|path| path.display().to_string()).collect()
}

/// Another process takes the whole file for itself: SQLite lets it only if nobody else holds any lock.
fn other_process_gets_everything(folder: &Path) -> bool {
    let me = std::env::current_exe().unwrap();
    let child = std::process::Command::new(me)
        .args(["--exact", "the_other_process", "--nocapture"])
        .env("TURNSTONE_PROBE", folder.join("app.db"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    child.success()
}

/// Only does something as a child of another test.
#[test]
fn the_other_process() {
    let Some(path) = std::env::var_os("TURNSTONE_PROBE") else { return };
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.busy_timeout(Duration::ZERO).unwrap();
    // Leaving WAL needs the file for oneself; so does an exclusive transaction on a rollback journal.
    let mode: String = conn.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "delete");
    conn.execute_batch("BEGIN EXCLUSIVE; COMMIT;").unwrap();
    let mut name = path;
    name.push(".lock");
    std::fs::File::open(name).unwrap().try_lock().unwrap();
}

fn suspend(store: &Store) -> Duration {
    let began = Instant::now();
    store.suspend().unwrap();
    began.elapsed()
}

/// I-49: with writers, readers, a watch and a sync at work; also for threads that wait for the disk.
#[test]
fn i_49_suspended_means_no_lock_and_nobody_takes_one() {
    let server = MemoryServer::new();
    let ann = Device::open_with("ann", server.remote(), |options| options.auto_sync(true));
    let watch = ann.store.watch("SELECT count(*) FROM notes", &[]).unwrap();
    watch.next_blocking().unwrap();
    assert!(!locks(ann.folder.path()).is_empty(), "the probe sees the locks of an open store");
    assert!(!other_process_gets_everything(ann.folder.path()), "and so does another process");
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut threads = Vec::new();
    for at in 0..6 {
        let (store, stop, written) = (ann.store.clone(), Arc::clone(&stop), Arc::clone(&written));
        threads.push(std::thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                let done = match at {
                    0..3 => store.write(|tx| tx.insert("notes", [("title", "storm")])).map(|_| {
                        written.fetch_add(1, Ordering::SeqCst);
                    }),
                    3 | 4 => store.query("SELECT max(title) FROM notes", &[]).map(drop),
                    _ => store.sync_blocking().map(drop),
                };
                assert!(done.is_ok() || done.as_ref().is_err_and(|error| error.code() == "suspended"), "{done:?}");
            }
        }));
    }
    for round in 0..5 {
        std::thread::park_timeout(Duration::from_millis(60));
        let took = suspend(&ann.store);
        assert!(took <= Duration::from_secs(1), "I-49: took {took:?}");
        for _ in 0..20 {
            assert_eq!(locks(ann.folder.path()), Vec::<String>::new(), "I-49: a lock in round {round}");
            assert_eq!(open_files(ann.folder.path()), Vec::<String>::new());
            std::thread::park_timeout(Duration::from_millis(5));
        }
        if round == 0 {
            assert!(other_process_gets_everything(ann.folder.path()));
        }
        assert_eq!(ann.store.query("SELECT 1", &[]).unwrap_err().code(), "suspended");
        assert_eq!(ann.store.sync_blocking().unwrap_err().code(), "suspended");
        suspend(&ann.store);
        ann.store.resume().unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    ann.sync();
    let count = i64::try_from(written.load(Ordering::SeqCst)).unwrap();
    while watch.next_blocking().unwrap().rows[0][0] != Value::Int(count) {}
    let ben = server.device("ben");
    ben.sync();
    assert_eq!(ben.store.query("SELECT count(*) FROM notes", &[]).unwrap().rows[0][0], Value::Int(count));
    assert_eq!(ben.hash(), ann.hash());
}

/// Long statements of the app are ended; what they had begun is undone.
#[test]
fn i_49_long_statements_are_ended() {
    const LONG: &str = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 2000000000)";
    let ann = Device::open("ann", kit::nowhere());
    let (reading, writing) = (ann.store.clone(), ann.store.clone());
    let (inside, is_inside) = std::sync::mpsc::channel();
    let read = std::thread::spawn(move || reading.query(&format!("{LONG} SELECT max(x) FROM n"), &[]).map(drop));
    let write = std::thread::spawn(move || {
        writing.write(move |tx| {
            tx.insert("notes", [("title", "never")])?;
            inside.send(()).unwrap();
            tx.execute(&format!("{LONG} INSERT INTO drafts (id, text) SELECT 'a', max(x) FROM n"), &[]).map(drop)
        })
    });
    is_inside.recv().unwrap();
    std::thread::park_timeout(Duration::from_millis(100));
    let took = suspend(&ann.store);
    assert!(took <= Duration::from_secs(1), "I-49: took {took:?}");
    assert_eq!(locks(ann.folder.path()), Vec::<String>::new());
    assert_eq!(read.join().unwrap().unwrap_err().code(), "suspended");
    // An interrupted change takes its transaction with it, and the core says so: try again.
    assert_eq!(write.join().unwrap().unwrap_err().code(), "transaction_lost");
    ann.store.resume().unwrap();
    assert_eq!(ann.store.query("SELECT count(*) FROM notes", &[]).unwrap().rows[0][0], 0.into(), "undone");
    ann.insert("works again");
}

/// A closure that sits in a transaction without a statement cannot be ended: that is said, and never hidden.
#[test]
fn a_closure_that_stays_is_told_of_and_waited_for_again() {
    let ann = Device::open("ann", kit::nowhere());
    let ((inside, is_inside), (release, released)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel::<()>());
    let store = ann.store.clone();
    let writer = std::thread::spawn(move || {
        store.write(move |tx| {
            inside.send(()).unwrap();
            released.recv().unwrap();
            tx.insert("notes", [("title", "kept")])
        })
    });
    is_inside.recv().unwrap();
    let began = Instant::now();
    assert_eq!(ann.store.suspend().unwrap_err().code(), "busy");
    assert!(began.elapsed() <= Duration::from_millis(1_500), "took {:?}", began.elapsed());
    assert_eq!(ann.store.execute("DELETE FROM notes", &[]).unwrap_err().code(), "suspended", "nobody new is let in");
    release.send(()).unwrap();
    writer.join().unwrap().unwrap();
    ann.store.suspend().unwrap();
    assert_eq!(locks(ann.folder.path()), Vec::<String>::new());
    ann.store.resume().unwrap();
    assert_eq!(ann.store.query("SELECT title FROM notes", &[]).unwrap().rows.len(), 1, "its write was acknowledged");
    let store = ann.store.clone();
    assert_eq!(ann.store.write(move |_| store.suspend()).unwrap_err().code(), "reentrant");
    ann.insert("and nothing happened");
}

/// I-42: while one process is suspended another may sync the same file; what was in flight is sent again and counts
/// once, and whoever comes back while the other is there is told.
#[test]
fn i_42_another_opener_may_have_the_file_meanwhile_and_nothing_is_sent_twice() {
    let server = MemoryServer::new();
    let (link, wait) = SlowPushes::new(&server, true);
    let ann = Device::open("ann", link.remote());
    for at in 0..20 {
        ann.insert(&format!("note {at}"));
    }
    let store = ann.store.clone();
    let syncing = std::thread::spawn(move || store.sync_blocking());
    wait.recv().unwrap();
    assert!(matches!(Store::open(second(&ann)), Err(error) if error.code() == "already_open"));
    suspend(&ann.store);
    link.hang.store(false, Ordering::SeqCst);
    let ended = syncing.join().unwrap();
    assert!(ended.as_ref().is_err_and(|error| error.code() == "suspended"), "{ended:?}");
    let other = Store::open(second(&ann)).unwrap();
    other.write(|tx| tx.insert("notes", [("title", "from the other")])).unwrap();
    assert_eq!(ann.store.resume().unwrap_err().code(), "already_open");
    assert_eq!(ann.store.query("SELECT 1", &[]).unwrap_err().code(), "suspended", "still");
    other.sync_blocking().unwrap();
    other.close().unwrap();
    ann.store.resume().unwrap();
    assert_eq!(ann.store.query("SELECT count(*) FROM notes", &[]).unwrap().rows[0][0], 21.into());
    ann.insert("after");
    ann.sync();
    let ben = server.device("ben");
    ben.sync();
    assert_eq!(ben.store.query("SELECT count(*) FROM notes", &[]).unwrap().rows[0][0], 22.into(), "each once");
    assert_eq!(ann.hash(), server.state_hash());
}

fn second(device: &Device) -> turnstone::Options {
    turnstone::Options::new(device.folder.path().join("app.db"), kit::schema()).remote(device.remote.clone())
}

/// A store that syncs by itself goes on by itself, and a watch waits instead of ending.
#[test]
fn i_49_what_ran_by_itself_goes_on_after_resume() {
    let server = MemoryServer::new();
    let ann = Device::open_with("ann", server.remote(), |options| options.auto_sync(true));
    let watch = ann.store.watch("SELECT count(*) FROM notes", &[]).unwrap();
    assert_eq!(watch.next_blocking().unwrap().rows[0][0], 0.into());
    ann.sync();
    ann.insert("saved, not sent");
    suspend(&ann.store);
    let (waiting, seen) = (watch.clone(), std::sync::mpsc::channel());
    std::thread::spawn(move || seen.0.send(waiting.next_blocking().map(|rows| rows.rows[0][0].clone())));
    assert!(seen.1.recv_timeout(Duration::from_millis(100)).is_err(), "it waits");
    ann.store.resume().unwrap();
    assert_eq!(seen.1.recv().unwrap(), Some(1.into()));
    let status = ann.store.watch_status().unwrap();
    while status.next_blocking().unwrap().pending_groups > 0 {}
    ann.store.suspend().unwrap();
    ann.store.close().unwrap();
    assert_eq!(ann.store.resume().unwrap_err().code(), "closed");
    assert!(watch.next_blocking().is_none());
}
