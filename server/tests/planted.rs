//! A bug that only threads can see, planted: what [`pull.rs`](pull.rs) holds of concurrent pushes finds it (rule 25, I-55).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "concurrent pushes are threads")]

mod common;

use common::*;
use serde_json::json;
use turnstone_protocol::plant::{Bug, THREADED, set};
use turnstone_protocol::wire::Outcome;

/// Several devices push at once: every group is applied, and is a commit of its own.
fn pushed_at_once() -> Result<(), String> {
    const DEVICES: u128 = 4;
    const GROUPS: u64 = 25;
    let world = World::new();
    let said: Vec<Result<(), String>> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..DEVICES)
            .map(|device| {
                let writer = world.device(device);
                scope.spawn(move || {
                    for seq in 1..=GROUPS {
                        let ops = json!([create(&format!("{device}-{seq}"), "")]);
                        let answer = writer.push(&[group(device << 64 | u128::from(seq), seq, ops)]);
                        let verdicts = answer.map_err(|problem| format!("{problem:?}"))?.verdicts;
                        if verdicts.iter().any(|verdict| verdict.verdict != Outcome::Applied) {
                            return Err(format!("{verdicts:?}"));
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().expect("a writer ends")).collect()
    });
    said.into_iter().collect::<Result<Vec<()>, String>>()?;
    let pages = world.device(900).pull_all(1_000);
    let commits: Vec<u64> = pages.iter().flat_map(|page| &page.commits).map(|commit| commit.n).collect();
    let expected: Vec<u64> = (1..=DEVICES as u64 * GROUPS).collect();
    if commits == expected { Ok(()) } else { Err(format!("{} commits, of {}", commits.len(), expected.len())) }
}

#[test]
fn a_head_read_before_the_lock_is_found_by_pushes_at_once() {
    assert_eq!(THREADED, [Bug::HeadBeforeLock], "each of them needs a test here");
    assert_eq!(pushed_at_once(), Ok(()), "nothing is planted");
    set(Some(Bug::HeadBeforeLock));
    let found = (0..20).any(|_| pushed_at_once().is_err());
    set(None);
    assert!(found);
    assert_eq!(pushed_at_once(), Ok(()), "it is taken out again");
}
