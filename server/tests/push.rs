//! What becomes of groups: exactly once, in order, each with its own verdict (I-09 to I-13).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod common;

use common::*;
use serde_json::json;
use turnstone_protocol::wire::Outcome;
use turnstone_protocol::{Code, Hlc, Incarnation};

/// I-09, I-10: a retry with a lost answer, after a restart too, changes nothing and hears the same.
#[test]
fn i_09_a_group_sent_again_has_its_effect_once() {
    let world = World::new();
    let mut phone = world.device(1);
    phone.say(1, json!([create("n", "one")]));
    let first = phone.push(&[group(2, 2, json!([increment("n", 1, 5)]))]).unwrap();
    let again = phone.push(&[group(2, 2, json!([increment("n", 1, 5)]))]).unwrap();
    assert_eq!(first.verdicts, again.verdicts);
    assert_eq!(first.verdicts[0].commit, Some(2));
    let (device, incarnation) = (phone.device, phone.incarnation);
    drop(phone);
    let world = world.restart();
    let phone = common::Device { incarnation, ..world.device(1) };
    assert_eq!(phone.device, device);
    assert_eq!(phone.push(&[group(2, 2, json!([increment("n", 1, 5)]))]).unwrap().verdicts, first.verdicts);
    let mut other = world.device(2);
    let pages = other.pull_all(1000);
    let last = pages[0].commits.last().unwrap();
    assert_eq!((last.n, pages.len()), (2, 1));
    assert_eq!(serde_json::to_value(&last.rows[0].fields["views"]).unwrap(), json!(5));
}

/// I-11.
#[test]
fn i_11_a_known_gid_with_another_body_is_refused_and_nothing_is_applied() {
    let world = World::new();
    let mut phone = world.device(1);
    phone.say(1, json!([create("n", "one")]));
    let problem = phone
        .push(&[group(5, 2, json!([create("m", "two")])), group(1, 3, json!([create("n", "another body")]))])
        .unwrap_err();
    assert_eq!(problem.code, Code::GidReuse);
    assert_eq!(phone.pull(1000).at, 1, "not even the group before it");
    assert_eq!(phone.say(5, json!([create("m", "two")])).commit, Some(2));
}

/// I-41: two copies of one phone each stamp what neither had sent. The ops are the same, so the effect is one; the first
/// stamp counts. Other ops under that gid are refused as ever.
#[test]
fn i_41_the_same_ops_under_another_stamp_are_the_same_group() {
    let world = World::new();
    let mut phone = world.device(1);
    phone.say(1, json!([create("n", "one")]));
    let first = phone.push(&[group(2, 2, json!([increment("n", 1, 5)]))]).unwrap();
    let mut again = group(2, 2, json!([increment("n", 1, 5)]));
    again["hlc"] = json!(Hlc::at(NOW_MS - 7));
    assert_eq!(phone.push(&[again]).unwrap().verdicts, first.verdicts);
    assert_eq!(phone.pull(1000).at, 2, "nothing was applied again");
    let mut other = group(2, 2, json!([increment("n", 1, 6)]));
    other["hlc"] = json!(Hlc::at(NOW_MS - 7));
    assert_eq!(phone.push(&[other]).unwrap_err().code, Code::GidReuse);
}

/// The same of what was refused, and of what waits: the second copy hears what the first did.
#[test]
fn i_41_what_was_not_applied_is_the_same_group_under_another_stamp_too() {
    let world = World::new();
    let (phone, mut copy) = (world.device(1), world.device(1));
    copy.incarnation = Incarnation::from_random(77);
    let stamped = |ms, body: i64| {
        let mut refused = group(1, 1, json!([increment("nowhere", 0, body)]));
        let mut waits = group(2, 2, json!([create("n", &body.to_string())]));
        waits["after"] = json!([gid(9)]);
        [&mut refused, &mut waits].into_iter().for_each(|group| group["hlc"] = json!(Hlc::at(NOW_MS - ms)));
        [refused, waits]
    };
    let first = phone.push(&stamped(9, 1)).unwrap().verdicts;
    assert_eq!((first[0].verdict, first[1].verdict), (Outcome::Rejected, Outcome::Blocked));
    assert_eq!(copy.push(&stamped(7, 1)).unwrap().verdicts, first);
    assert_eq!(phone.push(&stamped(9, 1)).unwrap().verdicts, first, "and the first goes on hearing it");
    for other in stamped(5, 2) {
        assert_eq!(copy.push(&[other]).unwrap_err().code, Code::GidReuse);
    }
}

/// I-12.
#[test]
fn i_12_a_missing_seq_is_named_and_nothing_is_recorded() {
    let world = World::new();
    let mut phone = world.device(1);
    phone.say(1, json!([create("n", "one")]));
    let problem =
        phone.push(&[group(2, 2, json!([create("a", "")])), group(4, 4, json!([create("b", "")]))]).unwrap_err();
    assert_eq!((problem.code, problem.expected), (Code::SeqGap, Some(3)));
    assert_eq!(phone.pull(1000).at, 1);
    let problem = world.device(2).push(&[group(9, 7, json!([]))]).unwrap_err();
    assert_eq!((problem.code, problem.expected), (Code::SeqGap, Some(1)));
}

/// I-12: no mark of the highest seq decides what is a repetition.
#[test]
fn i_12_a_known_seq_with_another_gid_is_a_fork_and_a_new_incarnation_loses_nothing() {
    let world = World::new();
    let mut phone = world.device(1);
    phone.say(1, json!([create("n", "one")]));
    phone.say(2, json!([increment("n", 1, 1)]));
    let mut clone = world.device(1);
    let problem = clone.push(&[group(3, 2, json!([increment("n", 1, 10)]))]).unwrap_err();
    assert_eq!(problem.code, Code::DeviceForked);
    clone.incarnation = Incarnation::from_random(77);
    let answer = clone.push(&[
        group(1, 1, json!([create("n", "one")])),
        group(2, 2, json!([increment("n", 1, 1)])),
        group(3, 3, json!([increment("n", 1, 10)])),
    ]);
    // The bodies carry their seq outside the hash, so the same gids are recognised under new seqs.
    let verdicts = answer.unwrap().verdicts;
    assert_eq!(verdicts.iter().map(|verdict| verdict.commit).collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
    let page = clone.pull(1000);
    assert_eq!(page.acked, 3);
    assert_eq!(serde_json::to_value(&page.commits[1].rows[0].fields["views"]).unwrap(), json!(1));
}

/// I-13: each group has a verdict of its own, and only what depends on a refused one waits.
#[test]
fn i_13_a_refused_group_stops_nothing_but_its_dependents() {
    let world = World::new();
    let phone = world.device(1);
    let mut waiting = group(3, 3, json!([update("n", 0, json!({"title": "x"}))]));
    waiting["after"] = json!([gid(2)]);
    let verdicts = phone
        .push(&[
            group(1, 1, json!([create("n", "one")])),
            group(2, 2, json!([update("never", 0, json!({"title": "x"}))])),
            waiting,
            json!({"gid": gid(4), "seq": 4, "ops": "not a list"}),
            group(5, 5, json!([create("m", "two")])),
        ])
        .unwrap()
        .verdicts;
    let outcomes: Vec<_> = verdicts.iter().map(|verdict| (verdict.verdict, verdict.code.clone())).collect();
    assert_eq!(
        outcomes,
        [
            (Outcome::Applied, None),
            (Outcome::Rejected, Some(Code::RowPurged)),
            (Outcome::Blocked, Some(Code::Blocked)),
            (Outcome::Rejected, Some(Code::Malformed)),
            (Outcome::Applied, None),
        ]
    );
    assert_eq!(verdicts[2].by, [gid(2)]);
}
