//! Groups that wait for, replace, cover and give up other groups (rules 12 to 15).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod common;

use common::*;
use serde_json::{Value as Json, json};
use turnstone_protocol::wire::{Outcome, Verdict};
use turnstone_protocol::{Code, Incarnation};

fn with(mut group: Json, member: &str, value: Json) -> Json {
    group[member] = value;
    group
}

fn one(device: &Device, group: Json) -> Verdict {
    device.push(&[group]).unwrap().verdicts.remove(0)
}

fn void(id: u128, seq: u64) -> Json {
    json!({"seq": seq, "void": gid(id)})
}

fn views(world: &World) -> Json {
    let mut reader = world.device(1000);
    let pages = reader.pull_all(1000);
    let rows = pages.iter().flat_map(|page| &page.commits).flat_map(|commit| &commit.rows);
    rows.last().and_then(|row| row.fields.get("views").map(|views| serde_json::to_value(views).unwrap())).unwrap()
}

#[test]
fn a_group_waits_until_those_it_names_are_applied() {
    let world = World::new();
    let (phone, laptop) = (world.device(1), world.device(2));
    let late = with(group(2, 1, json!([update("n", 0, json!({"title": "late"}))])), "after", json!([gid(1)]));
    let waits = one(&laptop, late.clone());
    assert_eq!((waits.verdict, waits.by), (Outcome::Blocked, vec![gid(1)]));
    // Its seq is used up all the same, so nothing behind it waits.
    assert_eq!(one(&laptop, group(3, 2, json!([create("other", "")]))).verdict, Outcome::Applied);
    let mut looking = world.device(2);
    assert_eq!(looking.pull(1000).acked, 0, "the first is not decided");
    assert_eq!(one(&phone, group(1, 1, json!([create("n", "first")]))).commit, Some(2));
    let said = one(&laptop, late.clone());
    assert_eq!((said.verdict, said.commit), (Outcome::Applied, Some(3)), "named in `after`, so seen");
    assert_eq!(one(&laptop, late), said);
    assert_eq!(looking.pull(1000).acked, 2);
}

#[test]
fn a_group_after_a_refused_one_stays_blocked_until_it_is_replaced() {
    let world = World::new();
    let phone = world.device(1);
    assert_eq!(one(&phone, group(1, 1, json!([update("never", 0, json!({"title": ""}))]))).verdict, Outcome::Rejected);
    let waiting = with(group(2, 2, json!([create("n", "")])), "after", json!([gid(1)]));
    assert_eq!(one(&phone, waiting.clone()).verdict, Outcome::Blocked);
    assert_eq!(one(&phone, waiting.clone()).verdict, Outcome::Blocked);
    // The person repairs what was refused: the new group takes its place, also for those that wait.
    let repaired = with(group(3, 3, json!([create("never", "now")])), "replaces", json!(gid(1)));
    assert_eq!(one(&phone, repaired).verdict, Outcome::Applied);
    assert_eq!(one(&phone, waiting).verdict, Outcome::Applied);
    let old = one(&phone, group(1, 1, json!([update("never", 0, json!({"title": ""}))])));
    assert_eq!((old.verdict, old.by), (Outcome::Rejected, vec![gid(3)]), "final verdicts never change");
}

/// Rule 14: a dead letter edited while its packet is in flight.
#[test]
fn the_packet_of_a_replaced_group_arrives_too_late() {
    let world = World::new();
    let phone = world.device(1);
    one(&phone, group(1, 1, json!([create("n", "")])));
    let old = group(2, 2, json!([increment("n", 1, 10)]));
    // The client gives up group 2, which never arrived, and uses its seq for the new one.
    let new = with(group(3, 2, json!([increment("n", 1, 1)])), "replaces", json!(gid(2)));
    assert_eq!(one(&phone, new.clone()).verdict, Outcome::Applied);
    let late = one(&phone, old);
    assert_eq!((late.verdict, late.by), (Outcome::Replaced, vec![gid(3)]));
    assert_eq!(one(&phone, new).commit, Some(2));
    assert_eq!(views(&world), json!(1));
}

#[test]
fn a_group_that_was_applied_cannot_be_replaced() {
    let world = World::new();
    let phone = world.device(1);
    one(&phone, group(1, 1, json!([create("n", "")])));
    one(&phone, group(2, 2, json!([increment("n", 1, 10)])));
    let new = with(group(3, 3, json!([increment("n", 1, 1)])), "replaces", json!(gid(2)));
    let said = one(&phone, new);
    assert_eq!((said.verdict, said.code, said.by), (Outcome::Rejected, Some(Code::ReplacedApplied), vec![gid(2)]));
    assert_eq!(views(&world), json!(10));
}

/// A blocked group is recorded with its seq; its replacement may take exactly that seq, and nobody else's.
#[test]
fn a_replacement_may_take_the_seq_of_the_undecided_group_it_replaces() {
    let world = World::new();
    let mut phone = world.device(1);
    let blocked = with(group(1, 1, json!([create("n", "")])), "after", json!([gid(99)]));
    assert_eq!(one(&phone, blocked).verdict, Outcome::Blocked);
    assert_eq!(one(&phone, group(2, 2, json!([create("m", "")]))).commit, Some(1));
    let stranger = phone.push(&[group(3, 1, json!([create("n", "")]))]).unwrap_err();
    assert_eq!(stranger.code, Code::DeviceForked);
    let new = with(group(4, 1, json!([create("n", "")])), "replaces", json!(gid(1)));
    assert_eq!(one(&phone, new.clone()).commit, Some(2));
    assert_eq!(one(&phone, new).commit, Some(2));
    phone.full = true;
    let first = phone.pull(1);
    assert_eq!((first.at, first.acked), (1, 0), "seq 1 was decided by commit 2");
    assert_eq!(phone.pull(1).acked, 2);
}

#[test]
fn a_void_uses_up_its_seq_and_what_it_names_is_never_applied() {
    let world = World::new();
    let mut phone = world.device(1);
    let verdicts = phone.push(&[void(1, 1), group(2, 2, json!([create("n", "")]))]).unwrap().verdicts;
    assert_eq!((verdicts[0].verdict, verdicts[1].commit), (Outcome::Voided, Some(1)));
    assert_eq!(one(&phone, group(1, 1, json!([create("m", "")]))).verdict, Outcome::Voided);
    assert_eq!(phone.pull(1000).acked, 2);
    // A group that was applied cannot be given up any more; its writer learns that.
    let said = one(&phone, void(2, 2));
    assert_eq!((said.verdict, said.commit), (Outcome::Applied, Some(1)));
    assert_eq!(one(&phone, void(1, 1)).verdict, Outcome::Voided);
}

#[test]
fn a_void_decides_a_blocked_group() {
    let world = World::new();
    let mut phone = world.device(1);
    let blocked = with(group(1, 1, json!([create("n", "")])), "after", json!([gid(99)]));
    one(&phone, blocked.clone());
    assert_eq!(phone.pull(1000).acked, 0);
    assert_eq!(one(&phone, void(1, 1)).verdict, Outcome::Voided);
    assert_eq!(phone.pull(1000).acked, 1);
    assert_eq!(one(&phone, blocked).verdict, Outcome::Voided);
}

/// Rule 13: a device restored from before it coalesced sends the parts again, one by one.
#[test]
fn covered_groups_are_decided_together_with_the_one_that_covers_them() {
    let world = World::new();
    let phone = world.device(1);
    one(&phone, group(1, 1, json!([create("n", "")])));
    let both = with(group(4, 2, json!([increment("n", 1, 30)])), "covers", json!([gid(2), gid(3)]));
    assert_eq!(one(&phone, both).commit, Some(2));
    let restored = Device { incarnation: Incarnation::from_random(5), ..world.device(1) };
    let verdicts = restored
        .push(&[group(2, 1, json!([increment("n", 1, 10)])), group(3, 2, json!([increment("n", 1, 20)]))])
        .unwrap()
        .verdicts;
    assert!(verdicts.iter().all(|said| said.commit == Some(2) && said.by == [gid(4)]));
    assert_eq!(views(&world), json!(30));
}

/// A part that came by itself, and what is then said of the whole, which a twin sends.
fn a_part_and_then_the_whole(world: &World) -> (Device, Verdict) {
    let phone = world.device(1);
    one(&phone, group(1, 1, json!([create("n", "")])));
    one(&phone, group(2, 2, json!([increment("n", 1, 10)])));
    let twin = Device { incarnation: Incarnation::from_random(5), ..world.device(1) };
    let both = with(group(4, 1, json!([increment("n", 1, 30)])), "covers", json!([gid(2), gid(3)]));
    let said = one(&twin, both);
    (phone, said)
}

/// The other way round: the clone sent a part by itself before the other twin sent the whole.
#[test]
fn a_group_that_covers_an_applied_one_is_not_applied_once_more() {
    let world = World::new();
    let (_, said) = a_part_and_then_the_whole(&world);
    assert_eq!((said.verdict, said.code, said.by), (Outcome::Rejected, Some(Code::ReplacedApplied), vec![gid(2)]));
    assert_eq!(views(&world), json!(10));
}

/// What was not applied by itself is not buried with the whole.
#[test]
fn a_part_beside_an_applied_one_is_still_applied_by_itself() {
    let world = World::new();
    let (phone, whole) = a_part_and_then_the_whole(&world);
    assert_eq!(whole.code, Some(Code::ReplacedApplied));
    assert_eq!(one(&phone, group(3, 3, json!([increment("n", 1, 20)]))).verdict, Outcome::Applied);
    assert_eq!(views(&world), json!(30));
}

/// I-09, I-41: a device and its copy each mean again what was refused: it counts once.
#[test]
fn what_two_copies_of_a_device_mean_again_counts_once() {
    for given_up in [true, false] {
        let world = World::new();
        let phone = world.device(1);
        one(&phone, group(1, 1, json!([create("n", "")])));
        if given_up {
            one(&phone, void(2, 2));
        } else {
            assert_eq!(
                one(&phone, group(2, 2, json!([update("no", 0, json!({"title": ""}))]))).verdict,
                Outcome::Rejected
            );
        }
        let again = |id, seq| with(group(id, seq, json!([increment("n", 1, 1)])), "replaces", json!(gid(2)));
        assert_eq!(one(&phone, again(3, 3)).verdict, Outcome::Applied);
        let twin = Device { incarnation: Incarnation::from_random(5), ..world.device(1) };
        let said = one(&twin, again(4, 1));
        assert_eq!((said.verdict, said.code, said.by), (Outcome::Rejected, Some(Code::ReplacedApplied), vec![gid(3)]));
        assert_eq!(one(&phone, again(3, 3)).commit, Some(2), "and the first stays what it is");
        assert_eq!(views(&world), json!(1));
    }
}

/// The same, where the device meant it again twice: what it sent first was refused, or given up before the server could read it.
#[test]
fn what_is_meant_again_and_again_beside_a_copy_counts_once() {
    let again = |id, seq, old| with(group(id, seq, json!([increment("n", 1, 1)])), "replaces", json!(gid(old)));
    for is_read in [true, false] {
        // When the copy means it again: before the device does, between, or last.
        for copy_at in 0..3 {
            let world = World::new();
            let phone = world.device(1);
            let twin = Device { incarnation: Incarnation::from_random(5), ..world.device(1) };
            one(&phone, group(1, 1, json!([create("n", "")])));
            one(&phone, void(2, 2));
            let copy = || one(&twin, again(10, 1, 2));
            let mut said = (copy_at == 0).then(copy);
            if is_read {
                let refused = group(3, 3, json!([increment("n", 1, 1), update("no", 0, json!({"title": ""}))]));
                assert_eq!(one(&phone, with(refused, "replaces", json!(gid(2)))).verdict, Outcome::Rejected);
            } else {
                assert_eq!(one(&phone, with(void(3, 3), "replaces", json!(gid(2)))).verdict, Outcome::Voided);
            }
            said = said.or_else(|| (copy_at == 1).then(copy));
            let mine = one(&phone, again(4, 4, 3));
            let copys = said.unwrap_or_else(copy);
            let what = format!("is_read {is_read}, copy_at {copy_at}: {mine:?}, {copys:?}");
            let (applied, refused) = if copy_at == 2 { (mine, copys) } else { (copys, mine) };
            assert_eq!(applied.verdict, Outcome::Applied, "{what}");
            if is_read && copy_at == 0 {
                // The phone was told that another one counts, and means it all the same.
                assert_eq!(views(&world), json!(2), "{what}");
                continue;
            }
            let by = vec![applied.gid];
            assert_eq!((refused.code, refused.by), (Some(Code::ReplacedApplied), by), "{what}");
            assert_eq!(views(&world), json!(1), "{what}");
        }
    }
}

/// A copy gives up what it meant by a group that waits here: the group goes on, and what takes the copy's place takes its place.
#[test]
fn a_void_leaves_what_it_would_have_replaced_alone() {
    for goes_on in [true, false] {
        let world = World::new();
        let phone = world.device(1);
        let twin = Device { incarnation: Incarnation::from_random(5), ..world.device(1) };
        let waiting = || with(group(2, 1, json!([increment("n", 0, 1)])), "after", json!([gid(1)]));
        assert_eq!(one(&phone, waiting()).verdict, Outcome::Blocked);
        assert_eq!(one(&twin, with(void(3, 1), "replaces", json!(gid(2)))).verdict, Outcome::Voided);
        one(&twin, group(1, 2, json!([create("n", "")])));
        let again = || one(&twin, with(group(4, 3, json!([increment("n", 1, 1)])), "replaces", json!(gid(3))));
        if goes_on {
            assert_eq!(one(&phone, waiting()).verdict, Outcome::Applied);
            assert_eq!((again().code, again().by), (Some(Code::ReplacedApplied), vec![gid(2)]));
        } else {
            assert_eq!(again().verdict, Outcome::Applied);
            assert_eq!(one(&phone, waiting()).verdict, Outcome::Replaced);
        }
        assert_eq!(views(&world), json!(1));
    }
}

/// What was refused because another one counts, and is meant once more, is meant once more by one copy only.
#[test]
fn what_is_meant_once_more_beside_another_counts_once_more() {
    let world = World::new();
    let phone = world.device(1);
    let twin = |n| Device { incarnation: Incarnation::from_random(n), ..world.device(1) };
    let again = |id, seq, old| with(group(id, seq, json!([increment("n", 1, 1)])), "replaces", json!(gid(old)));
    one(&phone, group(1, 1, json!([create("n", "")])));
    one(&phone, void(2, 2));
    one(&twin(5), again(10, 1, 2));
    assert_eq!(one(&phone, again(3, 3, 2)).code, Some(Code::ReplacedApplied));
    assert_eq!(one(&phone, again(4, 4, 3)).verdict, Outcome::Applied);
    let said = one(&twin(6), again(11, 1, 3));
    assert_eq!((said.code, said.by), (Some(Code::ReplacedApplied), vec![gid(4)]));
    assert_eq!(views(&world), json!(2));
}

/// What a refused group covers is refused with it, and each part is meant again by itself.
#[test]
fn parts_of_a_refused_whole_take_only_their_own_place() {
    let world = World::new();
    let phone = world.device(1);
    let twin = Device { incarnation: Incarnation::from_random(5), ..world.device(1) };
    one(&phone, group(1, 1, json!([create("n", "")])));
    let whole = group(2, 2, json!([increment("n", 1, 3), update("no", 0, json!({"title": ""}))]));
    assert_eq!(one(&phone, with(whole, "covers", json!([gid(3), gid(4)]))).verdict, Outcome::Rejected);
    for (seq, part, by) in [(1, 3, 1), (2, 4, 2)] {
        let again = with(group(part + 10, seq, json!([increment("n", 1, by)])), "replaces", json!(gid(part)));
        assert_eq!(one(&twin, again).verdict, Outcome::Applied);
    }
    assert_eq!(views(&world), json!(3));
}

/// The seq that a replacement fills is decided with it, and not before.
#[test]
fn a_replacement_that_waits_leaves_its_seq_undecided() {
    let world = World::new();
    let (mut phone, other) = (world.device(1), world.device(2));
    let waits = |group| with(group, "after", json!([gid(99)]));
    assert_eq!(one(&phone, waits(group(1, 1, json!([create("n", "")])))).verdict, Outcome::Blocked);
    let new = waits(with(group(4, 1, json!([create("n", "")])), "replaces", json!(gid(1))));
    assert_eq!(one(&phone, new.clone()).verdict, Outcome::Blocked);
    assert_eq!(phone.pull(1000).acked, 0);
    assert_eq!(one(&other, group(99, 1, json!([create("m", "")]))).commit, Some(1));
    assert_eq!(phone.pull(1000).acked, 0);
    assert_eq!(one(&phone, new).commit, Some(2));
    assert_eq!(phone.pull(1000).acked, 1);
}

/// A verdict that is not final is given anew when the same group comes again, under another incarnation too.
#[test]
fn an_undecided_group_is_decided_under_whichever_seq_it_comes_back() {
    let world = World::new();
    let (mut phone, other) = (world.device(1), world.device(2));
    let blocked = with(group(1, 1, json!([create("n", "")])), "after", json!([gid(9)]));
    one(&phone, blocked.clone());
    one(&other, group(9, 1, json!([create("m", "")])));
    let mut reborn = Device { incarnation: Incarnation::from_random(5), ..world.device(1) };
    assert_eq!(one(&reborn, blocked).commit, Some(2));
    assert_eq!((reborn.pull(1000).acked, phone.pull(1000).acked), (1, 1));
}
