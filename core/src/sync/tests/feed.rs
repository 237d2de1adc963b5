//! The feed: duplicates, late pages, reading it again from the beginning, what the app does not know yet.

use turnstone_protocol::wire::PullAnswer;
use turnstone_protocol::{Epoch, Incarnation, Schema};

use super::*;
use crate::sync::{self, PageOutcome, ResetWhy};

/// I-23: a page twice, an old page late, a page of another position: no effect.
#[test]
fn pages_doubled_and_out_of_order_change_nothing() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    let [one, two] = devices.as_slice() else { panic!() };
    shared(&mut server, &devices, "notes", "n");
    for (at, title) in ["B", "C", "D"].into_iter().enumerate() {
        set(one, "notes", "n", "title", title);
        count(one, "n", 1 + at as i64);
        one.sync(&mut server);
    }
    server.page_rows_max = 2;
    let mut pages = Vec::new();
    loop {
        let asked = two.ask();
        let page = server.pull(&asked).unwrap();
        assert_eq!(two.apply(&page, &asked).outcome, PageOutcome::Applied);
        let (more, hash) = (page.more, two.hash());
        pages.push((page, asked));
        for (page, asked) in &pages {
            assert_eq!(two.apply(page, asked).outcome, PageOutcome::Stale);
            two.check(&server);
        }
        assert_eq!(two.hash(), hash);
        if !more {
            break;
        }
    }
    assert!(pages.len() > 2);
    settle(&mut server, &devices);
}

/// I-62: a server that ends a commit whose earlier parts it never sent. Nothing of the page is applied.
#[test]
fn a_last_part_without_its_earlier_parts_changes_nothing() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    shared(&mut server, &devices, "notes", "n");
    let [one, two] = devices.as_slice() else { panic!() };
    set(one, "notes", "n", "title", "B");
    one.write(|tx| ["a", "b", "c"].iter().try_for_each(|id| tx.insert_with_id("notes", id, [("title", "new")])));
    one.push(&mut server);
    server.page_rows_max = 1;
    let two_of_three = |pages: &[PullAnswer]| {
        let mut page = pages[0].clone();
        page.commits.extend(pages[2..].iter().flat_map(|page| page.commits.clone()));
        page
    };
    let (mut pages, copy) = (Vec::new(), two.ask());
    let mut asked = copy.request.clone();
    while pages.last().is_none_or(|page: &PullAnswer| page.more) {
        pages.push(server.pull(&asked).unwrap());
        asked.cursor = pages.last().map(|page| page.cursor.clone());
    }
    assert_eq!(pages.len(), 4, "one commit whole, one in three parts");

    let before = (two.hash(), two.at());
    for page in [pages[3].clone(), two_of_three(&pages)] {
        assert_eq!(two.apply(&page, &copy).outcome, PageOutcome::Torn);
        assert_eq!((two.hash(), two.at()), before, "not even what came before it in the page");
    }
    two.system(|sys| sync::reset_cursor(sys, ResetWhy::CursorLost));
    settle(&mut server, &devices);
}

/// I-20, I-40: a page of another history changes nothing; the device reads the feed again and keeps what is pending.
#[test]
fn another_history_is_noticed_before_anything_is_applied() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    shared(&mut server, &devices, "notes", "n");
    let [one, two] = devices.as_slice() else { panic!() };
    let backup = server.clone();
    set(one, "notes", "n", "title", "after the backup");
    one.write(|tx| tx.insert_with_id("notes", "m", [("title", "also after it")]));
    one.sync(&mut server);
    two.sync(&mut server);
    count(two, "n", 5);

    let mut server = backup;
    server.epoch = Epoch::from_random(2);
    let asked = two.ask();
    let page = server.pull(&turnstone_protocol::wire::PullRequest { cursor: None, ..asked.request.clone() }).unwrap();
    assert_eq!(two.apply(&page, &asked).outcome, PageOutcome::EpochChanged);
    assert_eq!(two.text("notes", "m", "title").as_deref(), Some("also after it"));

    for (number, device) in [(11, one), (12, two)] {
        let (epoch, incarnation) = (Some(server.epoch), Incarnation::from_random(number));
        device.system(|sys| sync::reset_cursor(sys, ResetWhy::History { epoch, incarnation }));
        while device.pack().is_some() && device.push(&mut server) != sync::VerdictReport::default() {}
        assert_eq!(device.text("notes", "n", "title").as_deref(), Some("after the backup"), "nothing goes back");
    }
    settle(&mut server, &devices);
    assert_eq!(server.value("notes", "n", "title"), text("after the backup"), "what the server forgot was sent again");
    assert_eq!(server.value("notes", "m", "title"), text("also after it"));
    assert_eq!(one.int("notes", "n", "views"), 5, "and what it kept was not applied twice");
}

/// I-62: a server that went back and says nothing of it, neither by its epoch nor by refusing the cursor.
#[test]
fn a_shorter_history_under_the_known_epoch_is_noticed_before_anything_is_applied() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    shared(&mut server, &devices, "notes", "n");
    shared(&mut server, &devices, "notes", "another page");
    let [one, two] = devices.as_slice() else { panic!() };
    let backup = server.clone();
    set(one, "notes", "n", "title", "after the backup");
    one.sync(&mut server);
    two.sync(&mut server);
    count(two, "n", 5);

    let mut server = backup;
    let asked = two.ask();
    let page = server.pull(&turnstone_protocol::wire::PullRequest { cursor: None, ..asked.request.clone() }).unwrap();
    assert_eq!(two.apply(&page, &asked).outcome, PageOutcome::EpochSuspect);
    two.system(|sys| sync::reset_cursor(sys, ResetWhy::CursorLost));
    server.page_rows_max = 1;
    let (mut pages, mut outcome) = (0, PageOutcome::Applied);
    while outcome == PageOutcome::Applied {
        let asked = two.ask();
        let page = server.pull(&asked).unwrap();
        outcome = two.apply(&page, &asked).outcome;
        pages += 1;
    }
    assert_eq!((outcome, pages > 1), (PageOutcome::EpochSuspect, true), "read from the start, it counts at the end");
    assert_eq!(two.text("notes", "n", "title").as_deref(), Some("after the backup"));

    for (number, device) in [(11, one), (12, two)] {
        let (epoch, incarnation) = (Some(server.epoch), Incarnation::from_random(number));
        device.system(|sys| sync::reset_cursor(sys, ResetWhy::History { epoch, incarnation }));
        while device.pack().is_some() && device.push(&mut server) != sync::VerdictReport::default() {}
    }
    settle(&mut server, &devices);
    assert_eq!(server.value("notes", "n", "title"), text("after the backup"), "what the server forgot was sent again");
}

/// I-22: the cursor is lost; rows deleted meanwhile go at the end and not before, what is pending stays.
#[test]
fn reading_the_feed_again_removes_what_vanished_and_keeps_what_is_pending() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    for id in ["a", "b", "c", "d"] {
        shared(&mut server, &devices, "notes", id);
    }
    let [one, two] = devices.as_slice() else { panic!() };
    set(two, "notes", "a", "title", "pending");
    set(two, "notes", "b", "title", "pending on a row that vanished");
    two.write(|tx| tx.insert_with_id("notes", "new", [("title", "pending create")]));
    set(one, "notes", "d", "title", "changed");
    one.sync(&mut server);
    server.purge("notes", "b");
    server.purge("notes", "c");

    two.system(|sys| sync::reset_cursor(sys, ResetWhy::CursorLost));
    server.page_rows_max = 1;
    loop {
        let asked = two.ask();
        assert!(asked.full);
        let page = server.pull(&asked).unwrap();
        let shown = two.db.query("SELECT count(*) FROM notes", &[]).unwrap().rows[0][0].clone();
        assert_eq!(shown, Value::Int(5), "nothing goes before the end");
        two.apply(&page, &asked);
        if !page.more {
            break;
        }
    }
    two.check(&server);
    assert_eq!(two.text("notes", "a", "title").as_deref(), Some("pending"));
    assert_eq!(two.text("notes", "b", "title"), None);
    assert_eq!(two.text("notes", "c", "title"), None);
    assert_eq!(two.text("notes", "d", "title").as_deref(), Some("changed"));
    assert_eq!(two.text("notes", "new", "title").as_deref(), Some("pending create"));
    assert!(!two.ask().full);
    two.sync(&mut server);
    assert_eq!(two.letters().len(), 1, "the edit of the row that vanished is refused, and kept");
    assert_eq!(two.hash(), server.state_hash());
}

/// I-46: fields and tables the app does not know are kept, hashed, and there once it learns them.
#[test]
fn what_the_app_does_not_know_yet_is_kept() {
    let (_dir, mut server, devices) = world(&["one"]);
    let dir = tempfile::tempdir().unwrap();
    let old =
        Schema::builder(1).name("test").table("notes", |table| table.text("title").default("").end()).build().unwrap();
    let mut behind = Device::open(dir.path(), "behind", &old);
    let one = &devices[0];
    one.write(|tx| tx.insert_with_id("notes", "n", [("title", "A"), ("tag", "unknown to the other")]));
    one.write(|tx| tx.insert_with_id("tasks", "t", [("title", "a table the other has not")]));
    one.sync(&mut server);

    behind.sync(&mut server);
    assert_eq!(behind.hash(), server.state_hash(), "unknown fields and tables count");
    set(&behind, "notes", "n", "title", "B");
    behind.sync(&mut server);
    assert_eq!(server.value("notes", "n", "tag"), text("unknown to the other"), "and are not overwritten");

    behind.update_app(&Schema { version: 2, ..schema() });
    assert_eq!(behind.text("notes", "n", "tag").as_deref(), Some("unknown to the other"));
    assert_eq!(behind.text("tasks", "t", "title").as_deref(), Some("a table the other has not"));
    set(&behind, "tasks", "t", "tag", "learnt");
    behind.sync(&mut server);
    one.sync(&mut server);
    assert_eq!(one.hash(), server.state_hash());
    assert_eq!(behind.hash(), server.state_hash());
}

/// Rule 17: acked groups are forgotten only once the server says so, the newest never.
#[test]
fn acked_groups_are_forgotten_up_to_the_stable_commit() {
    let (_dir, mut server, devices) = world(&["one"]);
    shared(&mut server, &devices, "notes", "n");
    let one = &devices[0];
    for by in 1..=9 {
        count(one, "n", by);
    }
    one.sync(&mut server);
    count(one, "n", 100);
    let groups = || one.db.query("SELECT count(*) FROM _ts_groups", &[]).unwrap().rows[0][0].clone();

    one.system(|sys| sync::forget_stable(sys, 5).map(|_| ()));
    assert_eq!(groups(), Value::Int(6), "commits 6 to 10 and the pending one");
    one.check(&server);
    one.sync(&mut server);
    one.system(|sys| sync::forget_stable(sys, 1_000).map(|_| ()));
    assert_eq!(groups(), Value::Int(1), "the newest stays: numbers are never used again");
    count(one, "n", 1_000);
    one.check(&server);
    assert_eq!(one.counts().pending_groups, 1);
    settle(&mut server, &devices);
    assert_eq!(server.value("notes", "n", "views"), Some(Value::Int(1_145)));
}
