//! The feed: nothing skipped, whatever the pages; cursors that cannot be bent (I-19 to I-22).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "concurrent pushes and readers are threads")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::*;
use serde_json::{Value as Json, json};
use turnstone_protocol::wire::{Commit, Outcome, PullAnswer};
use turnstone_protocol::{Code, DeviceId, Incarnation, Problem};
use turnstone_server::Service;

/// Puts the parts of large commits together and checks that commits come in order without a hole.
fn commits(pages: &[PullAnswer]) -> Vec<Commit> {
    let mut whole: Vec<Commit> = Vec::new();
    let mut parts = 0;
    for commit in pages.iter().flat_map(|page| &page.commits) {
        match commit.part {
            Some(part) if part.i > 1 => {
                let open = whole.last_mut().unwrap();
                assert_eq!((open.n, part.i), (commit.n, parts + 1), "parts come in order");
                open.rows.extend(commit.rows.clone());
                parts = part.i;
            }
            part => {
                assert_eq!(commit.n, whole.last().map_or(1, |last| last.n + 1), "no commit is skipped or repeated");
                whole.push(commit.clone());
                parts = part.map_or(0, |part| part.i);
            }
        }
    }
    whole
}

fn pull_code(device: &Device, cursor: &str) -> Problem {
    let request = turnstone_protocol::wire::PullRequest { cursor: Some(cursor.to_owned()), ..device.pull_request(10) };
    device.service.pull(&device.who, &request, device.now_ms).unwrap_err()
}

/// I-19, I-27: the same history in pages of any size, groups whole, acked exact at every page end.
#[test]
fn i_19_every_page_size_gives_the_same_history() {
    let world = World::new();
    let mut phone = world.device(1);
    for at in 1..=40u64 {
        let ops: Vec<Json> = (0..at % 7).map(|row| create(&format!("{at}-{row}"), "text")).collect();
        phone.say(u128::from(at), json!(ops));
        if at % 5 == 0 {
            // Refused: it counts as decided at the head of its time.
            phone.say(u128::from(at) << 8, json!([update("never", 0, json!({"title": ""}))]));
        }
    }
    let whole = commits(&world.device(2).pull_all(1000));
    assert_eq!(whole.len(), 40);
    assert_eq!(
        whole.iter().map(|commit| commit.rows.len() as u64).collect::<Vec<_>>(),
        (1..=40).map(|at| at % 7).collect::<Vec<_>>()
    );
    for limit in [1, 2, 3, 5, 8, 13, 100] {
        let pages = world.device(2).pull_all(limit);
        assert_eq!(
            commits(&pages).iter().map(|c| (c.n, &c.rows)).collect::<Vec<_>>(),
            whole.iter().map(|c| (c.n, &c.rows)).collect::<Vec<_>>()
        );
        for page in &pages {
            assert!(page.commits.iter().map(|commit| commit.rows.len()).sum::<usize>() <= limit);
        }
        let mut own = world.device(1);
        own.full = true;
        for page in own.pull_all(limit) {
            // 5 groups and a refusal for every 5 commits; the refusal counts from the commit before it.
            assert_eq!(page.acked, page.at + page.at / 5, "limit {limit}, page end {}", page.at);
        }
    }
}

/// Rule 26: what a page says of a row is the row after that commit, even if it was rewritten since.
#[test]
fn a_page_tells_rows_as_they_were_after_each_commit() {
    let world = World::new();
    let mut phone = world.device(1);
    phone.say(1, json!([create("n", "one"), create("m", "x")]));
    phone.say(2, json!([update("n", 1, json!({"title": "two", "pinned": true})), delete("m", 1)]));
    phone.say(3, json!([update("n", 2, json!({"title": "", "pinned": false}))]));
    let all = commits(&world.device(2).pull_all(1));
    let told = serde_json::to_value(all.iter().map(|commit| &commit.rows).collect::<Vec<_>>()).unwrap();
    assert_eq!(
        told,
        json!([
            [{"table": "notes", "id": "n", "fields": {"title": "one"}},
             {"table": "notes", "id": "m", "fields": {"title": "x"}}],
            [{"table": "notes", "id": "n", "born": 1, "fields": {"title": "two", "pinned": true}},
             {"table": "notes", "id": "m", "born": 1, "gone": "deleted"}],
            [{"table": "notes", "id": "n", "born": 1}],
        ])
    );
}

/// A device promotes its own groups; it gets their rows only where they came out differently, or if it asks.
#[test]
fn own_groups_that_took_full_effect_come_without_rows() {
    let world = World::new();
    let (mut phone, other) = (world.device(1), world.device(2));
    phone.say(1, json!([create("n", "one")]));
    let mut later = group(2, 1, json!([update("n", 1, json!({"title": "theirs"}))]));
    later["hlc"] = json!(turnstone_protocol::Hlc::at(NOW_MS - 10));
    other.push(&[later]).unwrap();
    // Earlier, so it loses; its writer had not seen the other edit.
    let earlier = group(3, 2, json!([update("n", 1, json!({"title": "mine", "pinned": true}))]));
    let said = phone.push(&[earlier]).unwrap().verdicts.remove(0);
    assert_eq!(said.verdict, Outcome::Merged);
    let page = phone.pull(1000);
    let shape: Vec<_> = page.commits.iter().map(|commit| (commit.own, commit.as_sent, commit.rows.len())).collect();
    assert_eq!(shape, [(Some(1), true, 0), (None, false, 1), (Some(2), false, 1)]);
    let mut again = world.device(1);
    again.full = true;
    assert!(again.pull(1000).commits.iter().all(|commit| !commit.as_sent && commit.rows.len() == 1));
    again.full = false;
    again.cursor = None;
    again.incarnation = Incarnation::from_random(4);
    assert!(again.pull(1000).commits.iter().all(|commit| commit.own.is_none() && commit.rows.len() == 1));
}

/// Rule 18: a group larger than a page comes in parts, also where the page is large in bytes, and twice the same way.
#[test]
fn a_group_larger_than_a_page_comes_in_parts() {
    let world = World::with_limits(|limits| {
        limits.page_rows_max = 100;
        limits.page_bytes_max = 10_000;
    });
    let mut phone = world.device(1);
    phone.say(1, json!([create("before", "")]));
    let many: Vec<Json> = (0..250).map(|row| create(&format!("many-{row}"), "")).collect();
    phone.say(2, json!(many));
    let large: Vec<Json> = (0..10).map(|row| create(&format!("large-{row}"), &"x".repeat(4_000))).collect();
    phone.say(3, json!(large));
    phone.say(4, json!([create("after", "")]));
    for limit in [1000, 30, 7] {
        let pages = world.device(2).pull_all(limit);
        let rows: Vec<_> = commits(&pages).iter().map(|commit| commit.rows.len()).collect();
        assert_eq!(rows, [1, 250, 10, 1]);
        assert_eq!(pages, world.device(2).pull_all(limit));
        for page in &pages {
            assert!(page.commits.iter().map(|commit| commit.rows.len()).sum::<usize>() <= 100);
            for part in page.commits.iter().filter_map(|commit| commit.part) {
                assert!(part.i <= part.n && part.n > 1);
            }
        }
        // Between two parts the device still stands before the commit.
        let inside = pages.iter().find(|page| page.commits.iter().any(|c| c.part.is_some_and(|part| part.i < part.n)));
        assert!(inside.is_some_and(|page| page.at < page.commits[0].n && page.more));
    }
}

/// I-21.
#[test]
fn i_21_an_altered_foreign_or_cut_cursor_is_refused_without_a_row() {
    let world = World::new();
    let mut phone = world.device(1);
    phone.say(1, json!([create("n", "one")]));
    let cursor = phone.pull(1000).cursor;
    assert_eq!(pull_code(&phone, &cursor[..cursor.len() - 1]).code, Code::CursorInvalid);
    assert_eq!(pull_code(&phone, &format!("{cursor}A")).code, Code::CursorInvalid);
    assert_eq!(pull_code(&phone, "").code, Code::CursorInvalid);
    let stranger = Device { who: tenant("other"), ..world.device(1) };
    assert_eq!(pull_code(&stranger, &cursor).code, Code::CursorInvalid);
    // The same refusal also stops the push it came with.
    let mut stranger = Device { cursor: Some(cursor), ..stranger };
    assert_eq!(stranger.push_and_pull(&[group(5, 1, json!([create("x", "")]))]).unwrap_err().code, Code::CursorInvalid);
    stranger.cursor = None;
    assert_eq!(stranger.pull(10).at, 0, "nothing of that push was applied");
}

/// I-40: a database restored from a backup, with and without the file beside it.
#[test]
fn a_cursor_from_the_future_or_from_another_history_is_named() {
    let world = World::new();
    let mut phone = world.device(1);
    phone.say(1, json!([create("n", "one")]));
    let early = phone.pull(1000).cursor;
    let backup = backup_of(&world);
    phone.say(2, json!([create("m", "two")]));
    let late = phone.pull(1000).cursor;
    drop(phone);
    let world = restore(world, &backup, false);
    let phone = world.device(1);
    assert_eq!(pull_code(&phone, &late).code, Code::EpochSuspect, "ahead of the head");
    let mut other = world.device(2);
    other.say(9, json!([create("x", "another second commit")]));
    assert_eq!(pull_code(&phone, &late).code, Code::EpochSuspect, "same number, other history");
    let mut standing = Device { cursor: Some(early.clone()), ..world.device(1) };
    assert_eq!(standing.pull(1000).at, 2, "what both histories share is a mere extension");
    drop((phone, other, standing));
    let world = restore(world, &backup, true);
    let phone = world.device(1);
    assert_eq!(pull_code(&phone, &early).code, Code::EpochChanged);
    let asking = Device { cursor: Some(early), ..world.device(1) };
    assert_eq!(asking.push_and_pull(&[group(3, 2, json!([]))]).unwrap_err().code, Code::EpochChanged);
    assert_eq!(world.device(3).pull(10).at, 1, "nothing was added to the new history");
}

/// I-40, I-62: a position inside of a commit is one in that commit, not in another one that got its number later.
#[test]
fn a_cursor_between_two_parts_is_of_that_commit_only() {
    for rows in [1, 3] {
        let world = World::new();
        let mut phone = world.device(1);
        phone.say(1, json!([create("n", "one")]));
        let backup = backup_of(&world);
        phone.say(2, json!([create("a", ""), create("b", ""), create("c", "")]));
        let mut reader = world.device(2);
        reader.pull(1);
        reader.pull(1);
        let inside = reader.cursor.clone().unwrap();
        assert_eq!(reader.pull(1).commits[0].part.map(|part| part.i), Some(2), "the same history goes on");
        drop((phone, reader));
        let world = restore(world, &backup, false);
        let others: Vec<Json> = (0..rows).map(|row| create(&format!("other-{row}"), "")).collect();
        world.device(3).say(3, json!(others));
        assert_eq!(pull_code(&world.device(2), &inside).code, Code::EpochSuspect, "{rows} rows");
    }
}

fn backup_of(world: &World) -> Vec<u8> {
    let source = rusqlite::Connection::open(world.folder.path().join("server.db")).unwrap();
    source.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    std::fs::read(world.folder.path().join("server.db")).unwrap()
}

fn restore(world: World, backup: &[u8], new_epoch: bool) -> World {
    let World { folder, settings, service } = world;
    drop(Arc::into_inner(service).expect("nobody else holds the service"));
    std::fs::write(folder.path().join("server.db"), backup).unwrap();
    let service = Arc::new(Service::open(open(&folder, new_epoch).unwrap(), settings.clone()).unwrap());
    World { folder, settings, service }
}

/// Rule 17, I-40: the newest commit older than the window, exact, and never going back.
#[test]
fn stable_is_the_newest_commit_older_than_the_window() {
    let world = World::new();
    let mut phone = world.device(1);
    for day in 0..10u64 {
        phone.now_ms = NOW_MS + day * DAY_MS;
        phone.say(u128::from(day) + 1, json!([create(&day.to_string(), "")]));
    }
    let mut reader = world.device(2);
    for (days, stable) in [(9, 0), (29, 0), (30, 1), (34, 5), (31, 2), (500, 10)] {
        reader.now_ms = NOW_MS + days * DAY_MS;
        assert_eq!(reader.pull(1000).stable, stable, "after {days} days");
    }
    phone.now_ms = NOW_MS + 35 * DAY_MS;
    let answer = phone.push(&[group(99, 11, json!([]))]).unwrap();
    assert_eq!(answer.stable, 6);
    phone.now_ms = NOW_MS;
    assert_eq!(phone.push(&[group(100, 12, json!([]))]).unwrap().stable, 6, "a clock set back takes nothing back");
}

/// I-19, I-08: readers follow their cursors while several devices push; none skips, repeats or sees half a group.
#[test]
fn i_19_readers_skip_nothing_during_concurrent_pushes() {
    const DEVICES: u128 = 4;
    const GROUPS: u64 = 60;
    let world = World::new();
    let done = AtomicBool::new(false);
    let histories: Vec<Vec<Commit>> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|at| {
                let mut reader = world.device(900 + at);
                let done = &done;
                scope.spawn(move || {
                    let mut pages = Vec::new();
                    loop {
                        let last = done.load(Ordering::Acquire);
                        let page = reader.pull(1 + at as usize * 4);
                        let quiet = !page.more;
                        pages.push(page);
                        if last && quiet {
                            return commits(&pages);
                        }
                    }
                })
            })
            .collect();
        let writers: Vec<_> = (0..DEVICES)
            .map(|device| {
                let mut writer = world.device(device);
                scope.spawn(move || {
                    for seq in 1..=GROUPS {
                        let id = |part| format!("{device}-{seq}-{part}");
                        let said = writer
                            .say(device << 64 | u128::from(seq), json!([create(&id("a"), ""), create(&id("b"), "")]));
                        assert_eq!(said.verdict, Outcome::Applied);
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, Ordering::Release);
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    });
    for history in histories {
        assert_eq!(history.len() as u64, DEVICES as u64 * GROUPS);
        let mut per_device = BTreeMap::<String, u64>::new();
        for commit in history {
            let ids: Vec<_> = commit.rows.iter().map(|row| row.id.rsplit_once('-').unwrap().0.to_owned()).collect();
            assert!(ids.len() == 2 && ids[0] == ids[1], "groups are whole");
            let (device, seq) = ids[0].split_once('-').unwrap();
            let last = per_device.entry(device.to_owned()).or_default();
            *last += 1;
            assert_eq!(seq.parse::<u64>().unwrap(), *last, "a device's groups come in its order");
        }
    }
}

/// I-55: two requests with the same groups at once: one applies them, both hear the same.
#[test]
fn i_55_concurrent_twins_of_a_request_get_the_same_verdicts() {
    let world = World::new();
    for round in 0..30u64 {
        let answers: Vec<_> = std::thread::scope(|scope| {
            let twins: Vec<_> = (0..4)
                .map(|_| {
                    let twin = world.device(1);
                    scope.spawn(move || {
                        let first = round * 2 + 1;
                        twin.push(&[
                            group(u128::from(first), first, json!([increment_or_create(round)])),
                            group(u128::from(first) + 1, first + 1, json!([update("never", 0, json!({"title": ""}))])),
                        ])
                        .unwrap()
                        .verdicts
                    })
                })
                .collect();
            twins.into_iter().map(|twin| twin.join().unwrap()).collect()
        });
        assert!(answers.iter().all(|verdicts| *verdicts == answers[0]));
        assert_eq!(answers[0][0].commit, Some(round + 1));
    }
    let last = world.device(2).pull(1000).commits.pop().unwrap();
    assert_eq!(serde_json::to_value(&last.rows[0].fields["views"]).unwrap(), json!(29));
}

fn increment_or_create(round: u64) -> Json {
    if round == 0 { create("n", "") } else { increment("n", round, 1) }
}

#[test]
fn a_device_bound_token_is_good_for_its_device_only() {
    let world = World::new();
    let mut phone = world.device(1);
    phone.who.device = Some(phone.device);
    assert_eq!(phone.say(1, json!([create("n", "")])).verdict, Outcome::Applied);
    phone.device = DeviceId::from_random(2);
    assert_eq!(phone.push(&[group(2, 1, json!([]))]).unwrap_err().code, Code::Forbidden);
    let request = phone.pull_request(1);
    assert_eq!(phone.service.pull(&phone.who, &request, NOW_MS).unwrap_err().code, Code::Forbidden);
    let named = Some((phone.device, phone.incarnation));
    assert_eq!(phone.service.hello(&phone.who, named, NOW_MS).unwrap_err().code, Code::Forbidden);
}
