//! Live queries, row states and the status: after the commit, never older, at most one per commit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod kit;

use std::time::Duration;

use kit::{Device, MemoryServer, nowhere, refuse};
use turnstone::observe::{Phase, WaitReason};
use turnstone::{RowState, Rows, Value};
use turnstone_protocol::{Code, Problem};

fn titles(rows: &Rows) -> Vec<String> {
    rows.rows.iter().map(|row| if let Value::Text(text) = &row[0] { text.clone() } else { panic!() }).collect()
}

#[test]
fn a_watch_gives_its_result_now_and_after_each_commit_that_matters() {
    let ann = Device::open("ann", nowhere());
    let watch = ann.store.watch("SELECT title FROM notes ORDER BY title", &[]).unwrap();
    assert_eq!(titles(&watch.next_blocking().unwrap()), Vec::<String>::new());
    ann.insert("a");
    assert_eq!(titles(&watch.next_blocking().unwrap()), ["a"]);
    ann.store.write(|tx| tx.insert("tasks", [("name", "elsewhere")])).unwrap();
    ann.insert("b");
    assert_eq!(titles(&watch.next_blocking().unwrap()), ["a", "b"], "the other table caused nothing");
}

#[test]
fn a_slow_reader_skips_to_the_newest() {
    let ann = Device::open("ann", nowhere());
    let watch = ann.store.watch("SELECT count(*) FROM notes", &[]).unwrap();
    watch.next_blocking().unwrap();
    for at in 0..50 {
        ann.insert(&format!("note {at}"));
    }
    assert_eq!(watch.next_blocking().unwrap().rows[0][0], 50.into());
    let (waiting, done) = (watch.clone(), std::sync::mpsc::channel());
    #[expect(clippy::disallowed_methods, reason = "waits beside the test")]
    std::thread::spawn(move || done.0.send(waiting.next_blocking()));
    assert!(done.1.recv_timeout(Duration::from_millis(100)).is_err(), "no commit, no emission");
    watch.close();
    assert_eq!(done.1.recv().unwrap(), None, "closing ends a call that waits");
}

/// I-08: an emission is never older than the commit that caused it, and none is lost.
#[test]
fn w9_every_emission_holds_the_commit_that_caused_it() {
    let ann = Device::open("ann", nowhere());
    let watch = ann.store.watch("SELECT coalesce(max(views), 0) FROM notes", &[]).unwrap();
    let id = ann.insert("counted");
    let store = ann.store.clone();
    #[expect(clippy::disallowed_methods, reason = "a writer beside the test")]
    let writer = std::thread::spawn(move || {
        for _ in 0..300 {
            let id = id.clone();
            store.write(move |tx| tx.increment("notes", &id, "views", 1)).unwrap();
        }
    });
    let (mut last, mut emissions) = (-1, 0);
    while last < 300 {
        let Value::Int(now) = watch.next_blocking().unwrap().rows[0][0] else { panic!() };
        // A read may see a commit just before it is announced; the announcement then gives the same value once more.
        assert!(now >= last, "went from {last} to {now}: older");
        (last, emissions) = (now, emissions + 1);
    }
    writer.join().unwrap();
    assert!(emissions <= 303, "at most one per commit");
}

#[tokio::test]
async fn a_dropped_wait_loses_nothing() {
    let ann = Device::open("ann", nowhere());
    let watch = ann.store.watch("SELECT title FROM notes", &[]).unwrap();
    watch.next().await.unwrap();
    let gone = tokio::time::timeout(Duration::from_millis(20), watch.next()).await;
    assert!(gone.is_err());
    ann.insert("a");
    assert_eq!(titles(&watch.next().await.unwrap()), ["a"]);
}

/// C19: what the server says replaces what was shown, and is emitted.
#[test]
fn a_watch_sees_what_a_sync_brings() {
    let server = MemoryServer::new();
    let (ann, ben) = (server.device("ann"), server.device("ben"));
    let watch = ben.store.watch("SELECT title FROM notes", &[]).unwrap();
    watch.next_blocking().unwrap();
    ann.insert("from Ann");
    ann.sync();
    ben.sync();
    assert_eq!(titles(&watch.next_blocking().unwrap()), ["from Ann"]);
}

#[test]
fn a_watch_of_nonsense_is_a_typed_error() {
    let ann = Device::open("ann", nowhere());
    assert_eq!(ann.store.watch("SELECT nothing FROM nowhere", &[]).unwrap_err().code(), "sql");
    ann.store.watch("DELETE FROM notes", &[]).unwrap_err();
}

#[test]
fn closing_the_store_ends_every_watch() {
    let ann = Device::open("ann", nowhere());
    let watch = ann.store.watch("SELECT title FROM notes", &[]).unwrap();
    watch.next_blocking().unwrap();
    let status = ann.store.watch_status().unwrap();
    status.next_blocking().unwrap();
    ann.store.close().unwrap();
    assert_eq!((watch.next_blocking(), status.next_blocking()), (None, None));
    assert_eq!(ann.store.query("SELECT 1", &[]).unwrap_err().code(), "closed");
    assert_eq!(ann.store.sync_blocking().unwrap_err().code(), "closed");
    assert!(ann.store.watch("SELECT title FROM notes", &[]).is_err());
}

/// J2: the badge beside a row.
#[test]
fn a_row_goes_from_saved_to_synced_and_a_refused_one_says_why() {
    let server = MemoryServer::new();
    let ann = server.device("ann");
    let id = ann.insert("badge");
    let watch = ann.store.watch_row_state("notes", &id).unwrap();
    assert_eq!(watch.next_blocking(), Some(RowState::Saved));
    server.intercept(|request, _| {
        request.path.ends_with("/push").then(|| refuse(&Problem::new(Code::Unavailable, "Busy.")))
    });
    ann.store.sync_blocking().unwrap_err();
    assert!(matches!(ann.store.row_state("notes", &id).unwrap(), RowState::Retrying { n: 1.., .. }));
    server.intercept(|_, _| None);
    ann.sync();
    assert_eq!(ann.store.row_state("notes", &id).unwrap(), RowState::Synced);
    while watch.next_blocking() != Some(RowState::Synced) {}
    server.intercept(|request, body| {
        let refused = request.path.ends_with("/push") && String::from_utf8_lossy(body).contains("POISON");
        refused.then(|| refuse(&Problem::new(Code::Malformed, "No.")))
    });
    ann.set(&id, "title", "POISON");
    ann.store.sync_blocking().ok();
    assert!(matches!(ann.store.row_state("notes", &id).unwrap(), RowState::Failed { reason: Code::Malformed }));
    assert_eq!(ann.store.row_state("nowhere", &id).unwrap_err().code(), "unknown_table");
}

/// C17: it ends when what the server made of the write is part of what the server confirmed to this device.
#[tokio::test]
async fn c17_a_write_is_waited_for_until_the_server_has_it_and_it_is_back_here() {
    let server = MemoryServer::new();
    let ann = server.device("ann");
    let id = ann.insert("waited for");
    let watch = ann.store.watch_row_state("notes", &id).unwrap();
    #[expect(clippy::disallowed_methods, reason = "somebody waits while another syncs")]
    let waiting = tokio::spawn({
        let watch = watch.clone();
        async move { watch.decided().await }
    });
    server.intercept(|request, _| {
        request.path.ends_with("/push").then(|| refuse(&Problem::new(Code::Unavailable, "Busy.")))
    });
    ann.store.sync_now().await.unwrap_err();
    assert!(matches!(ann.store.row_state("notes", &id).unwrap(), RowState::Retrying { .. }));
    assert!(!waiting.is_finished(), "an attempt is not a decision");
    server.intercept(|_, _| None);
    ann.store.sync_now().await.unwrap();
    assert_eq!(waiting.await.unwrap(), Some(RowState::Synced));
    assert_eq!(ann.hash(), server.state_hash());
    watch.close();
    assert_eq!(watch.decided().await, None);
}

/// I-64: counts equal what the database holds, at every step.
#[test]
fn i_64_the_status_is_true_at_every_step() {
    let server = MemoryServer::new();
    let ann = server.device("ann");
    let groups = |device: &Device| device.pending();
    assert_eq!((groups(&ann), ann.store.status().unwrap().oldest_pending_at_ms), (0, None));
    let before = kit::now_ms();
    for at in 0..5 {
        ann.insert(&format!("note {at}"));
        let status = ann.store.status().unwrap();
        assert_eq!((status.pending_groups, status.pending_ops), (at + 1, at + 1));
        let oldest = status.oldest_pending_at_ms.unwrap();
        assert!((before..=kit::now_ms()).contains(&oldest), "of the first write, at step {at}");
    }
    assert_eq!((ann.store.status().unwrap().last_synced_at_ms, ann.store.status().unwrap().phase), (None, Phase::Idle));
    ann.sync();
    let status = ann.store.status().unwrap();
    assert_eq!((status.pending_groups, status.pending_ops, status.dead_letters), (0, 0, 0));
    assert!(status.last_synced_at_ms.is_some_and(|at_ms| at_ms >= before));
    let ann = ann.reopen();
    assert_eq!(ann.store.status().unwrap().last_synced_at_ms, status.last_synced_at_ms, "also for the next process");
}

#[test]
fn i_64_a_failure_is_shown_with_the_next_attempt_and_outlives_the_process() {
    let server = MemoryServer::new();
    server.intercept(|_, _| Some(refuse(&Problem::new(Code::Unavailable, "Busy."))));
    let ann = Device::open_with("ann", server.remote(), |options| options.auto_sync(true));
    ann.insert("kept");
    let watch = ann.store.watch_status().unwrap();
    let status = loop {
        let status = watch.next_blocking().unwrap();
        if status.last_error.is_some() && status.next_attempt.is_some() {
            break status;
        }
    };
    let (error, next) = (status.last_error.unwrap(), status.next_attempt.unwrap());
    assert_eq!((error.code.as_str(), next.why), ("unavailable", WaitReason::Backoff));
    assert!(next.at_ms <= kit::now_ms() + 61_000);
    assert_eq!(status.pending_groups, 1);
    let ann = ann.reopen_with(|options| options.auto_sync(false));
    assert_eq!(ann.store.status().unwrap().last_error.unwrap().code, "unavailable");
}
