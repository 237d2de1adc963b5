//! The list at the end of the protocol's rules: interleavings a naive convergence check passes.

use turnstone_protocol::Code;

use super::*;

/// I-30: a field that goes A -> B -> A was written; the last stamp wins, not "it did not change".
#[test]
fn a_to_b_to_a_is_a_write() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    shared(&mut server, &devices, "notes", "n");
    let [one, two] = devices.as_slice() else { panic!() };

    set(two, "notes", "n", "title", "X");
    one.clock.advance_ms(1_000);
    set(one, "notes", "n", "title", "B");
    set(one, "notes", "n", "title", "A");
    two.sync(&mut server);
    one.sync(&mut server);

    settle(&mut server, &devices);
    assert_eq!(server.value("notes", "n", "title"), text("A"), "the later writer put A back, and that is a write");
}

/// I-30: writing the value that is there raises its stamp; an older write that arrives later loses to it.
#[test]
fn an_equal_value_raises_the_stamp() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    shared(&mut server, &devices, "notes", "n");
    let [one, two] = devices.as_slice() else { panic!() };

    set(two, "notes", "n", "title", "X");
    one.clock.advance_ms(1_000);
    set(one, "notes", "n", "title", "A");
    one.sync(&mut server);
    two.sync(&mut server);

    settle(&mut server, &devices);
    assert_eq!(two.text("notes", "n", "title").as_deref(), Some("A"));
}

/// Rule 3: a device does not conflict with itself, whichever way the table decides deletes.
#[test]
fn edit_then_delete_on_one_device() {
    for table in ["notes", "tasks"] {
        for one_push in [true, false] {
            let (_dir, mut server, devices) = world(&["one", "two"]);
            shared(&mut server, &devices, table, "n");
            let one = &devices[0];

            set(one, table, "n", "title", "B");
            if !one_push {
                one.push(&mut server);
            }
            one.write(move |tx| tx.delete(table, "n").map(|_| ()));
            one.check(&server);
            let report = one.push(&mut server);

            assert_eq!((report.merged, report.overlaps), (0, 0), "{table}: overlapped with itself");
            settle(&mut server, &devices);
            assert_eq!(devices[1].text(table, "n", "title"), None, "{table}: the row came back");
            assert!(one.letters().is_empty());
        }
    }
}

/// I-10, I-14: the answer is lost after the server committed, the page comes, then an edit on what it shows.
#[test]
fn ack_lost_then_pull_then_edit() {
    for marks_own in [true, false] {
        let (_dir, mut server, devices) = world(&["one", "two"]);
        server.marks_own = marks_own;
        shared(&mut server, &devices, "notes", "n");
        let [one, two] = devices.as_slice() else { panic!() };
        count(two, "n", 40);
        two.sync(&mut server);

        count(one, "n", 2);
        let packet = one.pack().unwrap();
        server.push(&packet.request).unwrap();
        one.pull(&server);
        one.check(&server);
        assert_eq!(one.int("notes", "n", "views"), 42, "own marks {marks_own}: folded twice");

        count(one, "n", 3);
        assert_eq!(one.int("notes", "n", "views"), 45);
        settle(&mut server, &devices);
        assert_eq!(two.int("notes", "n", "views"), 45);
    }
}

/// I-08, I-10: the verdict names a commit the cursor has not reached, because a foreign group comes first.
#[test]
fn ack_while_the_cursor_is_behind_a_foreign_group() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    shared(&mut server, &devices, "notes", "n");
    let [one, two] = devices.as_slice() else { panic!() };
    count(two, "n", 10);
    set(two, "notes", "n", "tag", "theirs");
    two.push(&mut server);

    count(one, "n", 1);
    one.push(&mut server);
    one.check(&server);
    assert_eq!(one.int("notes", "n", "views"), 1, "the acked op still shows");
    assert_eq!(one.counts().pending_groups, 0, "and is not pending");

    server.page_rows_max = 1;
    let asked = one.ask();
    let page = server.pull(&asked).unwrap();
    assert!(page.more, "the foreign group comes alone");
    one.apply(&page, &asked);
    one.check(&server);
    assert_eq!(one.int("notes", "n", "views"), 11, "over the foreign base, once");
    settle(&mut server, &devices);
    assert_eq!(one.int("notes", "n", "views"), 11);
}

/// I-09, I-10: the same request twice, the second while the first runs; answers in either order, or both.
#[test]
fn the_retry_of_a_request_still_running() {
    for late_first in [true, false] {
        let (_dir, mut server, devices) = world(&["one", "two"]);
        shared(&mut server, &devices, "notes", "n");
        let one = &devices[0];
        count(one, "n", 1);
        set(one, "notes", "n", "title", "B");

        let first = one.pack().unwrap();
        let again = one.pack().unwrap();
        let bodies =
            |packet: &device::Packet| packet.request.groups.iter().map(|raw| raw.get().to_owned()).collect::<Vec<_>>();
        assert_eq!(bodies(&first), bodies(&again), "a resend is the same text (rule 12)");
        let answer = server.push(&first.request).unwrap();
        let answer_again = server.push(&again.request).unwrap();
        assert_eq!(answer.verdicts, answer_again.verdicts);

        let [early, late] = if late_first { [&answer_again, &answer] } else { [&answer, &answer_again] };
        one.hear(early, &first);
        count(one, "n", 5);
        one.pull(&server);
        one.hear(late, &again);
        one.check(&server);
        assert_eq!(one.int("notes", "n", "views"), 6);
        assert_eq!(one.counts().pending_groups, 1, "the write made meanwhile stays pending (I-14)");
        settle(&mut server, &devices);
        assert!(first.sent.iter().all(|sent| server.commits_of(sent.gid) == 1));
    }
}

/// I-60, rule 14: one group of five makes the server fail; halving finds it, a void uses up its seq, the rest goes on.
#[test]
fn a_bisected_poison_in_mid_seq() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    shared(&mut server, &devices, "notes", "n");
    let one = &devices[0];
    for by in [1, 10, 100, 1_000, 10_000] {
        count(one, "n", by);
    }
    let batch = one.seal_with(|_| {});
    let poison = batch.groups[2].sent.gid;
    server.poison = Some(poison);

    let mut lists = vec![batch.groups.iter().map(|group| group.sent.gid).collect::<Vec<_>>()];
    while let Some(list) = lists.pop() {
        let packet = one.packet(one.seal_with(|input| input.only = Some(list.clone()))).unwrap();
        assert_eq!(packet.sent.len(), list.len());
        match server.push(&packet.request) {
            Ok(answer) => drop(one.hear(&answer, &packet)),
            Err(Code::Internal) if list.len() == 1 => assert!(one.quarantine(list[0])),
            Err(Code::Internal) => {
                let (front, back) = list.split_at(list.len() / 2);
                lists.extend([back.to_vec(), front.to_vec()]);
            }
            // What comes after the poison waits until its seq is used up.
            Err(Code::SeqGap) => {}
            Err(other) => panic!("{other:?}"),
        }
        one.check(&server);
    }
    assert_eq!(one.int("notes", "n", "views"), 11_011, "the poison's change is undone");
    assert_eq!(one.counts().voids, 1);
    settle(&mut server, &devices);
    assert_eq!(one.counts().voids, 0);
    assert_eq!(devices[1].int("notes", "n", "views"), 11_011);
    let letters = one.letters();
    assert_eq!(letters.len(), 1, "and it is kept (I-16)");
    assert_eq!(letters[0].ops[0].inc["views"], 100);
}

/// I-09, I-16, rule 14: a group set aside while its packet is under way; its letter is sent again; then the packet
/// arrives, before or after.
#[test]
fn a_dead_letter_sent_again_while_its_packet_is_in_flight() {
    for packet_first in [true, false] {
        for heard_by_page in [true, false] {
            let (_dir, mut server, devices) = world(&["one", "two"]);
            shared(&mut server, &devices, "notes", "n");
            let one = &devices[0];
            count(one, "n", 7);
            let packet = one.pack().unwrap();
            assert!(one.quarantine(packet.sent[0].gid));
            assert_eq!(one.int("notes", "n", "views"), 0, "undone");
            let letter = one.letters()[0].id;
            one.retry(letter).unwrap();
            one.check(&server);
            assert_eq!(one.int("notes", "n", "views"), 7, "and meant again");

            if packet_first {
                server.push(&packet.request).unwrap();
                if heard_by_page {
                    one.pull(&server);
                    one.check(&server);
                    assert_eq!(one.int("notes", "n", "views"), 7, "never twice");
                }
            }
            one.push(&mut server);
            one.check(&server);
            assert_eq!(one.int("notes", "n", "views"), 7);
            // The packet arrives late, or once more.
            server.push(&packet.request).unwrap();
            settle(&mut server, &devices);
            assert_eq!(devices[1].int("notes", "n", "views"), 7, "packet first: {packet_first}");
            assert_eq!(one.letters(), [], "what was meant has happened");
        }
    }
}

/// I-09: a letter sent again, set aside again, sent again: whichever form arrives, it counts once.
#[test]
fn a_dead_letter_sent_again_twice_counts_once() {
    for sealed_between in [true, false] {
        for first_arrives in [true, false] {
            let (_dir, mut server, devices) = world(&["one", "two"]);
            shared(&mut server, &devices, "notes", "n");
            let one = &devices[0];
            count(one, "n", 7);
            let first = one.pack().unwrap();
            one.quarantine(first.sent[0].gid);
            one.retry(one.letters()[0].id).unwrap();
            if sealed_between {
                let batch = one.seal_with(|_| {});
                assert_eq!(batch.groups.len(), 1, "what takes its place waits until the first one's end is known");
                assert!(batch.groups[0].sent.void && batch.waits, "and says so");
            }
            let again = one.newest_gid();
            one.quarantine(again);
            one.retry(one.letters()[0].id).unwrap();
            if first_arrives {
                server.push(&first.request).unwrap();
            }
            one.push(&mut server);
            one.check(&server);
            assert_eq!(one.int("notes", "n", "views"), 7);
            server.push(&first.request).unwrap();
            settle(&mut server, &devices);
            assert_eq!(devices[1].int("notes", "n", "views"), 7, "the first arrived: {first_arrives}");
            assert_eq!(one.letters(), []);
        }
    }
}

/// I-05, I-26: a group larger than a page, cut between two of its rows, which were rewritten since.
#[test]
fn a_page_cut_between_two_rows_of_a_group_rewritten_since() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    let [one, two] = devices.as_slice() else { panic!() };
    one.write(|tx| {
        for id in ["a", "b", "c", "d", "e"] {
            tx.insert_with_id("notes", id, [("title", "together")])?;
        }
        Ok(())
    });
    one.sync(&mut server);
    set(one, "notes", "b", "title", "rewritten");
    one.write(|tx| tx.delete("notes", "d").map(|_| ()));
    one.sync(&mut server);

    server.page_rows_max = 2;
    let seen = || two.db.query("SELECT group_concat(id || ':' || title) FROM notes", &[]).unwrap().rows[0][0].clone();
    let mut states = Vec::new();
    loop {
        let asked = two.ask();
        let page = server.pull(&asked).unwrap();
        two.apply(&page, &asked);
        two.check(&server);
        match seen() {
            Value::Null => {}
            Value::Text(text) => states.push(text),
            other => panic!("{other:?}"),
        }
        if !page.more {
            break;
        }
    }
    assert_eq!(states[0], "a:together,b:together,c:together,d:together,e:together", "never half a group");
    assert_eq!(states.last().unwrap(), "a:together,b:rewritten,c:together,e:together");
    settle(&mut server, &devices);
}

/// I-09: a group that changes one row twice leaves the fold whole, also with a later group on top of it.
#[test]
fn two_ops_of_one_group_on_one_row_leave_the_fold_together() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    shared(&mut server, &devices, "notes", "n");
    let one = &devices[0];

    one.write(|tx| {
        tx.update("notes", "n", [("title", "B")])?;
        tx.increment("notes", "n", "views", 2)
    });
    one.write(|tx| {
        tx.update("notes", "n", [("title", "C")])?;
        tx.increment("notes", "n", "views", 3)
    });
    one.push(&mut server);
    one.pull(&server);
    one.check(&server);
    set(&devices[1], "notes", "n", "title", "D");
    devices[1].clock.advance_ms(5_000);

    settle(&mut server, &devices);
    assert_eq!(one.row_state("notes", "n"), crate::sync::RowSync::Synced, "nothing of it waits");
    assert_eq!(one.text("notes", "n", "title"), devices[1].text("notes", "n", "title"));
    assert_eq!(one.int("notes", "n", "views"), 5);
}
