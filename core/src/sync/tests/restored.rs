//! A server put back from a backup: what it forgot comes back, and what it says anew replaces what it said before.

use turnstone_protocol::{Code, Epoch, Gid, Incarnation};

use super::refused::tag;
use super::renewed::copied;
use super::*;
use crate::sync::{PageOutcome, ResetWhy};

/// The device has noticed that the history is another one.
fn begin_again(device: &Device, server: &Model, number: u128) {
    let (epoch, incarnation) = (Some(server.epoch), Incarnation::from_random(number));
    device.system(|sys| crate::sync::reset_cursor(sys, ResetWhy::History { epoch, incarnation }));
}

/// I-40, I-62: the server goes back behind what it has answered, keeps its epoch, and is further than the device again
/// before that asks: the page gives it away, for it does not call decided what was.
#[test]
fn a_verdict_that_the_server_forgot_is_noticed_where_the_device_stands_in_both_histories() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    let [one, two] = devices.as_slice() else { panic!() };
    let backup = server.clone();
    one.write(|tx| tx.insert_with_id("notes", "n", [("title", "A")]));
    one.push(&mut server); // decided, not pulled

    let mut server = backup;
    two.write(|tx| tx.insert_with_id("notes", "m", [("title", "B")]));
    two.sync(&mut server);
    let asked = one.ask();
    let page = server.pull(&asked).unwrap();
    assert_eq!((page.at, one.apply(&page, &asked).outcome), (1, PageOutcome::EpochSuspect));
    assert_eq!(one.text("notes", "n", "title").as_deref(), Some("A"));

    begin_again(one, &server, 11);
    settle(&mut server, &devices);
    assert_eq!(server.value("notes", "n", "title"), text("A"));
}

/// I-08, I-40: the same where the feed is read from its beginning, and was asked for before the verdict was heard. The group was
/// sent by an earlier incarnation too, so that `acked` need not count it; but the feed must name it.
#[test]
fn a_feed_that_is_read_again_names_what_a_verdict_said() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    let [one, two] = devices.as_slice() else { panic!() };
    let mut backup = server.clone();
    one.write(|tx| tx.insert_with_id("notes", "n", [("title", "A")]));
    one.pack().unwrap(); // lost on the way
    begin_again(one, &server, 11);
    let asked = one.ask();
    one.push(&mut server);

    two.write(|tx| tx.insert_with_id("notes", "m", [("title", "B")]));
    two.sync(&mut backup);
    let page = backup.pull(&asked).unwrap();
    assert_eq!((page.at, one.apply(&page, &asked).outcome), (1, PageOutcome::EpochSuspect));
    assert_eq!(one.text("notes", "n", "title").as_deref(), Some("A"));

    begin_again(one, &backup, 12);
    settle(&mut backup, &devices);
    assert_eq!(backup.value("notes", "n", "title"), text("A"));
}

/// I-40, I-62: the same, and the server ends before what it has answered when the device asks: nothing was pulled yet, and
/// the verdict is all there is to go by. A page that was asked for before it was heard says nothing.
#[test]
fn a_server_that_ends_before_a_verdict_it_gave_is_noticed_before_anything_was_pulled() {
    let (_dir, mut server, devices) = world(&["one"]);
    let [one] = devices.as_slice() else { panic!() };
    let backup = server.clone();
    one.write(|tx| tx.insert_with_id("notes", "n", [("title", "A")]));
    let early = one.ask();
    let page = server.pull(&early).unwrap();
    one.push(&mut server); // decided, not pulled
    assert_eq!((page.at, one.apply(&page, &early).outcome), (0, PageOutcome::Applied), "it was overtaken");

    let mut server = backup;
    let asked = one.ask();
    let page = server.pull(&asked).unwrap();
    assert_eq!((page.at, one.apply(&page, &asked).outcome), (0, PageOutcome::EpochSuspect));
    begin_again(one, &server, 11);
    settle(&mut server, &devices);
    assert_eq!(server.value("notes", "n", "title"), text("A"));
}

/// I-16, I-40: an edit that lost to a delete is told again if it lost again, once, and not at all if it counts now.
#[test]
fn what_lost_to_a_delete_is_a_dead_letter_only_if_it_did_in_the_new_history() {
    for (kept, expected) in [(true, 1), (false, 0)] {
        let (_dir, mut server, devices) = world(&["one", "two"]);
        let [one, two] = devices.as_slice() else { panic!() };
        shared(&mut server, &devices, "notes", "n");
        let backup = server.clone();
        two.write(|tx| tx.delete("notes", "n").map(|_| ()));
        two.sync(&mut server);
        set(one, "notes", "n", "title", "too late");
        one.sync(&mut server);
        assert_eq!(one.letters().len(), 1);

        let mut server = if kept { server } else { backup };
        server.epoch = Epoch::from_random(2);
        begin_again(one, &server, 11);
        one.sync(&mut server);
        begin_again(two, &server, 12);
        settle(&mut server, &devices);
        assert_eq!(one.letters().len(), expected, "the backup has the delete: {kept}");
        assert_eq!(one.text("notes", "n", "title"), None);
    }
}

/// I-18, I-40: what was applied before and is refused now, because its row has not come back yet, holds nothing up.
#[test]
fn what_waits_for_a_group_that_a_restored_server_refuses_is_decided_by_itself() {
    let (_dir, mut server, devices) = world(&["one", "two"]);
    let [one, two] = devices.as_slice() else { panic!() };
    let backup = server.clone();
    shared(&mut server, &devices, "notes", "n");
    set(two, "notes", "n", "title", "B");
    set(two, "notes", "n", "tag", "C"); // names the one before
    two.sync(&mut server);

    let mut server = backup;
    server.epoch = Epoch::from_random(2);
    begin_again(two, &server, 12);
    two.sync(&mut server);
    assert_eq!(two.counts().pending_groups, 0);
    assert!(two.letters().iter().map(|letter| &letter.code).eq([&Code::RowPurged; 2]), "{:?}", two.letters());
    begin_again(one, &server, 11);
    settle(&mut server, &devices);
    assert_eq!(server.value("notes", "n", "title"), text("A"));
}

/// I-08, I-40: what the server forgot goes on showing over what it tells now, also before it is given back, and counts once.
#[test]
fn what_the_server_forgot_shows_before_and_after_it_is_given_back() {
    for heard_first in [false, true] {
        let (_dir, mut server, devices) = world(&["one", "two"]);
        let [one, two] = devices.as_slice() else { panic!() };
        shared(&mut server, &devices, "notes", "n");
        let backup = server.clone();
        count(one, "n", 5);
        set(one, "notes", "n", "title", "B");
        one.write(|tx| tx.insert_with_id("notes", "m", [("title", "new")]));
        one.sync(&mut server);
        two.sync(&mut server);

        let mut server = backup;
        server.epoch = Epoch::from_random(2);
        begin_again(one, &server, 11);
        let asked = one.ask();
        let page = server.pull(&asked).unwrap();
        if heard_first {
            one.push(&mut server); // given back while the feed is read
        }
        assert_eq!(one.apply(&page, &asked).outcome, PageOutcome::Applied);
        one.check(&server);
        let shows = || {
            assert_eq!((one.int("notes", "n", "views"), one.text("notes", "n", "title").as_deref()), (5, Some("B")));
            assert_eq!(one.text("notes", "m", "title").as_deref(), Some("new"));
        };
        shows();
        one.sync(&mut server);
        shows();
        begin_again(two, &server, 12);
        settle(&mut server, &devices);
        shows();
        assert_eq!((two.int("notes", "n", "views"), one.letters().len()), (5, 0), "heard first: {heard_first}");
    }
}

/// A create that was refused, and that the log has forgotten but for what is held back for it.
struct Refused {
    _dir: tempfile::TempDir,
    /// The server before it refused it.
    backup: Model,
    /// The one that wrote it first.
    devices: Vec<Device>,
    /// A copy of that device, made before it sent anything.
    copy: Device,
    gid: Gid,
}

/// `edited`: an edit of the row is held back for it.
fn refused_and_copied(edited: bool) -> Refused {
    let (dir, mut server, devices) = world(&["one", "other"]);
    let [one, other] = devices.as_slice() else { panic!() };
    let backup = server.clone();
    tag(other, "t", "theirs");
    other.sync(&mut server);
    tag(one, "t", "mine");
    let copy = copied(one, dir.path());
    let packet = one.pack().unwrap();
    if edited {
        one.write(|tx| tx.update("tags", "t", [("name", "mine, edited")]));
    }
    one.write(|tx| tx.insert_with_id("notes", "n", [("title", "unrelated")]));
    one.hear(&server.push(&packet.request).unwrap(), &packet);
    assert_eq!(one.letters().len(), 1);
    one.system(|sys| crate::sync::forget_stable(sys, u64::MAX));
    Refused { _dir: dir, backup, devices, copy, gid: packet.sent[0].gid }
}

/// I-16, I-40: a server that is put back takes from a copy of the device what it had refused: that is no dead letter any more. The
/// log has forgotten it, but for what is held back for it, which goes on.
#[test]
fn what_a_restored_server_takes_from_a_copy_is_no_dead_letter() {
    // A life in between gave the others their seqs anew: the refused group has none, and is not sent for its verdict.
    let ways =
        [(false, false, false), (false, true, false), (true, false, false), (true, true, false), (true, false, true)];
    for (edited, told, renewed) in ways {
        let Refused { _dir, mut backup, devices, copy, gid } = refused_and_copied(edited);
        let one = &devices[0];
        assert_eq!(one.counts().parked_groups, u64::from(edited));
        assert_eq!(one.system(|sys| crate::sync::log::head_by_gid(sys, gid)).is_some(), edited);

        if told {
            backup.epoch = Epoch::from_random(2);
            begin_again(one, &backup, 11);
        }
        if renewed {
            one.renew(80);
        }
        copy.renew(79);
        copy.sync(&mut backup);
        backup.compare_no_stamps();
        one.pull(&backup);
        assert_eq!(one.letters(), [], "edited {edited}, told {told}");
        one.check(&backup);
        if !told && !renewed {
            begin_again(one, &backup, 11); // what it sends next has no place in this history
        }
        settle(&mut backup, &[devices.into_iter().next().unwrap(), copy]);
        let expected = if edited { "mine, edited" } else { "mine" };
        assert_eq!(backup.value("tags", "t", "name"), text(expected), "edited {edited}, told {told}");
    }
}

/// I-16: what was refused, forgotten but for its letter, and sent again: a server that was put back has taken the first from a copy, and
/// refuses the second. It had its effect, and leaves no letter.
#[test]
fn what_was_meant_again_and_a_copy_sent_first_leaves_no_letter() {
    let Refused { _dir, mut backup, devices, copy, .. } = refused_and_copied(false);
    let one = &devices[0];
    one.retry(one.letters()[0].id).unwrap();
    one.pack().unwrap(); // sealed, and lost on the way

    backup.epoch = Epoch::from_random(2);
    begin_again(one, &backup, 11);
    copy.renew(79);
    copy.sync(&mut backup);
    one.pull(&backup);
    one.push(&mut backup);
    one.check(&backup);
    assert_eq!(one.letters(), []);
    assert_eq!(one.text("tags", "t", "name").as_deref(), Some("mine"));
}
