//! The demo's oracle accepts a merge that is right and sees each way of being wrong.
//!
//! The model here is the simplest server that keeps the promises: it replays each device's writes when
//! the device syncs. The planted bugs are those the demo is there to catch.

use std::collections::BTreeMap;

use turnstone::{Fields, Value};
use turnstone_cli::demo::deal::{Act, Beat, Deal, NoteWrite, Rules, deal};
use turnstone_cli::demo::oracle::{Findings, Oracle};
use turnstone_cli::demo::source::generate;

#[derive(Clone, Copy, PartialEq)]
enum Bug {
    None,
    CountsTwice,
    LosesAWrite,
    WholeRowWins,
    DeleteAlwaysWins,
    EditAlwaysWins,
    ArrivalMovesTimeBack,
}

#[derive(Clone, Default)]
struct Row {
    fields: Fields,
    gone: bool,
    /// Server position and device of each change.
    changes: Vec<(usize, usize)>,
}

struct World {
    rows: BTreeMap<String, Row>,
    position: usize,
    cursors: Vec<usize>,
    pending: Vec<Vec<(usize, NoteWrite)>>,
    bug: Bug,
    pushed: usize,
}

impl World {
    fn run(deal: &Deal, devices: usize, bug: Bug) -> BTreeMap<String, Fields> {
        let mut world = Self {
            rows: BTreeMap::new(),
            position: 0,
            cursors: vec![0; devices],
            pending: vec![Vec::new(); devices],
            bug,
            pushed: 0,
        };
        for beat in &deal.beats {
            match beat {
                Beat::Burst(steps) => {
                    for step in steps {
                        let cursor = world.cursors[step.device];
                        world.pending[step.device].extend(step.writes.iter().map(|w| (cursor, w.clone())));
                    }
                }
                Beat::Sync(devices) => {
                    for &device in devices {
                        for (cursor, write) in std::mem::take(&mut world.pending[device]) {
                            world.apply(device, cursor, &write);
                        }
                        world.cursors[device] = world.position;
                    }
                }
            }
        }
        world.rows.into_iter().filter(|(_, row)| !row.gone).map(|(id, row)| (id, row.fields)).collect()
    }

    fn apply(&mut self, device: usize, cursor: usize, write: &NoteWrite) {
        self.pushed += 1;
        if self.bug == Bug::LosesAWrite && self.pushed.is_multiple_of(50) && write.act != Act::Delete {
            return;
        }
        self.position += 1;
        let position = self.position;
        let row = self.rows.entry(write.id.clone()).or_default();
        let unseen = row.changes.iter().any(|(at, by)| *at > cursor && *by != device);
        row.changes.push((position, device));
        match &write.act {
            Act::Delete => {
                let wins = match self.bug {
                    Bug::DeleteAlwaysWins => true,
                    Bug::EditAlwaysWins => false,
                    _ => !unseen,
                };
                row.gone = wins;
            }
            Act::Create(set) | Act::Set(set) => {
                if row.gone && self.bug == Bug::DeleteAlwaysWins && !matches!(write.act, Act::Create(_)) {
                    return;
                }
                row.gone = false;
                if self.bug == Bug::WholeRowWins && unseen {
                    row.fields.retain(|name, _| name == "views" || name == "updated_at");
                }
                for (name, value) in set {
                    let old = row.fields.get(name);
                    let later = |a: &Value, b: &Value| matches!((a, b), (Value::Int(a), Value::Int(b)) if a > b);
                    let stays = name == "updated_at"
                        && self.bug != Bug::ArrivalMovesTimeBack
                        && old.is_some_and(|old| later(old, value));
                    if !stays {
                        row.fields.insert(name.clone(), value.clone());
                    }
                }
                let times = if self.bug == Bug::CountsTwice && self.pushed.is_multiple_of(40) { 2 } else { 1 };
                let Value::Int(views) = row.fields.get("views").cloned().unwrap_or(Value::Int(0)) else { panic!() };
                row.fields.insert("views".to_owned(), Value::Int(views + times * write.views));
            }
        }
    }
}

fn findings(seed: u64, bug: Bug) -> Findings {
    let source = generate(seed, 300, 500);
    let rules = Rules { devices: 5, seed, burst_commits: 40 };
    let deal = deal(&source, rules);
    let rows = World::run(&deal, rules.devices, bug);
    Oracle::new(&deal).check(&rows)
}

#[test]
fn a_right_merge_has_no_problems_and_devices_really_meet() {
    for seed in 0..20 {
        let found = findings(seed, Bug::None);
        assert_eq!(found.problems, Vec::<String>::new(), "seed {seed}");
        assert!(found.overlaps > 0 && found.side_by_side > 0 && found.counters > 250, "{found:?}");
    }
    let kept: usize = (0..20).map(|seed| findings(seed, Bug::None).kept_by_edit).sum();
    assert!(kept > 0, "no note was deleted here and edited there");
}

#[test]
fn each_planted_bug_is_seen() {
    for bug in [
        Bug::CountsTwice,
        Bug::LosesAWrite,
        Bug::WholeRowWins,
        Bug::DeleteAlwaysWins,
        Bug::EditAlwaysWins,
        Bug::ArrivalMovesTimeBack,
    ] {
        let seen = (0..5).filter(|seed| !findings(*seed, bug).problems.is_empty()).count();
        assert!(seen >= 3, "bug {} was seen with {seen} of 5 seeds only", bug as u8);
    }
}

#[test]
fn the_deal_is_repeatable_and_every_device_works() {
    let source = generate(1, 100, 200);
    let rules = Rules { devices: 5, seed: 9, burst_commits: 25 };
    let (one, two) = (deal(&source, rules), deal(&source, rules));
    assert_eq!(one.beats, two.beats);
    assert_eq!(one.devices().len(), 5);
    assert!(one.meetings() > 10, "{}", one.meetings());
    assert_ne!(one.beats, deal(&source, Rules { seed: 10, ..rules }).beats);
}
