//! What travels as one: a backlog's verdicts, and a device's own commits on their way back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod common;

use common::*;
use serde_json::json;
use turnstone_protocol::wire::{PullPart, PullRequest, PushAnswer, PushRequest, Run};
use turnstone_protocol::{Code, hash};

/// The answer as it travels to a client that reads runs.
fn push_in_runs(device: &Device, groups: &[serde_json::Value]) -> PushAnswer {
    let pull = Some(PullPart { cursor: None, limit: 1_000 });
    let request = PushRequest { runs: true, pull, ..device.request(groups) };
    device.service.push(&device.who, request, device.now_ms).unwrap()
}

fn creates(ids: std::ops::RangeInclusive<u64>) -> Vec<serde_json::Value> {
    ids.map(|seq| group(u128::from(seq), seq, json!([create(&format!("n{seq}"), "x")]))).collect()
}

/// A group that says more than `applied` keeps its verdict and ends the run before it.
#[test]
fn verdicts_that_say_nothing_more_come_as_runs() {
    let world = World::new();
    let phone = world.device(1);
    let mut groups = creates(1..=6);
    groups[3] = group(4, 4, json!([update("never", 0, json!({"title": ""}))]));
    let said = push_in_runs(&phone, &groups);
    assert_eq!(said.applied, [Run { seq: 1, commit: 1, count: 3 }, Run { seq: 5, commit: 4, count: 2 }]);
    let told: Vec<_> = said.verdicts.iter().map(|verdict| (verdict.seq, verdict.code.clone())).collect();
    assert_eq!(told, [(4, Some(Code::RowPurged))]);
    // Asked again, the same is said again; a client that reads no runs gets every verdict.
    assert_eq!(push_in_runs(&phone, &groups).applied, said.applied);
    let plain = phone.push(&groups).unwrap();
    assert_eq!((plain.verdicts.len(), plain.applied), (6, vec![]));
}

/// The run names its groups by a digest, so that a copy of the device does not take them for its own.
#[test]
fn own_commits_come_back_as_one_run() {
    let world = World::new();
    let phone = world.device(1);
    let page = push_in_runs(&phone, &creates(1..=5)).pull.unwrap();
    assert_eq!(page.commits.len(), 1, "{:?}", page.commits);
    let run = &page.commits[0];
    assert_eq!((run.n, run.own, run.count, run.as_sent, run.gid), (1, Some(1), 5, true, None));
    let gids: Vec<_> = (1..=5).map(gid).collect();
    assert_eq!(run.gids, Some(hash::gids(&gids)));
    assert_eq!((page.at, page.acked), (5, 5));

    // Another device in between, and a commit that came out differently, end a run.
    world.device(2).push(&[group(9, 1, json!([create("other", "y")]))]).unwrap();
    let mut earlier = group(6, 6, json!([create("other", "z")]));
    earlier["hlc"] = json!(turnstone_protocol::Hlc::at(1));
    phone.push(&[vec![earlier], creates(7..=8)].concat()).unwrap();
    let request = PullRequest { runs: true, ..phone.pull_request(1_000) };
    let page = phone.service.pull(&phone.who, &request, phone.now_ms).unwrap();
    let shape: Vec<_> = page.commits.iter().map(|commit| (commit.n, commit.count, commit.rows.len())).collect();
    assert_eq!(shape, [(1, 5, 0), (6, 1, 1), (7, 1, 1), (8, 2, 0)]);
    let full = PullRequest { full: true, ..request };
    let page = phone.service.pull(&phone.who, &full, phone.now_ms).unwrap();
    assert!(page.commits.iter().all(|commit| commit.count == 1 && commit.rows.len() == 1), "full means rows");
}

/// A device recognises what it sent in an earlier life by the gid; nobody else needs it.
#[test]
fn a_gid_travels_to_the_device_that_made_it() {
    let world = World::new();
    let phone = world.device(1);
    phone.push(&creates(1..=2)).unwrap();
    let reborn = Device { incarnation: turnstone_protocol::Incarnation::from_random(99), ..world.device(1) };
    let gids = |mut device: Device| device.pull(1_000).commits.into_iter().map(|commit| commit.gid).collect::<Vec<_>>();
    assert_eq!(gids(phone), [Some(gid(1)), Some(gid(2))]);
    assert_eq!(gids(reborn), [Some(gid(1)), Some(gid(2))]);
    assert_eq!(gids(world.device(2)), [None, None]);
}
