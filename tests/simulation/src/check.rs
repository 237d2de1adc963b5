//! What must hold at every moment, and what must hold at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use turnstone::Value;
use turnstone::testing::inspect;
use turnstone_protocol::Gid;

use crate::app;
use crate::device::Expected;
use crate::model::{History, RowKey, Rule, Shown};
use crate::reference::{self, Expected as Due};
use crate::world::World;

/// How long the world may take to become quiet once its faults are over, in virtual milliseconds: a wait of 60 s, a
/// request that is lost at its start, and looking for news.
const QUIET_MS: u64 = 200_000;

/// Looks at a device that just did something.
pub fn continuous(world: &mut World, at: usize, deep: bool) {
    let Some(Ok(position)) = world.devices[at].with(inspect::position) else { return };
    if position < world.devices[at].position {
        let before = world.devices[at].position;
        world.wrong("I-22", format!("device {at}: the position went back from {before} to {position}"));
    }
    if position > world.devices[at].position {
        world.devices[at].anchored_boot = Some(world.devices[at].time.boot.load(Ordering::Relaxed));
        world.devices[at].position = position;
    }
    pair(world, at);
    expected(world, at, position);
    if deep {
        for fault in world.faults_of(at) {
            world.wrong("I-03", format!("device {at}: {fault}"));
        }
        status(world, at);
    }
}

/// A device that says nothing is pending has heard of its last write (I-64).
fn status(world: &mut World, at: usize) {
    let Some(Ok(status)) = world.devices[at].with(turnstone::Store::status) else { return };
    if status.pending_groups > 0 || world.devices[at].unsure.is_some() {
        return;
    }
    let model = &world.model;
    let last = (0..model.groups.len()).rev().find(|w| model.groups[*w].device == at && !model.was_undone(*w));
    if let Some(gid) = last.map(|w| model.groups[w].gid)
        && world.server.decided_at(gid).is_none()
    {
        world.wrong("I-64", format!("device {at} says nothing is pending, and nobody decided {gid}"));
    }
}

/// Two rows that are always written in one group are equal at every read (I-05).
fn pair(world: &mut World, at: usize) {
    let read = world.devices[at].with(|store| {
        store.query_map("SELECT id, v FROM pairs ORDER BY id", &[], |row| Ok((row.get(0)?, row.get(1)?)))
    });
    let Some(Ok(rows)) = read else { return };
    let rows: Vec<(String, i64)> = rows;
    let whole = match rows.as_slice() {
        [] => true,
        [left, right] => left.1 == right.1,
        _ => false,
    };
    if !whole {
        world.wrong("I-05", format!("device {at} shows half a group: {rows:?}"));
    }
}

/// A pending write always shows (I-08, rule 4).
fn expected(world: &mut World, at: usize, position: u64) {
    // While the app does not know whether its last write was saved, either may show.
    if world.devices[at].unsure.is_some() {
        return;
    }
    let all = std::mem::take(&mut world.devices[at].expected);
    let mut left = BTreeMap::new();
    // A few each time, others the next: what stopped showing is found soon enough.
    let skip = usize::try_from(world.trace % 7).unwrap_or(0) * all.len() / 7;
    for (place, ((table, id, field), (what, gid))) in all.into_iter().enumerate() {
        if place < skip || place >= skip + 4 {
            left.insert((table, id, field), (what, gid));
            continue;
        }
        let Some(Ok(row)) = world.devices[at].with(|store| store.get(table, &id)) else {
            left.insert((table, id, field), (what, gid));
            continue;
        };
        let shown = row.as_ref().map(|row| row.int(field));
        let holds = match what {
            Expected::Value(value) => shown.is_none_or(|shown| shown == Some(value)),
            Expected::Gone => shown.is_none(),
        };
        if holds {
            left.insert((table, id, field), (what, gid));
        } else if !is_settled(world, at, gid, position) {
            let shown = format!("{shown:?}");
            world.wrong("I-08", format!("device {at}: {table} {id} {field} shows {shown}, pending is {what:?}"));
        }
    }
    world.devices[at].expected = left;
}

/// Whether the server's word on a group has arrived.
fn is_settled(world: &World, at: usize, gid: Gid, position: u64) -> bool {
    world.server.decided_at(gid).is_some_and(|commit| commit <= position) || dead(world, at).contains(&gid)
}

fn dead(world: &World, at: usize) -> BTreeSet<Gid> {
    match world.devices[at].with(turnstone::Store::dead_letters) {
        Some(Ok(letters)) => letters.into_iter().map(|letter| letter.gid).collect(),
        _ => BTreeSet::new(),
    }
}

/// Ends all faults, waits until the world is quiet, and judges it.
pub fn conclude(world: &mut World) {
    world.heal();
    if !world.violations.is_empty() {
        return;
    }
    let deadline_ms = world.now_ms + QUIET_MS;
    let mut next_ask_ms = 0;
    let mut moved = true;
    loop {
        while !world.net.is_empty() && world.violations.is_empty() {
            world.deliver(0);
            moved = true;
        }
        // Only an answer that arrived can make the world quiet.
        if !world.violations.is_empty() || (moved && is_quiet(world)) {
            break;
        }
        moved = false;
        if world.now_ms >= deadline_ms {
            stuck(world);
            break;
        }
        if world.now_ms >= next_ask_ms {
            next_ask_ms = world.now_ms + 5_000;
            for device in world.devices.iter().filter(|device| !device.setup.auto) {
                device.ask_sync();
            }
        }
        world.wait(500);
    }
    if world.violations.is_empty() {
        judge(world);
    }
}

fn head(world: &World) -> u64 {
    world.server.head().unwrap_or(u64::MAX)
}

fn is_quiet(world: &World) -> bool {
    let head = head(world);
    world.devices.iter().all(|device| {
        let status = device.with(turnstone::Store::status);
        let drained = matches!(&status, Some(Ok(status)) if status.pending_groups == status.parked_groups);
        drained && device.pulled_to() == Some(head)
    })
}

/// Liveness (I-18).
fn stuck(world: &mut World) {
    let head = head(world);
    for at in 0..world.devices.len() {
        let auto = world.devices[at].setup.auto;
        let position = world.devices[at].pulled_to();
        if let Some(Ok(status)) = world.devices[at].with(turnstone::Store::status)
            && (status.pending_groups != status.parked_groups || position != Some(head))
        {
            let (pending, error) = (status.pending_groups, status.last_error.map(|error| error.code));
            let (phase, next) = (status.phase, status.next_attempt);
            let what = format!(
                "device {at} (auto {auto}) is not through: {pending} pending, at {position:?} of {head}, {phase:?}, next {next:?}, last error {error:?}"
            );
            world.wrong("I-18", what);
        }
    }
}

fn judge(world: &mut World) {
    let server = match world.server.state_hash() {
        Ok(state) => state,
        Err(error) => return world.wrong("I-27", error),
    };
    let history = match world.server.history() {
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
    let expected = reference::play(&world.model, &app::rules(), &history, &world.sent);
    letters(world, &history, &expected);
    for at in (0..world.devices.len()).filter(|at| !has_parked(world, *at)).collect::<Vec<_>>() {
        compare(world, at, &expected);
    }
    world.violations.extend(expected.violations);
    world.trace ^= u64::from_str_radix(server.hash.get(..16).unwrap_or("0"), 16).unwrap_or(0);
}

/// A device shows exactly the rows the reference asks for.
fn compare(world: &mut World, at: usize, expected: &Due) {
    let shown = rows(world, at);
    let rules = app::rules();
    for (key, row) in &expected.rows {
        let (table, id) = key;
        let Some(found) = shown.get(key) else {
            world.wrong("I-09", format!("device {at}: {table} {id} is missing, it should be {row:?}"));
            continue;
        };
        for (field, value) in row.iter().filter(|(field, value)| found.get(*field) != Some(*value)) {
            let invariant = match rules[table.as_str()].fields[field.as_str()] {
                Rule::Counter => "I-32",
                Rule::Lww => "I-30",
                Rule::Server | Rule::Client | Rule::Max | Rule::Min => "I-28",
            };
            let found = found.get(field);
            world.wrong(invariant, format!("device {at}: {table} {id} {field} is {found:?}, it should be {value}"));
        }
    }
    for (table, id) in shown.keys().filter(|key| !expected.rows.contains_key(*key)) {
        world.wrong("I-36", format!("device {at}: {table} {id} is there, it should not be"));
    }
}

/// What lost to a delete is a dead letter of its writer, and nothing else of an accepted group is (I-36).
fn letters(world: &mut World, history: &History, expected: &Due) {
    let accepted: BTreeSet<Gid> = history.commits.iter().map(|commit| commit.gid).collect();
    let mut found = BTreeSet::new();
    for at in 0..world.devices.len() {
        let Some(Ok(letters)) = world.devices[at].with(turnstone::Store::dead_letters) else { continue };
        for letter in letters.into_iter().filter(|letter| accepted.contains(&letter.gid)) {
            let place = letter.n.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
            if !found.insert((letter.gid, place)) {
                world.wrong("I-16", format!("device {at} has two dead letters of one op"));
            }
        }
    }
    for (gid, place) in expected.lost.difference(&found) {
        if world.model.find(*gid).is_some_and(|write| world.model.may_be_unheard(write)) {
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

fn has_parked(world: &World, at: usize) -> bool {
    !matches!(world.devices[at].with(turnstone::Store::status), Some(Ok(status)) if status.parked_groups == 0)
}

fn was_refused(history: &History, gid: Gid) -> bool {
    history.refused.iter().any(|refused| refused.gid == gid)
}

/// Within one life of a device, stamps rise in the order its writes were made (rule 2).
fn stamps_rise(world: &mut World) {
    let mut last: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    let mut wrong = Vec::new();
    for group in &world.model.groups {
        let Some(hlc) = world.sent.get(&group.gid) else { continue };
        if last.insert((group.device, group.line), *hlc).is_some_and(|before| before >= *hlc) {
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
    let parked: Vec<bool> = (0..world.devices.len()).map(|at| has_parked(world, at)).collect();
    let mut accepted: BTreeMap<Gid, usize> = BTreeMap::new();
    for commit in &history.commits {
        *accepted.entry(commit.gid).or_default() += 1;
    }
    let mut wrong = Vec::new();
    for (write, group) in world.model.groups.iter().enumerate() {
        let device = group.device;
        match accepted.get(&group.gid) {
            Some(1) => {}
            Some(times) => wrong.push(("I-09", format!("a group of device {device} is in the log {times} times"))),
            None if letters[device].contains(&group.gid) || parked[device] => {}
            // What a backup provably destroyed is forgiven, nothing else.
            None if world.model.was_undone(write) => {}
            None if world.model.may_be_unheard(write) && was_refused(history, group.gid) => {}
            None => wrong.push(("I-01", format!("a group of device {device} was acknowledged and is nowhere"))),
        }
    }
    for (invariant, what) in wrong {
        world.wrong(invariant, what);
    }
    if letters.iter().any(|letters| !letters.is_empty()) {
        world.saw("dead letters at the end");
    }
}

/// Everything a device shows.
fn rows(world: &World, at: usize) -> BTreeMap<RowKey, Shown> {
    let mut all = BTreeMap::new();
    for (table, rule) in app::rules() {
        let fields: Vec<&str> = rule.fields.keys().copied().collect();
        let sql = format!("SELECT id, {} FROM {table}", fields.join(", "));
        let Some(Ok(found)) = world.devices[at].with(|store| store.query(&sql, &[])) else { continue };
        for row in found.rows {
            let mut values = row.into_iter();
            let Some(Value::Text(id)) = values.next() else { continue };
            let shown = fields
                .iter()
                .zip(values)
                .filter_map(|(field, value)| match value {
                    Value::Int(value) => Some(((*field).to_owned(), value)),
                    _ => None,
                })
                .collect();
            all.insert((table.to_owned(), id), shown);
        }
    }
    all
}
