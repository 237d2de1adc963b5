//! What is held back keeps its place: newer edits show over it, and stay newer when it goes on.

use turnstone_protocol::wire::Run;
use turnstone_protocol::{Code, Epoch, Incarnation};

use super::*;
use crate::sync::ResetWhy;

fn tag(device: &Device, id: &'static str, name: &'static str, note: Option<&'static str>) {
    device.write(move |tx| match note {
        Some(note) => tx.insert_with_id("tags", id, [("name", name), ("note", note)]),
        None => tx.insert_with_id("tags", id, [("name", name)]),
    });
}

/// Two devices make the same row; the second one's create is refused. Its edit "A" was sent with it.
fn refused_create() -> (tempfile::TempDir, Model, Vec<Device>) {
    let (dir, mut server, devices) = world(&["one", "two"]);
    let [one, two] = devices.as_slice() else { panic!() };
    tag(one, "t", "first", None);
    one.sync(&mut server);
    tag(two, "t", "second", None);
    set(two, "tags", "t", "name", "A");
    (dir, server, devices)
}

/// I-08: an edit that was sent and waits for a refused create is held back where it stands, behind the newer one.
#[test]
fn a_sent_edit_that_is_held_back_stays_older_than_what_was_written_since() {
    for confirmed in [true, false] {
        let (_dir, mut server, devices) = refused_create();
        let two = &devices[1];
        let packet = two.pack().unwrap();
        assert_eq!(packet.sent.len(), 2, "create and edit travel together");
        set(two, "tags", "t", "name", "B");
        let answer = server.push(&packet.request).unwrap();
        let report = two.hear(&answer, &packet);
        two.check(&server);
        assert_eq!((report.rejected, report.parked), (1, 2));
        two.pull(&server);
        two.check(&server);
        assert_eq!(two.text("tags", "t", "name").as_deref(), Some("B"), "the newer edit shows");
        if confirmed {
            two.push(&mut server);
            assert_eq!(two.counts().voids, 0, "the edit that was sent is given up");
            assert_eq!(two.text("tags", "t", "name").as_deref(), Some("B"));
        }
        two.retry(two.letters()[0].id).unwrap();
        two.check(&server);
        assert_eq!(two.text("tags", "t", "name").as_deref(), Some("B"), "and goes on showing");
        settle(&mut server, &devices);
        assert_eq!(devices[0].text("tags", "t", "name").as_deref(), Some("B"), "everywhere");
        assert_eq!(two.counts().pending_groups, 0);
    }
}

/// I-08, rule 16: an edit of a value that is held back is held back too, though it is written later.
#[test]
fn an_edit_of_what_is_held_back_waits_with_it_and_stays_newer() {
    let (_dir, mut server, devices) = refused_create();
    let two = &devices[1];
    two.sync(&mut server);
    assert_eq!(two.text("tags", "t", "name").as_deref(), Some("A"));
    set(two, "tags", "t", "name", "B");
    set(two, "tags", "t", "name", "C");
    for n in 0..1_500 {
        count_note(two, n);
    }
    two.sync(&mut server);
    assert_eq!(two.counts().parked_groups, 3, "and nothing else waits");
    assert_eq!(two.counts().pending_groups, 3);
    assert_eq!(two.text("tags", "t", "name").as_deref(), Some("C"));
    assert_eq!(server.value("tags", "t", "name"), text("first"));
    two.retry(two.letters()[0].id).unwrap();
    two.check(&server);
    settle(&mut server, &devices);
    assert_eq!(devices[0].text("tags", "t", "name").as_deref(), Some("C"));
    assert_eq!(two.letters(), []);
}

fn count_note(device: &Device, n: usize) {
    device.write(move |tx| tx.insert_with_id("notes", &format!("n{n}"), [("title", "unrelated")]));
}

/// I-16: a row whose create waits for a refused one goes on being edited; the edits wait with it, none is refused.
#[test]
fn a_row_whose_create_is_held_back_can_be_edited() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    let one = &devices[0];
    one.write(|tx| tx.insert_with_id("notes", "n", [("title", "parent")]));
    tag(one, "t", "child", Some("n"));
    let gid = one.seal_with(|input| input.groups_max = 1).groups[0].sent.gid;
    assert!(one.quarantine(gid));
    set(one, "tags", "t", "name", "edited");
    one.sync(&mut server);
    one.check(&server);
    assert_eq!(one.letters().len(), 1, "only the parent is refused");
    assert_eq!(one.counts().parked_groups, 2);
    assert_eq!(one.text("tags", "t", "name").as_deref(), Some("edited"));
    one.retry(one.letters()[0].id).unwrap();
    settle(&mut server, &devices);
    assert_eq!(devices[1].text("tags", "t", "name").as_deref(), Some("edited"));
    assert_eq!(one.letters(), []);
}

/// I-36: a delete made since is not undone by an older change that was held back.
#[test]
fn a_later_delete_and_a_later_create_stand_against_what_was_held_back() {
    for again in [false, true] {
        let (_dir, mut server, devices) = refused_create();
        let two = &devices[1];
        two.sync(&mut server);
        two.write(|tx| tx.delete("tags", "t").map(|_| ()));
        if again {
            tag(two, "t", "anew", None);
        }
        two.sync(&mut server);
        let letter = two.letters().into_iter().find(|letter| letter.code == Code::RowExists).unwrap();
        two.retry(letter.id).unwrap();
        two.check(&server);
        settle(&mut server, &devices);
        let letters = two.letters();
        assert_eq!(letters.len(), 1, "the older edit is kept as a letter");
        assert_eq!((&letters[0].code, letters[0].ops[0].set["name"].clone()), (&Code::RowDeleted, Value::from("A")));
        assert_ne!(two.text("tags", "t", "name").as_deref(), Some("A"));
    }
}

/// A create of a row that is set aside; behind it a delete, which is held back, and another create.
fn made_again_behind_what_is_set_aside(one: &Device) {
    tag(one, "t", "first", None);
    let poisoned = one.seal_with(|input| input.groups_max = 1).groups[0].sent.gid;
    one.write(|tx| tx.delete("tags", "t").map(|_| ()));
    tag(one, "t", "again", None);
    assert!(one.quarantine(poisoned));
    assert_eq!(one.counts().parked_groups, 1, "the delete");
}

/// I-08: a row was deleted behind a group that goes no further, and made again; the new row is accepted. The delete, which is
/// held back, does not hide it; nor when the server forgets it, and is given it back.
#[test]
fn a_delete_that_is_held_back_does_not_hide_the_row_that_was_made_after_it() {
    for as_sent in [true, false] {
        let (_dir, mut server, devices) = world(&["one", "two"]);
        let one = &devices[0];
        let backup = server.clone();
        server.marks_own = as_sent;
        made_again_behind_what_is_set_aside(one);
        one.sync(&mut server);
        one.check(&server);
        let shows = |what| assert_eq!(one.text("tags", "t", "name").as_deref(), Some(what));
        shows("again");
        set(one, "tags", "t", "name", "edited");
        one.sync(&mut server);
        one.check(&server);
        shows("edited");

        let mut server = backup;
        server.epoch = Epoch::from_random(2);
        let (epoch, incarnation) = (Some(server.epoch), Incarnation::from_random(11));
        one.system(|sys| crate::sync::reset_cursor(sys, ResetWhy::History { epoch, incarnation }));
        one.pull(&server);
        one.check(&server);
        shows("edited");
        one.sync(&mut server);
        one.check(&server);
        shows("edited");
        devices[1].sync(&mut server);
        assert_eq!(devices[1].text("tags", "t", "name").as_deref(), Some("edited"));
    }
}

/// I-08: the same where a server does not name the device's commits, and the answer to the second create is lost.
#[test]
fn a_row_that_was_made_again_shows_once_its_verdict_is_there() {
    let (_dir, mut server, devices) = world(&["one"]);
    server.marks_own = false;
    let one = &devices[0];
    made_again_behind_what_is_set_aside(one);
    server.push(&one.pack().unwrap().request).unwrap();
    one.pull(&server);
    one.check(&server);
    one.push(&mut server);
    one.check(&server);
    assert_eq!(one.text("tags", "t", "name").as_deref(), Some("again"));
    assert_eq!(one.counts().parked_groups, 1, "the delete");
}

/// I-12, I-36: a create that was set aside was applied after all. The delete that was held back for it does not go on behind
/// the row that was made since, and take it away: it is kept as a letter.
#[test]
fn a_delete_that_is_let_go_does_not_take_the_row_that_was_made_after_it() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    let one = &devices[0];
    tag(one, "t", "first", None);
    let packet = one.pack().unwrap();
    one.write(|tx| tx.delete("tags", "t").map(|_| ()));
    tag(one, "t", "again", None);
    assert!(one.quarantine(packet.sent[0].gid));
    assert_eq!(one.counts().parked_groups, 1);
    server.push(&packet.request).unwrap(); // it arrives after all
    settle(&mut server, &devices);
    assert_eq!(devices[1].text("tags", "t", "name").as_deref(), Some("again"));
    let letters = one.letters();
    assert_eq!(letters.len(), 1);
    assert_eq!((&letters[0].code, letters[0].ops[0].kind), (&Code::RowDeleted, turnstone_protocol::OpKind::Delete));
}

/// I-10, I-32: a group is given up after a page has shown it, for its answer was lost. That its void is answered with the commit
/// does not fold it over a base that contains it.
#[test]
fn what_was_given_up_after_its_page_counts_once() {
    for marks_own in [true, false] {
        let (_dir, mut server, devices) = world(&["one", "two"]);
        let [one, two] = devices.as_slice() else { panic!() };
        server.marks_own = marks_own;
        shared(&mut server, &devices, "notes", "n");
        one.write(|tx| {
            tx.update("notes", "n", [("title", "older")])?;
            tx.increment("notes", "n", "views", 5)
        });
        let packet = one.pack().unwrap();
        two.clock.advance_ms(60_000);
        set(two, "notes", "n", "title", "newer");
        two.sync(&mut server);
        server.push(&packet.request).unwrap(); // merged; the answer is lost
        one.pull(&server);
        one.check(&server);
        assert!(one.quarantine(packet.sent[0].gid));
        one.push(&mut server);
        one.check(&server);
        assert_eq!((one.int("notes", "n", "views"), one.letters().len()), (5, 0), "own marks {marks_own}");
        settle(&mut server, &devices);
        assert_eq!((one.int("notes", "n", "views"), one.text("notes", "n", "title").as_deref()), (5, Some("newer")));
    }
}

/// I-18: a server that was put back takes what it had refused and what it held back, a page for each: what waits for both goes on.
#[test]
fn what_waits_for_a_held_group_goes_on_when_a_page_shows_that() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    let [one, two] = devices.as_slice() else { panic!() };
    let mut backup = server.clone();
    tag(two, "t", "theirs", None);
    two.sync(&mut server);
    tag(one, "t", "mine", None);
    set(one, "tags", "t", "name", "A");
    let packet = one.pack().unwrap();
    set(one, "tags", "t", "name", "B");
    let answer = server.push(&packet.request).unwrap();
    one.hear(&answer, &packet);
    assert_eq!((one.letters().len(), one.counts().parked_groups), (1, 2));

    backup.page_rows_max = 1;
    backup.push(&packet.request).unwrap(); // it arrives late, where nothing stands against it
    one.pull(&backup);
    one.check(&backup);
    assert_eq!((one.letters().len(), one.counts().parked_groups), (0, 0));
    assert_eq!(one.text("tags", "t", "name").as_deref(), Some("B"));
}

/// I-18: what is held back for a group that turns out to be applied goes on by itself.
#[test]
fn what_is_held_back_goes_on_when_its_ground_was_applied_after_all() {
    for by_page in [true, false] {
        let (_dir, mut server, devices) = world(&["one", "two"]);
        let one = &devices[0];
        one.write(|tx| tx.insert_with_id("notes", "n", [("title", "A")]));
        let packet = one.pack().unwrap();
        set(one, "notes", "n", "title", "B");
        assert!(one.quarantine(packet.sent[0].gid));
        assert_eq!(one.counts().parked_groups, 1);
        server.push(&packet.request).unwrap(); // it arrives after all
        if by_page {
            one.pull(&server);
        } else {
            one.push(&mut server);
        }
        one.check(&server);
        assert_eq!((one.letters().len(), one.counts().parked_groups), (0, 0));
        assert_eq!(one.text("notes", "n", "title").as_deref(), Some("B"));
        settle(&mut server, &devices);
        assert_eq!(devices[1].text("notes", "n", "title").as_deref(), Some("B"));
        assert_eq!(one.counts().pending_groups, 0);
    }
}

/// I-12: what goes on after it was held back gets a later seq than what was sealed meanwhile, and goes behind it.
#[test]
fn what_goes_on_late_is_sent_behind_what_was_sealed_meanwhile() {
    for batch in [1, 100] {
        let (_dir, mut server, devices) = world(&["one", "two"]);
        let one = &devices[0];
        one.write(|tx| tx.insert_with_id("notes", "n", [("title", "A")]));
        let packet = one.pack().unwrap();
        count(one, "n", 7);
        assert!(one.quarantine(packet.sent[0].gid));
        one.write(|tx| tx.insert_with_id("notes", "m", [("title", "sealed meanwhile")]));
        assert_eq!(one.pack().unwrap().sent.len(), 2, "the void, and what was written: both are lost on the way");
        server.push(&packet.request).unwrap(); // it arrives after all
        one.pull(&server); // the increment goes on
        while one.counts().pending_groups > 0 {
            let packet = one.packet(one.seal_with(|input| input.groups_max = batch)).unwrap();
            assert!(packet.sent.is_sorted_by_key(|sent| sent.seq), "{batch} in a batch");
            let answer = server.push(&packet.request).unwrap_or_else(|code| panic!("{code:?}, {batch} in a batch"));
            one.hear(&answer, &packet);
        }
        assert!(one.system(|sys| crate::sync::rewind(sys, 2)));
        let again = one.pack().unwrap().sent;
        assert!(again.len() == 2 && again.is_sorted_by_key(|sent| sent.seq), "also when it is sent again");
        settle(&mut server, &devices);
        assert_eq!(devices[1].int("notes", "n", "views"), 7);
        assert_eq!(devices[1].text("notes", "m", "title").as_deref(), Some("sealed meanwhile"));
    }
}

/// I-10, I-40: a restored server forgot that a group was given up, and the packet arrives late: it counts once.
#[test]
fn what_was_held_back_and_arrives_late_at_a_restored_server_counts_once() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    let one = &devices[0];
    let backup = server.clone();
    one.write(|tx| tx.insert_with_id("notes", "n", [("title", "A")]));
    count(one, "n", 7);
    let packet = one.pack().unwrap();
    assert!(one.quarantine(packet.sent[0].gid));
    one.push(&mut server); // the increment is held back
    one.push(&mut server); // and given up
    assert_eq!((one.counts().parked_groups, one.counts().voids), (1, 0));

    let mut server = backup;
    server.epoch = Epoch::from_random(2);
    server.push(&packet.request).unwrap();
    let (epoch, incarnation) = (Some(server.epoch), Incarnation::from_random(79));
    one.system(|sys| crate::sync::reset_cursor(sys, ResetWhy::History { epoch, incarnation }));
    settle(&mut server, &devices);
    assert_eq!(devices[1].int("notes", "n", "views"), 7);
    assert_eq!((one.int("notes", "n", "views"), one.counts().pending_groups), (7, 0));
    assert_eq!(one.letters(), []);
}

/// I-10, I-16: the answer to a void may be a run, which says that the group was applied after all.
#[test]
fn a_run_tells_that_what_was_given_up_was_applied() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    let one = &devices[0];
    one.write(|tx| tx.insert_with_id("notes", "n", [("title", "A")]));
    let packet = one.pack().unwrap();
    server.push(&packet.request).unwrap(); // applied, not heard
    assert!(one.quarantine(packet.sent[0].gid));
    assert_eq!(one.letters().len(), 1);

    let void = one.pack().unwrap();
    let mut answer = server.push(&void.request).unwrap();
    let said = answer.verdicts.remove(0);
    answer.applied = vec![Run { seq: said.seq, commit: said.commit.unwrap(), count: 1 }];
    one.hear(&answer, &void);
    assert_eq!((one.letters(), one.counts().voids), (vec![], 0));
    settle(&mut server, &devices);
    assert_eq!(one.text("notes", "n", "title").as_deref(), Some("A"));
}
