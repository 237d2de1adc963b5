//! The reference against histories that can be followed by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeMap;

use turnstone_protocol::Gid;
use turnstone_simulation::app;
use turnstone_simulation::model::{Commit, History, Meaning, Model, ModelGroup, ModelOp};
use turnstone_simulation::reference::{Expected, play};

/// Writes in the order the server took them: device, what it had pulled, clock, table, meaning. All on one row.
fn after(writes: &[(usize, u64, u64, &'static str, Meaning)]) -> Expected {
    let (mut model, mut history, mut sent) = (Model::default(), History::default(), BTreeMap::new());
    for ((device, position, hlc, table, meaning), n) in writes.iter().zip(1_u64..) {
        let gid = Gid(u128::from(n).to_be_bytes());
        let ops = vec![ModelOp { table, id: "r".to_owned(), meaning: meaning.clone() }];
        model.acknowledge(ModelGroup { device: *device, gid, ops, position: *position, line: 0, at_ms: n });
        history.commits.push(Commit {
            n,
            gid,
            hlc: *hlc,
            ms: 1_000,
            ms_most: 1_000,
            from: (i64::try_from(*device).unwrap(), i64::try_from(n).unwrap()),
        });
        sent.insert(gid, BTreeMap::from([((*device, 0), *hlc)]));
    }
    play(&model, &app::rules(), &history, &sent)
}

fn create(a: i64) -> Meaning {
    Meaning::Create(BTreeMap::from([("a", a)]))
}

fn set(a: i64) -> Meaning {
    Meaning::Set(BTreeMap::from([("a", a)]))
}

fn a_of(expected: &Expected) -> Option<i64> {
    assert_eq!(expected.violations, Vec::new());
    expected.rows.values().next().map(|row| row["a"])
}

/// I-38, seed 36: a delete means the life its writer saw. The first model asked for a delete that had seen every edit.
#[test]
fn a_row_that_was_made_again_needs_only_a_delete_of_its_present_life() {
    let history = [(0, 0, 1, "notes", create(1)), (0, 0, 2, "notes", Meaning::Delete), (1, 0, 3, "notes", create(2))];
    assert_eq!(a_of(&after(&history)), Some(2), "an unseen create begins a new life where edits win");
    let mut deleted = history.to_vec();
    deleted.push((1, 0, 4, "notes", Meaning::Delete));
    assert_eq!(a_of(&after(&deleted)), None);
}

/// I-30: the greater stamp wins, whenever it arrives; an equal value raises the stamp.
#[test]
fn stamps_decide_and_not_arrival() {
    let early_last = [(0, 0, 1, "notes", create(1)), (0, 1, 5, "notes", set(5)), (1, 1, 4, "notes", set(4))];
    assert_eq!(a_of(&after(&early_last)), Some(5));
    let back = [(0, 0, 1, "notes", create(1)), (0, 1, 9, "notes", set(1)), (1, 1, 4, "notes", set(4))];
    assert_eq!(a_of(&after(&back)), Some(1), "the same value, written later");
}

/// I-36: a late edit does not bring a row back where deletes win, and is told to its writer.
#[test]
fn deletes_win_where_the_table_says_so() {
    let late = [(0, 0, 1, "todos", create(1)), (0, 1, 2, "todos", Meaning::Delete), (1, 1, 3, "todos", set(7))];
    let expected = after(&late);
    assert_eq!(a_of(&expected), None);
    assert_eq!(expected.lost.len(), 1);
}

/// I-31: a clock that lies before what its writer had seen, or ahead of its sender, is named.
#[test]
fn wrong_clocks_are_named() {
    let below = [(0, 0, 5, "notes", create(1)), (1, 1, 5, "notes", set(2))];
    assert_eq!(after(&below).violations.len(), 1);
}
