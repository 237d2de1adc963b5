//! What must hold at the end.

use std::collections::{BTreeMap, BTreeSet};

use turnstone_protocol::Gid;

use super::again;
use super::blame::blame;
use super::now::pair;
use super::{bounds, dead, held_back, shows};
use crate::app;
use crate::model::{History, RowKey, WriteId};
use crate::reference::{self, Expected as Due};
use crate::world::World;

/// Judges a world that is quiet. `stable`: up to where every device has heard that it need not remember.
pub(super) fn judge(world: &mut World, stable: u64) {
    let server = match world.server.state_hash() {
        Ok(state) => state,
        Err(error) => return world.wrong("I-27", error),
    };
    let history = match world.history() {
        Ok(history) => history,
        Err(error) => return world.wrong("I-54", error),
    };
    for at in 0..world.devices.len() {
        match world.devices[at].with(turnstone::Store::state_hash) {
            Some(Ok(state)) if state.hash == server.hash && state.at == server.at => {}
            Some(Ok(state)) => {
                let rows = (state.rows, server.rows);
                world.wrong("I-27", format!("device {at} and the server differ at {}: rows {rows:?}", server.at));
            }
            _ => world.wrong("I-27", format!("device {at} has no state hash")),
        }
        for fault in world.faults_of(at) {
            world.wrong("I-03", format!("device {at} at the end: {fault}"));
        }
        pair(world, at);
    }
    fates(world, &history);
    stamps_rise(world);
    if let Some(what) = world.server.neighbour_is_wrong() {
        world.wrong("I-56", what);
    }
    blame(world);
    let expected = reference::play(&world.model, &app::rules(), &history, &world.sent);
    letters(world, &history, &expected);
    ranks(world, &expected);
    for at in 0..world.devices.len() {
        let held = held_back(world, at);
        if !held.is_empty() {
            world.saw("write held back at the end");
            grounds(world, at, &held);
        } else {
            bounds::leftovers(world, at);
        }
        bounds::log(world, at, stable);
        bounds::size(world, at);
        shows::compare(world, at, &expected, &shows::touched(world, &held));
    }
    world.violations.extend(expected.violations);
    world.trace ^= u64::from_str_radix(server.hash.get(..16).unwrap_or("0"), 16).unwrap_or(0);
}

/// The server keeps of every row who stands behind it: what it does not remember decides the next overlap wrongly (I-30).
fn ranks(world: &mut World, expected: &Due) {
    let kept = match world.server.ranks() {
        Ok(kept) => kept,
        Err(error) => return world.wrong("I-54", error),
    };
    for key in expected.ranks.keys().chain(kept.keys()).collect::<BTreeSet<_>>() {
        let (due, found) = (expected.ranks.get(key), kept.get(key));
        if due != found {
            world.wrong("I-30", format!("behind {} {} stands {found:?}, it should be {due:?}", key.0, key.1));
        }
    }
}

/// What lost to a delete is a dead letter of its writer, and nothing else of an accepted group is (I-36).
fn letters(world: &mut World, history: &History, expected: &Due) {
    let accepted: BTreeSet<Gid> = history.commits.iter().map(|commit| commit.gid).collect();
    let mut found = BTreeSet::new();
    for at in 0..world.devices.len() {
        let Some(Ok(letters)) = world.devices[at].with(turnstone::Store::dead_letters) else { continue };
        let mut mine = BTreeSet::new();
        for letter in letters.into_iter().filter(|letter| accepted.contains(&letter.gid)) {
            let place = letter.n.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
            if !mine.insert((letter.gid, place)) {
                world.wrong("I-16", format!("device {at} has two dead letters of one op"));
            }
        }
        // A clone has those that were there before it.
        found.extend(mine);
    }
    for (gid, place) in expected.lost.difference(&found) {
        // What the server had called stable may be forgotten by the one who would file it.
        let is_unheard = |write| world.model.may_be_unheard(write) || world.past.is_lost(write);
        if world.retried.contains(&(*gid, *place)) || world.model.find(*gid).is_some_and(is_unheard) {
            continue;
        }
        world.wrong("I-36", format!("op {place} of {gid} lost to a delete and is no dead letter"));
    }
    for (gid, place) in found.difference(&expected.lost) {
        world.wrong("I-16", format!("op {place} of {gid} is a dead letter, and it had its effect"));
    }
    if !found.is_empty() {
        world.saw("op lost to a delete");
    }
}

/// What is held back shares a row with something that was refused, or is held back itself and was written before (I-16).
fn grounds(world: &mut World, at: usize, held: &BTreeSet<WriteId>) {
    let refused: BTreeSet<WriteId> = dead(world, at).into_iter().filter_map(|gid| world.model.find(gid)).collect();
    let mut rows: BTreeSet<RowKey> = shows::touched(world, &refused).into_keys().collect();
    for write in held {
        let mine: BTreeSet<RowKey> = shows::touched(world, &BTreeSet::from([*write])).into_keys().collect();
        if rows.is_disjoint(&mine) {
            let gid = world.model.groups[*write].gid;
            world.wrong("I-16", format!("device {at} holds {gid} back, and nothing it builds on was refused"));
        }
        rows.extend(mine);
    }
}

fn was_refused(history: &History, gid: Gid) -> bool {
    history.refused.iter().any(|refused| refused.gid == gid)
}

/// Within one life of a device, stamps rise in the order its writes were made (rule 2). What was held back behind a group
/// the server choked on, or had refused in a history that has ended, and went on after all, is stamped when it goes.
fn stamps_rise(world: &mut World) {
    let blocking: Vec<WriteId> =
        world.poisoned.iter().chain(world.past.unrefused()).filter_map(|gid| world.model.find(*gid)).collect();
    let held_back: BTreeSet<usize> = (0..world.devices.len())
        .filter(|device| blocking.iter().any(|write| world.model.has_held(*device, *write)))
        .collect();
    let mut last: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    let mut wrong = Vec::new();
    for group in world.model.groups.iter().filter(|group| !held_back.contains(&group.device)) {
        let own_life = (group.device, group.line);
        let Some(hlc) = world.sent.get(&group.gid).and_then(|from| from.get(&own_life)) else { continue };
        if last.insert(own_life, *hlc).is_some_and(|before| before >= *hlc) {
            wrong.push(format!("device {}: {} is stamped before what was written before it", group.device, group.gid));
        }
    }
    for what in wrong {
        world.wrong("I-30", what);
    }
}

/// Each acknowledged group is accepted exactly once, or somewhere a person can read it.
fn fates(world: &mut World, history: &History) {
    let letters: Vec<BTreeSet<Gid>> = (0..world.devices.len()).map(|at| dead(world, at)).collect();
    let held: Vec<BTreeSet<WriteId>> = (0..world.devices.len()).map(|at| held_back(world, at)).collect();
    let mut accepted: BTreeMap<usize, usize> = BTreeMap::new();
    for commit in &history.commits {
        if let Some(write) = world.model.find(commit.gid) {
            *accepted.entry(write).or_default() += 1;
        }
    }
    let letters: Vec<BTreeSet<usize>> =
        letters.into_iter().map(|gids| gids.into_iter().filter_map(|gid| world.model.find(gid)).collect()).collect();
    let mut wrong = Vec::new();
    for (write, group) in world.model.groups.iter().enumerate() {
        let device = group.device;
        match accepted.get(&write) {
            Some(1) => {}
            Some(times) => wrong.push(("I-09", format!("a group of device {device} is in the log {times} times"))),
            None if letters[device].contains(&write) || held[device].contains(&write) => {}
            // What a backup provably destroyed is forgiven, nothing else.
            None if world.model.was_undone(write) || world.past.is_lost(write) => {}
            None if world.model.may_be_unheard(write) && was_refused(history, group.gid) => {}
            None if again::is_excused(world, write, |other| accepted.contains_key(&other)) => {}
            None => wrong.push(("I-01", format!("a group of device {device} was acknowledged and is nowhere"))),
        }
    }
    for (invariant, what) in wrong {
        world.wrong(invariant, what);
    }
    again::once(world, &accepted);
    if letters.iter().any(|letters| !letters.is_empty()) {
        world.saw("dead letters at the end");
    }
}
