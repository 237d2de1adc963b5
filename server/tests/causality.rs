//! Clocks and what a writer had seen (rules 1 to 3 and 20; I-30, I-31).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod common;

use common::*;
use serde_json::{Value as Json, json};
use turnstone_protocol::wire::Outcome;
use turnstone_protocol::{Code, Hlc, Incarnation};

const YEAR_MS: u64 = 365 * DAY_MS;

fn at(id: u128, seq: u64, hlc: Hlc, ops: Json) -> Json {
    let mut group = group(id, seq, ops);
    group["hlc"] = json!(hlc);
    group
}

fn title(world: &World) -> Json {
    let mut reader = world.device(1000);
    let pages = reader.pull_all(1000);
    let rows = pages.iter().flat_map(|page| &page.commits).flat_map(|commit| &commit.rows);
    serde_json::to_value(rows.last().unwrap().fields.get("title")).unwrap()
}

/// I-31: a clock ten years ahead neither wins for ever nor ranks above an edit that saw it.
#[test]
fn i_31_a_clock_far_ahead_never_beats_an_edit_that_saw_it() {
    let world = World::new();
    let (ahead, phone) = (world.device(1), world.device(2));
    ahead.push(&[at(1, 1, Hlc::at(NOW_MS + 10 * YEAR_MS), json!([create("n", "from the future")]))]).unwrap();
    let said = phone.push(&[at(2, 1, Hlc::at(NOW_MS - YEAR_MS), json!([update("n", 1, json!({"title": "seen"}))]))]);
    assert_eq!(said.unwrap().verdicts[0].verdict, Outcome::Applied);
    assert_eq!(title(&world), json!("seen"));
    let answer = phone.push(&[at(3, 2, Hlc::at(NOW_MS), json!([create("m", "")]))]).unwrap();
    assert!(answer.hlc.ms() <= NOW_MS + 1, "the tenant's clock stays with the server's: {}", answer.hlc.ms());
}

/// I-31: made after it arrived, though not seen: the server's clock has passed the wrong one's bound.
#[test]
fn i_31_a_clock_far_ahead_never_beats_an_edit_made_after_it_arrived() {
    let world = World::new();
    let (ahead, mut phone) = (world.device(1), world.device(2));
    ahead.push(&[at(1, 1, Hlc::at(NOW_MS), json!([create("n", "")]))]).unwrap();
    ahead
        .push(&[at(2, 2, Hlc::at(NOW_MS + 10 * YEAR_MS), json!([update("n", 1, json!({"title": "wrong"}))]))])
        .unwrap();
    phone.now_ms = NOW_MS + 60_000;
    let later = at(3, 1, Hlc::at(NOW_MS + 30_000), json!([update("n", 1, json!({"title": "later"}))]));
    assert_eq!(phone.push(&[later]).unwrap().verdicts[0].verdict, Outcome::Merged);
    assert_eq!(title(&world), json!("later"));
}

/// I-31: a clock that stands at 1970 does not make a person's own later edits lose to their earlier ones.
#[test]
fn i_31_a_device_never_loses_to_itself() {
    let world = World::new();
    let phone = world.device(1);
    let groups = [
        at(1, 1, Hlc::at(NOW_MS + YEAR_MS), json!([create("n", "A")])),
        at(2, 2, Hlc::at(5), json!([update("n", 0, json!({"title": "B"}))])),
        at(3, 3, Hlc::at(6), json!([update("n", 0, json!({"title": "A"}))])),
        at(4, 4, Hlc::at(0), json!([update("n", 0, json!({"title": "last"}))])),
    ];
    let verdicts = phone.push(&groups).unwrap().verdicts;
    assert!(verdicts.iter().all(|said| said.verdict == Outcome::Applied && said.explain.is_empty()));
    assert_eq!(title(&world), json!("last"));
}

/// Rule 3: edit, then delete, with the base from before both.
#[test]
fn edit_then_delete_on_one_device_is_no_conflict() {
    let world = World::new();
    let mut phone = world.device(1);
    phone.say(1, json!([create("n", "one")]));
    phone.say(2, json!([update("n", 1, json!({"title": "two"}))]));
    let gone = phone.say(3, json!([delete("n", 1)]));
    assert_eq!((gone.verdict, gone.explain.len()), (Outcome::Applied, 0));
}

/// Rule 3: another incarnation of the same device is in the past only through `after`.
#[test]
fn another_incarnation_is_seen_only_through_after() {
    for named in [false, true] {
        let world = World::new();
        let mut phone = world.device(1);
        phone.say(1, json!([create("n", "one")]));
        phone.say(2, json!([update("n", 1, json!({"title": "two"}))]));
        let reborn = Device { incarnation: Incarnation::from_random(9), ..world.device(1) };
        let mut edit = group(3, 1, json!([update("n", 1, json!({"title": "three"}))]));
        if named {
            edit["after"] = json!([gid(2)]);
        }
        let said = reborn.push(&[edit]).unwrap().verdicts.remove(0);
        assert_eq!(said.verdict, if named { Outcome::Applied } else { Outcome::Merged });
    }
}

/// Rule 1: A -> B -> A, and an equal value, still raise the stamp: arrival decides nothing.
#[test]
fn writing_the_same_value_again_still_counts_as_writing() {
    for first in [true, false] {
        let world = World::new();
        let mut phone = world.device(1);
        phone.say(1, json!([create("n", "A")]));
        let (old, back) = (world.device(2), world.device(3));
        let stale = at(2, 1, Hlc::at(NOW_MS - 500), json!([update("n", 1, json!({"title": "B"}))]));
        let equal = at(3, 1, Hlc::at(NOW_MS - 400), json!([update("n", 1, json!({"title": "A"}))]));
        for (device, group) in if first { [(&old, stale), (&back, equal)] } else { [(&back, equal), (&old, stale)] } {
            device.push(&[group]).unwrap();
        }
        assert_eq!(title(&world), json!("A"));
    }
}

/// I-30: concurrent edits are ordered by their clocks, whichever arrives first.
#[test]
fn i_30_lww_is_a_race_of_stamps_and_not_of_arrival() {
    for early_first in [true, false] {
        let world = World::new();
        let mut phone = world.device(1);
        phone.say(1, json!([create("n", "")]));
        let (early, late) = (world.device(2), world.device(3));
        let early_edit = at(2, 1, Hlc::at(NOW_MS - 500), json!([update("n", 1, json!({"title": "early"}))]));
        let late_edit = at(3, 1, Hlc::at(NOW_MS - 400), json!([update("n", 1, json!({"title": "late"}))]));
        let order = if early_first {
            [(&early, early_edit), (&late, late_edit)]
        } else {
            [(&late, late_edit), (&early, early_edit)]
        };
        for (device, group) in order {
            device.push(&[group]).unwrap();
        }
        assert_eq!(title(&world), json!("late"));
    }
}

/// Rule 29: a field the server does not know is kept and handed on; an intent it cannot fulfil waits.
#[test]
fn what_a_newer_app_writes_is_kept_or_waits() {
    let world = World::new();
    let mut phone = world.device(1);
    let extra = json!([{"op": "create", "table": "notes", "id": "n", "set": {"title": "t", "colour": {"h": [1, 2]}}}]);
    assert_eq!(phone.say(1, extra).verdict, Outcome::Applied);
    let counter = json!([{"op": "update", "table": "notes", "id": "n", "base": 1, "inc": {"stars": 1}}]);
    let said = phone.say(2, counter);
    assert_eq!((said.verdict, said.code), (Outcome::SchemaBehind, Some(Code::UnknownField)));
    let table = json!([{"op": "create", "table": "albums", "id": "a"}]);
    let said = phone.say(3, table);
    assert_eq!((said.verdict, said.code), (Outcome::SchemaBehind, Some(Code::UnknownTable)));
    let said = phone.say(4, json!([{"op": "create", "table": "drafts", "id": "d"}]));
    assert_eq!((said.verdict, said.code), (Outcome::Rejected, Some(Code::LocalOnlyTable)));
    let said = phone.say(5, json!([{"op": "create", "table": "lists", "id": "l"}]));
    assert_eq!(
        (said.verdict, said.code, said.fields),
        (Outcome::Rejected, Some(Code::MissingField), vec!["lists.name".to_owned()])
    );
    let page = world.device(2).pull(1000);
    assert_eq!(
        serde_json::to_value(&page.commits[0].rows[0].fields).unwrap(),
        json!({"title": "t", "colour": {"h": [1, 2]}})
    );
    assert_eq!(phone.pull(1000).acked, 1, "2 and 3 are not decided");
}

/// Seen, I-30: two copies of one phone hold the same groups, and one of them is first. What the other sends after them has
/// seen them all the same: in the same push, in a later one, and with none of them named.
#[test]
fn what_a_copy_sent_first_is_seen_by_what_follows_it() {
    let world = World::new();
    let (phone, mut copy, stranger) = (world.device(1), world.device(1), world.device(2));
    copy.incarnation = Incarnation::from_random(77);
    let made = || [group(1, 1, json!([create("n", "made")])), group(2, 2, json!([increment("n", 0, 2)]))];
    copy.push(&made()).unwrap();

    let [first, second] = made();
    let edit = |id, seq, title| group(id, seq, json!([update("n", 0, json!({"title": title}))]));
    let said = phone.push(&[first, second, edit(3, 3, "in the same push")]).unwrap().verdicts;
    assert!(said.iter().all(|said| said.explain.is_empty()), "{said:?}");
    assert_eq!(said[2].verdict, Outcome::Applied);
    assert_eq!(title(&world), json!("in the same push"));
    let said = phone.push(&[edit(4, 4, "in a later one")]).unwrap().verdicts;
    assert_eq!((said[0].verdict, said[0].explain.len()), (Outcome::Applied, 0));
    assert_eq!(title(&world), json!("in a later one"));

    // The copy did not send what the phone did since: an edit that has seen the row, and not that title.
    let said = copy.push(&[edit(5, 3, "the copy's")]).unwrap().verdicts;
    assert_eq!(said[0].verdict, Outcome::Merged);
    let said = stranger.push(&[edit(6, 1, "a stranger's")]).unwrap().verdicts;
    assert_eq!(said[0].explain[0].policy, "delete_wins", "for who never saw it, this is another life of the row");
}

/// The same, where the copy was first with what took the place of the group: what was refused, or given up, was meant again.
#[test]
fn what_a_copy_meant_again_is_seen_by_what_follows_it() {
    for also_meant_again in [false, true] {
        let world = World::new();
        let (phone, mut copy) = (world.device(1), world.device(1));
        copy.incarnation = Incarnation::from_random(77);
        let again = |id, seq| {
            let mut group = group(id, seq, json!([create("n", "made")]));
            group["replaces"] = json!(gid(1));
            group
        };
        copy.push(&[json!({"seq": 1, "void": gid(1)}), again(2, 2)]).unwrap();
        let mut first = vec![group(1, 1, json!([create("n", "made")]))];
        if also_meant_again {
            first = vec![json!({"seq": 1, "void": gid(1)}), again(3, 2)];
        }
        let seq = first.len() as u64 + 1;
        let edit = |id, seq, title| group(id, seq, json!([update("n", 0, json!({"title": title}))]));
        first.push(edit(4, seq, "in the same push"));
        let said = phone.push(&first).unwrap().verdicts;
        assert_eq!(said.last().unwrap().verdict, Outcome::Applied, "{said:?}");
        assert_eq!(title(&world), json!("in the same push"));
        let said = phone.push(&[edit(5, seq + 1, "in a later one")]).unwrap().verdicts;
        assert_eq!((said[0].verdict, said[0].explain.len()), (Outcome::Applied, 0));
        assert_eq!(title(&world), json!("in a later one"));
        // The copy's next edit has seen the row, and not that title.
        let said = copy.push(&[edit(6, 3, "the copy's")]).unwrap().verdicts;
        assert_eq!(said[0].verdict, Outcome::Merged);
    }
}

/// A seq that stood for something else in a life that has ended says nothing of what came after it, though the head was the same.
#[test]
fn a_seq_that_was_decided_with_another_group_is_not_sent_again() {
    let world = World::new();
    let (phone, mut copy) = (world.device(1), world.device(1));
    copy.incarnation = Incarnation::from_random(77);
    phone.push(&[group(9, 1, json!([update("no", 0, json!({"title": ""}))]))]).unwrap();
    let mut again = group(2, 2, json!([create("n", "made")]));
    again["replaces"] = json!(gid(1));
    copy.push(&[json!({"seq": 1, "void": gid(1)}), again]).unwrap();
    // The phone was put back to before its first write.
    let edit = group(4, 2, json!([update("n", 0, json!({"title": "edited"}))]));
    let said = phone.push(&[group(1, 1, json!([create("n", "made")])), edit]).unwrap().verdicts;
    assert_eq!(said[1].explain[0].policy, "delete_wins");
}
