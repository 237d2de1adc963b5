//! Devices restored or cloned, servers restored, cursors lost: nothing is lost, nothing doubled (I-22, I-40, I-41).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod kit;

use kit::{Counter, Device, MemoryServer, assert_converged, refuse};
use turnstone_protocol::{Code, Problem};

fn count(device: &Device) -> i64 {
    match device.store.query("SELECT count(*) FROM notes", &[]).unwrap().rows[0][0] {
        turnstone::Value::Int(count) => count,
        _ => panic!(),
    }
}

/// I-41: two phones from one backup both keep working.
#[test]
fn i_41_a_cloned_device_and_its_twin_both_keep_working() {
    let server = MemoryServer::new();
    let ann = server.device("ann");
    let id = ann.insert("before the clone");
    ann.sync();
    ann.increment(&id, 1);
    ann.store.close().unwrap();
    let twin = ann.copy("twin");
    let ann = ann.reopen();
    ann.increment(&id, 10);
    twin.increment(&id, 100);
    ann.sync();
    twin.sync();
    ann.insert("after, by Ann");
    twin.insert("after, by the twin");
    assert_converged(&server, &[&ann, &twin]);
    for device in [&ann, &twin] {
        assert_eq!(device.field(&id, "views").as_deref(), Some("111"), "the shared increment counts once");
        assert_eq!(count(device), 3);
        assert_eq!(device.store.dead_letters().unwrap(), []);
    }
    let ids = [&ann, &twin].map(|device| device.store.identity().unwrap());
    assert_ne!(ids[0].1, ids[1].1, "one of them took a new incarnation");
}

/// I-41: a phone restored from an older backup of its own.
#[test]
fn i_41_a_device_restored_from_an_older_backup_loses_nothing_written_since() {
    let server = MemoryServer::new();
    let ann = server.device("ann");
    let id = ann.insert("counted");
    ann.sync();
    ann.store.close().unwrap();
    let backup = ann.copy("backup");
    backup.store.close().unwrap();
    let ann = ann.reopen();
    for _ in 0..3 {
        ann.increment(&id, 1);
    }
    ann.sync();
    drop(ann);
    let restored = backup.reopen();
    restored.increment(&id, 10);
    restored.insert("after the restore");
    let ben = server.device("ben");
    assert_converged(&server, &[&restored, &ben]);
    assert_eq!(restored.field(&id, "views").as_deref(), Some("13"));
    assert_eq!((count(&restored), count(&ben)), (2, 2));
}

/// I-40 in part: the server forgets the last day; the devices give it back.
#[test]
fn i_40_a_restored_server_gets_back_what_it_forgot() {
    for new_epoch in [true, false] {
        let server = MemoryServer::new();
        let (ann, ben) = (server.device("ann"), server.device("ben"));
        let id = ann.insert("kept by the backup");
        ann.sync();
        ben.sync();
        server.backup();
        ann.insert("forgotten, by Ann");
        ann.increment(&id, 5);
        ben.insert("forgotten, by Ben");
        ann.sync();
        ben.sync();
        ann.sync();
        assert_eq!((count(&ann), count(&ben)), (3, 3));
        server.restore(new_epoch);
        ann.insert("written after the restore");
        ann.sync_until_quiet();
        assert!(count(&ann) >= 3, "new epoch {new_epoch}: what Ann wrote stays");
        ben.sync_until_quiet();
        assert_converged(&server, &[&ann, &ben]);
        for device in [&ann, &ben] {
            assert_eq!(count(device), 4, "new epoch {new_epoch}");
            assert_eq!(device.field(&id, "views").as_deref(), Some("5"), "given back once");
        }
    }
}

/// I-22: a cursor the server no longer serves is never "up to date"; pending work stays.
#[test]
fn i_22_an_expired_cursor_starts_again_and_keeps_what_waits() {
    let server = MemoryServer::new();
    let (ann, ben) = (server.device("ann"), server.device("ben"));
    let gone = ben.insert("deleted meanwhile");
    ben.insert("stays");
    ben.sync();
    ann.sync();
    ben.delete(&gone);
    ben.insert("new");
    ben.sync();
    ann.insert("pending");
    let expired = Counter::default();
    server.intercept(move |request, body| {
        let has_cursor = String::from_utf8_lossy(body).contains("\"cursor\":\"");
        let first =
            has_cursor && (request.path.ends_with("/pull") || request.path.ends_with("/push")) && expired.next() == 0;
        first.then(|| refuse(&Problem::new(Code::CursorExpired, "Too old.")))
    });
    ann.sync();
    server.intercept(|_, _| None);
    assert_converged(&server, &[&ann, &ben]);
    assert_eq!((count(&ann), ann.field(&gone, "title")), (3, None));
}

/// Rule 12 and `seq_gap`: the server misses what it once had.
#[test]
fn a_seq_gap_is_filled_from_the_log() {
    let server = MemoryServer::new();
    let ann = server.device("ann");
    ann.insert("one");
    ann.sync();
    let gaps = Counter::default();
    server.intercept(move |request, _| {
        (request.path.ends_with("/push") && gaps.next() == 0).then(|| {
            let mut problem = Problem::new(Code::SeqGap, "A seq is missing.");
            problem.expected = Some(1);
            refuse(&problem)
        })
    });
    ann.insert("two");
    let report = ann.sync();
    assert_eq!(report.rejected, 0);
    let ben = server.device("ben");
    assert_converged(&server, &[&ann, &ben]);
    assert_eq!((count(&ann), count(&ben)), (2, 2));
}

/// I-11: the alarm code, and one dead letter.
#[test]
fn i_11_a_gid_the_server_knows_with_another_body_is_set_aside_with_an_alarm() {
    let server = MemoryServer::new();
    server.intercept(|request, body| {
        let reused = request.path.ends_with("/push") && String::from_utf8_lossy(body).contains("REUSED");
        reused.then(|| refuse(&Problem::new(Code::GidReuse, "Known with another body.")))
    });
    let ann = server.device("ann");
    ann.insert("before");
    ann.insert("REUSED");
    ann.insert("after");
    assert_eq!(ann.sync().groups_pushed, 2);
    let letters = ann.store.dead_letters().unwrap();
    assert_eq!(letters.iter().map(|letter| letter.code.clone()).collect::<Vec<_>>(), [Code::GidReuse]);
}
