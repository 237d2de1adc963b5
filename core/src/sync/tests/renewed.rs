//! A new incarnation, a rewind: the same groups under other seqs.

use turnstone_protocol::op::Void;
use turnstone_protocol::wire::{Consistency, PullAnswer};
use turnstone_protocol::{Code, Epoch, Incarnation};

use super::*;
use crate::sync::report::Sent;
use crate::sync::{PageOutcome, ResetWhy};

/// I-09, I-41: what was sent and not heard goes again under a new incarnation, with the same gids: applied once.
#[test]
fn a_new_incarnation_sends_the_same_groups_and_nothing_counts_twice() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    shared(&mut server, &devices, "notes", "n");
    let [one, two] = devices.as_slice() else { panic!() };
    count(one, "n", 1);
    one.push(&mut server); // decided, not pulled
    count(one, "n", 10);
    let lost = one.pack().unwrap();
    server.push(&lost.request).unwrap(); // applied, not heard
    count(one, "n", 100); // never sent

    one.renew(77);
    one.check(&server);
    one.pull(&server);
    one.check(&server);
    assert_eq!(one.int("notes", "n", "views"), 111, "commits of the old incarnation are known by gid");
    let again = one.pack().unwrap();
    assert_eq!(again.sent[0].gid, lost.sent[0].gid);
    assert_eq!(again.sent[0].seq, 1);
    settle(&mut server, &devices);
    assert_eq!(two.int("notes", "n", "views"), 111);
    assert_eq!(server.commits_of(lost.sent[0].gid), 1);
}

/// Rule 3: under a new incarnation a device still does not conflict with itself.
#[test]
fn an_edit_before_and_a_delete_after_a_new_incarnation() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    shared(&mut server, &devices, "tasks", "n");
    let one = &devices[0];
    set(one, "tasks", "n", "title", "B");
    set(one, "tasks", "n", "tag", "C");
    one.push(&mut server);
    one.write(|tx| tx.delete("tasks", "n").map(|_| ()));
    let _sealed = one.pack().unwrap();
    one.renew(78);
    let report = one.push(&mut server);
    assert_eq!((report.applied, report.overlaps), (1, 0), "what the old incarnation did is in its past");
    settle(&mut server, &devices);
    assert_eq!(devices[1].text("tasks", "n", "title"), None);
}

/// Rule 3, I-09: the same where what the old incarnation made was pulled between the write and the new incarnation, and is
/// stable by then, whether the write was sealed or not. Without its past the server takes it for an edit of an older life of the row.
#[test]
fn an_edit_of_what_was_pulled_before_a_new_incarnation() {
    for sealed in [false, true] {
        let (_dir, mut server, devices) = world(&["one", "two"]);
        let one = &devices[0];
        one.write(|tx| tx.insert_with_id("tasks", "n", [("title", "A")]));
        one.push(&mut server); // decided, not pulled
        set(one, "tasks", "n", "tag", "C");
        one.push(&mut server); // and another one
        set(one, "tasks", "n", "title", "B");
        if sealed {
            let _packet = one.pack().unwrap();
        }
        one.pull(&server);
        one.system(|sys| crate::sync::forget_stable(sys, 1_000).map(|_| ()));
        one.renew(79);
        let report = one.push(&mut server);
        assert_eq!((report.applied, report.overlaps), (1, 0), "sealed before: {sealed}");
        settle(&mut server, &devices);
        assert_eq!(devices[1].text("tasks", "n", "title"), Some("B".to_owned()), "sealed before: {sealed}");
    }
}

/// Rule 17: a server that lost the last groups gets them back from the log.
#[test]
fn what_the_server_forgot_is_sent_again_from_the_seq_it_expects() {
    let (_dir, mut server, devices) = world(&["one"]);
    shared(&mut server, &devices, "notes", "n");
    let one = &devices[0];
    let backup = server.clone();
    count(one, "n", 1);
    count(one, "n", 10);
    one.push(&mut server);
    count(one, "n", 100);

    let mut server = backup; // the same history, shorter: nothing of it was pulled
    let packet = one.pack().unwrap();
    assert_eq!(server.push(&packet.request), Err(Code::SeqGap));
    assert!(one.system(|sys| crate::sync::rewind(sys, 2)));
    one.check(&server);
    settle(&mut server, &devices);
    assert_eq!(server.value("notes", "n", "views"), Some(Value::Int(111)));

    one.system(|sys| crate::sync::forget_stable(sys, 1_000).map(|_| ()));
    assert!(!one.system(|sys| crate::sync::rewind(sys, 2)), "what was forgotten cannot be given back");
}

/// I-18, rule 17: a group waits for nothing the server lost and this device no longer has.
#[test]
fn a_group_that_names_what_was_forgotten_goes_on() {
    let (_dir, mut server, devices) = world(&["one"]);
    shared(&mut server, &devices, "notes", "n");
    let one = &devices[0];
    let backup = server.clone();
    count(one, "n", 1);
    count(one, "n", 10);
    let batch = one.seal_with(|_| {});
    server.undecided = vec![batch.groups[1].sent.gid];
    one.push(&mut server);
    one.pull(&server);
    // What waits keeps what it names; a file may come from a library that did not.
    one.system(|sys| {
        let conn = sys.conn();
        conn.execute_batch(
            "DELETE FROM _ts_ops WHERE grp IN (SELECT grp FROM _ts_groups WHERE state = 3); \
             DELETE FROM _ts_groups WHERE state = 3",
        )?;
        Ok(())
    });

    let mut server = backup;
    server.epoch = Epoch::from_random(2);
    let (epoch, incarnation) = (Some(server.epoch), Incarnation::from_random(79));
    one.system(|sys| crate::sync::reset_cursor(sys, ResetWhy::History { epoch, incarnation }));
    settle(&mut server, &devices);
    assert_eq!(server.value("notes", "n", "views"), Some(Value::Int(10)), "what was forgotten cannot be given back");
    assert_eq!(one.letters(), []);
}

/// The real server, with pages of so many rows, and a device of it.
fn real(page_rows: usize) -> (tempfile::TempDir, super::server::Real, Device) {
    let dir = tempfile::tempdir().unwrap();
    let server = super::server::Real::new(schema(), page_rows);
    let one = Device::open(dir.path(), "one", &schema());
    (dir, server, one)
}

/// A second device over a copy of the first one's file.
pub(super) fn copied(one: &Device, dir: &std::path::Path) -> Device {
    one.db.checkpoint().unwrap();
    std::fs::copy(dir.join("one.db"), dir.join("two.db")).unwrap();
    Device::open(dir, "two", &schema())
}

/// I-41, I-08: a copy of the device pushed under the same seqs. Its commits are not taken for this one's, although the
/// server marks them so, and its `acked` not for what this one wrote, which shows all the time. The server sends no rows
/// along where a commit did what its ops say, and rows where it lost to somebody else's.
#[test]
fn what_a_copy_of_the_device_pushed_is_read_with_its_rows() {
    for (groups, merged) in [(1, false), (3, false), (1, true)] {
        let (dir, mut server, one) = real(1_000);
        let other = Device::open(dir.path(), "other", &schema());
        shared(&mut server, std::slice::from_ref(&one), "tasks", "n");
        settle(&mut server, std::slice::from_ref(&other));
        let two = copied(&one, dir.path());

        if merged {
            set(&one, "tasks", "n", "tag", "first");
            other.clock.advance_ms(60_000);
            set(&other, "tasks", "n", "tag", "later");
            other.push(&mut server);
        }
        for n in 0..groups {
            if !merged {
                set(&one, "tasks", "n", "tag", ["first", "again", "last"][n]);
            }
            set(&two, "tasks", "n", "title", ["one", "two", "three"][n]);
        }
        let newest = Some(["one", "two", "three"][groups - 1].to_owned());
        one.push(&mut server);
        let sealed = two.pack().unwrap();
        let asked = two.ask();
        let page = server.pull(&asked).unwrap();
        let last = page.commits.last().unwrap();
        assert_eq!((last.own, last.as_sent), (Some(2), !merged), "the server cannot tell the two apart");
        assert_eq!(two.apply(&page, &asked).outcome, PageOutcome::Forked);
        assert_eq!(two.text("tasks", "n", "title"), newest, "{groups} {merged}");

        assert_eq!(server.push(&sealed.request), Err(Code::DeviceForked));
        two.renew(79);
        two.pull(&server);
        two.check(&server);
        assert_eq!(two.text("tasks", "n", "title"), newest, "{groups} {merged}");
        settle(&mut server, &[one, two, other]);
        let title = newest.map(Value::Text);
        assert_eq!(server.value("tasks", "n", "title"), title);
    }
}

/// I-40, I-41: under the new incarnation the same commits come with their rows, so a page ends earlier than the one that
/// showed the copy. That is no history that went back.
#[test]
fn a_shorter_page_after_a_copy_was_seen_is_no_other_history() {
    let (dir, mut server, one) = real(3);
    let other = Device::open(dir.path(), "other", &schema());
    shared(&mut server, std::slice::from_ref(&one), "tasks", "n");
    for title in ["one", "two", "three"] {
        set(&one, "tasks", "n", "title", title);
    }
    one.push(&mut server); // decided, not pulled
    let two = copied(&one, dir.path());
    other.write(|tx| tx.insert_with_id("tasks", "m", [("title", "theirs")]));
    other.push(&mut server);
    set(&one, "tasks", "n", "tag", "first");
    two.clock.advance_ms(60_000);
    set(&two, "tasks", "n", "tag", "second");
    one.push(&mut server);
    let _sealed = two.pack().unwrap();

    let asked = two.ask();
    let page = server.pull(&asked).unwrap();
    assert_eq!(two.apply(&page, &asked).outcome, PageOutcome::Forked);
    two.renew(79);
    let asked = two.ask();
    let again = server.pull(&asked).unwrap();
    assert!(again.more && again.at < page.at, "{} {}", again.at, page.at);
    assert_eq!(two.apply(&again, &asked).outcome, PageOutcome::Applied);
    settle(&mut server, &[one, two, other]);
    assert_eq!(server.value("tasks", "n", "tag"), Some(Value::Text("second".to_owned())));
}

/// I-41, I-05: what a copy of the device pushed comes in parts, over two pages. What was kept of it stays until all of it
/// is applied, under the new incarnation.
#[test]
fn what_a_copy_pushed_in_parts_is_read_whole() {
    let (dir, mut server, one) = real(2);
    let other = Device::open(dir.path(), "other", &schema());
    for id in ["a", "b", "c"] {
        shared(&mut server, std::slice::from_ref(&one), "tasks", id);
    }
    settle(&mut server, std::slice::from_ref(&other));
    let two = copied(&one, dir.path());

    one.write(|tx| ["a", "b", "c"].iter().try_for_each(|id| tx.update("tasks", id, [("tag", "first")])));
    other.clock.advance_ms(60_000);
    set(&other, "tasks", "a", "tag", "later"); // so the group comes with its rows
    other.push(&mut server);
    one.push(&mut server);
    set(&two, "tasks", "c", "title", "mine");
    let _sealed = two.pack().unwrap();

    let mut outcomes = Vec::new();
    while outcomes.last() != Some(&PageOutcome::Forked) {
        let asked = two.ask();
        outcomes.push(two.apply(&server.pull(&asked).unwrap(), &asked).outcome);
    }
    assert!(outcomes.len() > 2, "the copy shows in the last part: {outcomes:?}");
    two.renew(79);
    settle(&mut server, &[one, two, other]);
    assert_eq!(server.value("tasks", "b", "tag"), Some(Value::Text("first".to_owned())));
    assert_eq!(server.value("tasks", "c", "title"), Some(Value::Text("mine".to_owned())));
}

/// I-08, I-41: a void of a copy uses up a seq of the device, and a page's `acked` counts it. No commit of the page shows the
/// copy; what the device wrote under that seq shows all the time, also where the feed is read again.
#[test]
fn a_void_of_a_copy_hides_nothing() {
    for again in [false, true] {
        let (dir, mut server, one) = real(1_000);
        shared(&mut server, std::slice::from_ref(&one), "tasks", "n");
        let two = copied(&one, dir.path());
        set(&one, "tasks", "n", "tag", "never wanted");
        let mut packet = one.pack().unwrap();
        let Sent { seq, gid, .. } = packet.sent[0];
        packet.request.groups =
            vec![serde_json::value::to_raw_value(&Void { seq, void: gid, replaces: None }).unwrap()];
        server.push(&packet.request).unwrap();

        set(&two, "tasks", "n", "title", "mine");
        let sealed = two.pack().unwrap();
        if again {
            two.system(|sys| crate::sync::reset_cursor(sys, ResetWhy::CursorLost));
        }
        let asked = two.ask();
        let page = server.pull(&asked).unwrap();
        assert_eq!((page.acked, page.commits.len()), (sealed.sent[0].seq, usize::from(again)), "it counts the void");
        assert_eq!(two.apply(&page, &asked).outcome, PageOutcome::Applied);
        assert_eq!(two.text("tasks", "n", "title").as_deref(), Some("mine"), "read again: {again}");

        assert_eq!(server.push(&sealed.request), Err(Code::DeviceForked));
        two.renew(79);
        settle(&mut server, &[two]);
        assert_eq!(server.value("tasks", "n", "title"), Some(Value::Text("mine".to_owned())));
    }
}

/// I-09, I-41: a page showed a group as a copy's commit before it was sent from here, so none names it again. Its verdict
/// comes after the page that counts its seq, and it leaves the fold with the next one, also where pages are staged.
#[test]
fn what_no_page_names_any_more_leaves_once_its_verdict_is_there() {
    for consistency in [Consistency::Commit, Consistency::Final] {
        let (dir, mut server, one) = real(1_000);
        shared(&mut server, std::slice::from_ref(&one), "notes", "n");
        count(&one, "n", 5);
        let two = copied(&one, dir.path());
        two.renew(79);
        one.push(&mut server);
        let pull = |server: &super::server::Real| {
            let asked = two.ask();
            let page = PullAnswer { consistency, ..server.pull(&asked).unwrap() };
            assert_eq!(two.apply(&page, &asked).outcome, PageOutcome::Applied);
        };
        pull(&server);
        let packet = two.pack().unwrap();
        let answer = server.push(&packet.request).unwrap();
        pull(&server); // counts it, and names nothing
        two.hear(&answer, &packet);
        pull(&server);
        two.check(&server);
        assert_eq!(two.int("notes", "n", "views"), 5, "{consistency:?}");
        settle(&mut server, &[one, two]);
        assert_eq!(server.value("notes", "n", "views"), Some(Value::Int(5)));
    }
}

/// Rule 10, I-41: the same while an earlier group waits, so that no page counts its seq: the page that passed its commit was the one
/// that showed it, and the next one, which names nothing, takes it out.
#[test]
fn what_no_page_names_any_more_leaves_behind_a_group_that_waits() {
    let (dir, mut server, devices) = world(&["one"]);
    let one = &devices[0];
    shared(&mut server, &devices, "notes", "m");
    shared(&mut server, &devices, "notes", "n");
    count(one, "m", 1);
    count(one, "n", 5);
    let two = copied(one, dir.path());
    two.renew(79);
    let packet = one.pack().unwrap();
    server.undecided = vec![packet.sent[0].gid];
    one.hear(&server.push(&packet.request).unwrap(), &packet);
    server.compare_no_stamps();
    two.pull(&server);
    two.push(&mut server);
    let asked = two.ask();
    let page = server.pull(&asked).unwrap();
    assert_eq!((page.acked, page.commits.len(), page.names_own), (0, 0, true));
    two.apply(&page, &asked);
    two.check(&server);
    assert_eq!(two.int("notes", "n", "views"), 5);
}

/// I-41, I-62: a copy is first with what both hold. Its commit takes the group out of the fold, so it counts once, and a page
/// that was asked for before the device's own push was heard need not count it: no history went back.
#[test]
fn what_a_copy_pushed_first_counts_once_and_no_page_need_count_it() {
    let (dir, mut server, one) = real(1_000);
    shared(&mut server, std::slice::from_ref(&one), "notes", "n");
    count(&one, "n", 5);
    let two = copied(&one, dir.path());
    two.renew(79);
    two.push(&mut server);

    let packet = one.pack().unwrap();
    one.pull(&server);
    assert_eq!(one.int("notes", "n", "views"), 5, "not beside the row that contains it");
    let asked = one.ask();
    let page = server.pull(&asked).unwrap();
    let answer = server.push(&packet.request).unwrap();
    one.hear(&answer, &packet);
    assert_eq!(one.apply(&page, &asked).outcome, PageOutcome::Applied);
    settle(&mut server, &[one, two]);
    assert_eq!(server.value("notes", "n", "views"), Some(Value::Int(5)));
}
