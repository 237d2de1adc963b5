//! Several devices and one server: they converge, whatever the link does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod kit;

use kit::{Device, HttpServer, MemoryServer, assert_converged};
use turnstone::testing::Fault;

#[test]
fn i_29_edits_of_different_fields_both_survive() {
    let server = MemoryServer::new();
    let (ann, ben) = (server.device("ann"), server.device("ben"));
    let id = ann.insert("Shopping");
    ann.sync();
    ben.sync();
    ann.set(&id, "title", "Groceries");
    ben.set(&id, "body", "bread");
    assert_converged(&server, &[&ann, &ben]);
    for device in [&ann, &ben] {
        assert_eq!(device.field(&id, "title").as_deref(), Some("Groceries"));
        assert_eq!(device.field(&id, "body").as_deref(), Some("bread"));
    }
}

#[test]
fn i_30_of_two_edits_of_one_field_the_later_wins_everywhere() {
    let server = MemoryServer::new();
    let (ann, ben) = (server.device("ann"), server.device("ben"));
    let id = ann.insert("Shopping");
    ann.sync();
    ben.sync();
    ann.set(&id, "title", "from Ann");
    // A parked thread may be woken early.
    let written_ms = kit::now_ms();
    while kit::now_ms() < written_ms + 20 {
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
    ben.set(&id, "title", "from Ben, later");
    ben.sync();
    let report = ann.sync();
    assert_eq!((report.groups_pushed, report.merged), (1, 1));
    assert_converged(&server, &[&ann, &ben]);
    for device in [&ann, &ben] {
        assert_eq!(device.field(&id, "title").as_deref(), Some("from Ben, later"));
    }
}

#[test]
fn i_36_a_delete_beats_an_edit_that_did_not_see_it_and_the_edit_is_kept() {
    let server = MemoryServer::new();
    let (ann, ben) = (server.device("ann"), server.device("ben"));
    let id = ann.insert("Shopping");
    ann.sync();
    ben.sync();
    ann.delete(&id);
    ben.set(&id, "body", "do not lose me");
    ann.sync();
    ben.sync();
    assert_converged(&server, &[&ann, &ben]);
    assert_eq!((ann.field(&id, "title"), ben.field(&id, "title")), (None, None));
    let letters = ben.store.dead_letters().unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].code.as_str(), "row_deleted");
    assert!(letters[0].ops[0].set.contains_key("body"));
}

#[test]
fn i_36_where_the_table_says_so_an_edit_brings_a_deleted_row_back() {
    let server = MemoryServer::new();
    let (ann, ben) = (server.device("ann"), server.device("ben"));
    let id = ann.store.write(|tx| tx.insert("tasks", [("name", "Sweep")])).unwrap();
    ann.sync();
    ben.sync();
    let (gone, edited) = (id.clone(), id.clone());
    ann.store.write(move |tx| tx.delete("tasks", &gone)).unwrap();
    ben.store.write(move |tx| tx.update("tasks", &edited, [("done", true)])).unwrap();
    ann.sync();
    ben.sync();
    assert_converged(&server, &[&ann, &ben]);
    for device in [&ann, &ben] {
        let row = device.store.get("tasks", &id).unwrap().expect("the edit wins");
        assert_eq!((row.text("name"), row.bool("done")), (Some("Sweep"), Some(true)));
    }
}

#[test]
fn i_32_increments_add_up_exactly() {
    let server = MemoryServer::new();
    let (ann, ben) = (server.device("ann"), server.device("ben"));
    let id = ann.insert("Counted");
    ann.sync();
    ben.sync();
    for by in 1..=10 {
        ann.increment(&id, by);
        ben.increment(&id, 100 * by);
    }
    assert_converged(&server, &[&ann, &ben]);
    for device in [&ann, &ben] {
        assert_eq!(device.field(&id, "views").as_deref(), Some("5555"));
    }
}

/// I-10: the answer is lost after the server committed; then a pull; then an edit on what the pull showed.
#[test]
fn i_10_an_answer_lost_then_a_pull_then_an_edit_doubles_nothing() {
    let server = MemoryServer::new();
    let (ann, link) = server.faulty_device("ann", 1, 0);
    let ben = server.device("ben");
    let id = ann.insert("Counted");
    ann.sync();
    ann.increment(&id, 5);
    link.script([Fault::LostAnswer, Fault::Unreachable]);
    ann.store.sync_blocking().unwrap_err();
    assert_eq!(ann.field(&id, "views").as_deref(), Some("5"));
    ann.store.sync_blocking().unwrap();
    ann.increment(&id, 2);
    assert_eq!(ann.field(&id, "views").as_deref(), Some("7"), "I-08: shown once, not twice");
    assert_converged(&server, &[&ann, &ben]);
    assert_eq!(ben.field(&id, "views").as_deref(), Some("7"));
}

/// I-09: everything that a bad link does, to three devices at once, from several seeds.
#[test]
fn i_27_three_devices_converge_over_a_bad_link() {
    for seed in 0..4 {
        let server = MemoryServer::new();
        let devices: Vec<_> =
            (0..3).map(|at| server.faulty_device(&format!("device-{at}-"), seed * 10 + at, 250)).collect();
        let id = devices[0].0.insert("Met by all");
        devices[0].0.sync_until_quiet();
        for (device, _) in &devices {
            device.sync_until_quiet();
        }
        for round in 0..6 {
            for (at, (device, _)) in devices.iter().enumerate() {
                device.increment(&id, 1);
                device.insert(&format!("note {round} of {at}"));
                device.set(&id, if at == 0 { "title" } else { "body" }, format!("round {round} by {at}"));
                device.sync_until_quiet();
            }
        }
        for (_, link) in &devices {
            link.set_rate(0);
        }
        let plain: Vec<&Device> = devices.iter().map(|(device, _)| device).collect();
        assert_converged(&server, &plain);
        for device in &plain {
            assert_eq!(device.field(&id, "views").as_deref(), Some("18"), "seed {seed}");
            assert_eq!(device.store.query("SELECT count(*) FROM notes", &[]).unwrap().rows[0][0], 19.into());
            assert_eq!(device.store.dead_letters().unwrap(), [], "I-17: no fault consumes an op (seed {seed})");
        }
    }
}

#[test]
fn i_27_two_devices_converge_over_http() {
    let server = HttpServer::new();
    let (ann, ben) = (server.device("ann"), server.device("ben"));
    let id = ann.insert("Shopping");
    ann.sync();
    ben.sync();
    ann.set(&id, "title", "Groceries");
    ben.set(&id, "body", "bread 🥖 and \"; DROP TABLE notes; --");
    ben.increment(&id, 3);
    ann.increment(&id, 4);
    ann.sync();
    ben.sync();
    let report = ann.sync();
    assert!(report.requests >= 1 && report.bytes_down > 0);
    ben.sync();
    assert_eq!(ann.hash(), ben.hash());
    for device in [&ann, &ben] {
        assert_eq!(device.field(&id, "title").as_deref(), Some("Groceries"));
        assert_eq!(device.field(&id, "body").as_deref(), Some("bread 🥖 and \"; DROP TABLE notes; --"));
        assert_eq!(device.field(&id, "views").as_deref(), Some("7"));
        assert_eq!(device.pending(), 0);
    }
}

/// I-14: a write made while a push is in flight stays pending until its own ack.
#[test]
fn i_14_a_write_during_the_flight_is_not_acknowledged_with_it() {
    let server = MemoryServer::new();
    let ann = server.device("ann");
    let id = ann.insert("first");
    let (store, row, counter) = (ann.store.clone(), id.clone(), kit::Counter::default());
    server.intercept(move |request, _| {
        if request.path.ends_with("/push") && counter.next() == 0 {
            let row = row.clone();
            store.write(move |tx| tx.update("notes", &row, [("body", "while in flight")])).unwrap();
        }
        None
    });
    let report = ann.sync();
    assert_eq!((report.groups_pushed, ann.pending()), (2, 0), "both, each with its own verdict");
    let ben = server.device("ben");
    ben.sync();
    assert_eq!(ben.field(&id, "body").as_deref(), Some("while in flight"));
}
