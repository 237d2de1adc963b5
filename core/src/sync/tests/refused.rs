//! Refusals: dead letters, the undo of what was shown, and what builds on it.

use turnstone_protocol::{Code, OpKind};

use super::*;
use crate::sync::RowSync;

pub(super) fn tag(device: &Device, id: &'static str, name: &'static str) {
    device.write(move |tx| tx.insert_with_id("tags", id, [("name", name)]));
}

/// I-16: a refused create is undone and kept; what builds on it waits for it, visible; all of it can be sent again.
#[test]
fn a_refused_create_holds_its_dependents_back_and_nothing_else() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    let [one, two] = devices.as_slice() else { panic!() };
    tag(one, "t", "first");
    one.sync(&mut server);

    tag(two, "t", "second");
    let packet = two.pack().unwrap();
    two.write(|tx| tx.update("tags", "t", [("name", "second, edited")]));
    two.write(|tx| tx.insert_with_id("notes", "n", [("title", "unrelated")]));
    let answer = server.push(&packet.request).unwrap();
    let report = two.hear(&answer, &packet);
    two.check(&server);

    assert_eq!((report.rejected, report.parked), (1, 1));
    assert_eq!(report.refused, Some(Code::RowExists));
    assert_eq!(two.text("tags", "t", "name"), None, "undone");
    let counts = two.counts();
    assert_eq!((counts.dead_letters, counts.parked_groups, counts.pending_groups), (1, 1, 2));
    assert_eq!(two.row_state("tags", "t"), RowSync::Failed { code: Code::RowExists });

    two.sync(&mut server);
    two.check(&server);
    assert_eq!(two.text("tags", "t", "name").as_deref(), Some("second, edited"), "the edit shows over the other's row");
    assert_eq!(server.value("notes", "n", "title"), text("unrelated"), "everything else went on");
    let letters = two.letters();
    assert_eq!(letters[0].ops[0].kind, OpKind::Create);

    two.retry(letters[0].id).unwrap();
    two.check(&server);
    assert_eq!(two.counts().parked_groups, 0);
    settle(&mut server, &devices);
}

/// I-16, I-36: an edit that lost to a delete is a letter of its own; the rest of its group counts.
#[test]
fn an_edit_that_lost_to_a_delete_is_kept() {
    for lost_answer in [true, false] {
        let (_dir, mut server, devices) = world(&["one", "two"]);
        shared(&mut server, &devices, "notes", "n");
        shared(&mut server, &devices, "notes", "m");
        let [one, two] = devices.as_slice() else { panic!() };
        one.write(|tx| tx.delete("notes", "n").map(|_| ()));
        one.sync(&mut server);

        two.write(|tx| {
            tx.update("notes", "n", [("title", "lost")])?;
            tx.update("notes", "m", [("title", "kept")])
        });
        let packet = two.pack().unwrap();
        let answer = server.push(&packet.request).unwrap();
        if !lost_answer {
            two.hear(&answer, &packet);
            assert_eq!(two.text("notes", "n", "title").as_deref(), Some("lost"), "shown until the cursor passes it");
            assert_eq!(two.letters(), [], "filed when it leaves the fold");
        }
        two.check(&server);

        settle(&mut server, &devices);
        assert_eq!(two.text("notes", "n", "title"), None);
        assert_eq!(server.value("notes", "m", "title"), text("kept"));
        let letters = two.letters();
        assert_eq!(letters.len(), 1, "answer lost: {lost_answer}");
        assert_eq!((letters[0].n, &letters[0].code), (Some(0), &Code::RowDeleted));
        assert_eq!(letters[0].ops[0].set["title"], Value::from("lost"));
        assert_eq!(two.retry(letters[0].id), Err(crate::sync::RetryRefused::RowGone));
        assert_eq!(two.letters().len(), 1, "a refused retry changes nothing");
    }
}

/// I-10, I-16, rule 11: the refusal is not heard, and the page passes it. Where a server names the device's commits, the write
/// shows until it is a letter; where it does not, the page cannot contain it twice: undone at once, a letter later.
#[test]
fn a_refusal_that_is_not_heard_shows_until_it_is_filed() {
    for marks_own in [true, false] {
        let (_dir, mut server, devices) = world(&["one", "two"]);
        server.marks_own = marks_own;
        let [one, two] = devices.as_slice() else { panic!() };
        tag(one, "t", "first");
        one.sync(&mut server);
        tag(two, "t", "second");
        let packet = two.pack().unwrap();
        server.push(&packet.request).unwrap();

        two.pull(&server);
        two.check(&server);
        let shown = if marks_own { "second" } else { "first" };
        assert_eq!(two.text("tags", "t", "name").as_deref(), Some(shown), "own marks {marks_own}");
        assert_eq!(two.counts().pending_groups, 1, "its verdict is still to be heard");
        assert_eq!(two.letters(), []);

        two.push(&mut server);
        assert_eq!(two.text("tags", "t", "name").as_deref(), Some("first"), "own marks {marks_own}");
        assert_eq!(two.letters().len(), 1);
    }
}

/// Rule 15: a group waits for the one it builds on; what is unrelated does not.
#[test]
fn a_group_that_waits_is_sent_again_and_does_not_stop_the_others() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    shared(&mut server, &devices, "notes", "n");
    shared(&mut server, &devices, "notes", "m");
    let one = &devices[0];
    count(one, "n", 1);
    count(one, "n", 10);
    count(one, "m", 5);
    let batch = one.seal_with(|_| {});
    server.undecided = vec![batch.groups[0].sent.gid];
    let report = one.push(&mut server);
    assert_eq!((report.applied, report.waiting), (1, 2), "the first waits, the second is blocked, the third counts");
    one.pull(&server);
    one.check(&server);
    assert_eq!(one.int("notes", "n", "views"), 11);
    assert_eq!(one.row_state("notes", "m"), RowSync::Synced);

    server.undecided.clear();
    settle(&mut server, &devices);
    assert_eq!(devices[1].int("notes", "n", "views"), 11);
}

/// I-36: where edits win, a deleted row goes on being shown while edits pend, and comes back with them.
#[test]
fn an_edit_wins_over_a_delete_it_had_not_seen() {
    for pull_first in [true, false] {
        let (_dir, mut server, devices) = world(&["one", "two"]);
        shared(&mut server, &devices, "tasks", "n");
        let [one, two] = devices.as_slice() else { panic!() };
        one.write(|tx| tx.delete("tasks", "n").map(|_| ()));
        one.sync(&mut server);
        set(two, "tasks", "n", "title", "still needed");
        if pull_first {
            two.pull(&server);
            two.check(&server);
            assert_eq!(two.text("tasks", "n", "title").as_deref(), Some("still needed"), "it goes on being shown");
            set(two, "tasks", "n", "tag", "edited meanwhile");
            two.check(&server);
        }
        settle(&mut server, &devices);
        assert_eq!(one.text("tasks", "n", "title").as_deref(), Some("still needed"));
        assert!(two.letters().is_empty());
        if pull_first {
            assert_eq!(one.text("tasks", "n", "tag").as_deref(), Some("edited meanwhile"));
        }
    }
}

/// I-36: an own delete of a row somebody edited: where edits win the row comes back, where deletes win it goes.
#[test]
fn a_delete_that_had_not_seen_an_edit() {
    for (table, stays) in [("notes", false), ("tasks", true)] {
        let (_dir, mut server, devices) = world(&["one", "two"]);
        shared(&mut server, &devices, table, "n");
        let [one, two] = devices.as_slice() else { panic!() };
        set(one, table, "n", "title", "edited");
        one.sync(&mut server);
        two.write(move |tx| tx.delete(table, "n").map(|_| ()));
        two.pull(&server);
        two.check(&server);
        assert_eq!(two.text(table, "n", "title"), None, "a pending delete shows");
        settle(&mut server, &devices);
        let expected = stays.then_some("edited");
        assert_eq!(two.text(table, "n", "title").as_deref(), expected, "{table}");
    }
}
