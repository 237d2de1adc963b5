//! What must hold after every step of a device.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use turnstone::testing::inspect::{self, Standing};
use turnstone::{Decision, RunOutcome, Store};
use turnstone_engine::scheduler::Kind;
use turnstone_protocol::Gid;

use super::{dead, has_parked};
use crate::device::{Expected, Run};
use crate::world::World;

/// Looks at a device that just did something.
pub fn continuous(world: &mut World, at: usize, deep: bool) {
    // While its disk is as it was when it was last looked at, so is what it shows.
    let on_disk = Some((world.devices[at].lives, world.devices[at].disk.steps()));
    let device = &mut world.devices[at];
    let deep = deep && device.searched_at != on_disk;
    if device.looked_at == on_disk && !deep {
        return;
    }
    device.looked_at = on_disk;
    let Some(Ok(standing)) = world.devices[at].with(inspect::standing) else { return };
    let position = standing.position;
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
    wakes(world, at, standing);
    if deep {
        world.devices[at].searched_at = on_disk;
        for fault in world.faults_of(at) {
            world.wrong("I-03", format!("device {at}: {fault}"));
        }
        status(world, at, standing);
        base(world, at, position);
    }
}

/// What is to be sent is never left without somebody who comes back to it (I-18): it is under way, or the system is
/// asked for time to send it.
fn wakes(world: &mut World, at: usize, standing: Standing) {
    let device = &world.devices[at];
    if !device.setup.auto || device.shut_out || standing.pending_groups == standing.parked_groups {
        return;
    }
    let Some(next) = device.with(Store::next_wake) else { return };
    if !matches!(next.decision, Decision::Now { .. }) && !next.wish.is_some_and(|wish| wish.kind == Kind::SmallPush) {
        world.wrong("I-18", format!("device {at}: {standing:?}, groups are to be sent and nothing will: {next:?}"));
    }
}

/// Time that the system gave is over when it is over (I-50), and "done" is said only of what is done.
pub fn runs(world: &mut World, at: usize) {
    let now_ms = world.now_ms;
    let (over, open): (Vec<Run>, Vec<Run>) = std::mem::take(&mut world.devices[at].runs)
        .into_iter()
        .partition(|run| run.told.lock().unwrap_or_else(PoisonError::into_inner).is_some());
    world.devices[at].runs = open;
    if let Some(late) = world.devices[at].runs.iter().map(|run| run.until_ms).find(|until_ms| *until_ms < now_ms) {
        world.devices[at].runs.clear();
        world.wrong("I-50", format!("device {at} still runs {} ms after its time", now_ms - late));
    }
    for run in over {
        let outcome = *run.told.lock().unwrap_or_else(PoisonError::into_inner);
        if outcome != Some(RunOutcome::Done) {
            world.saw("time in the background was over before everything was done");
            continue;
        }
        world.saw("everything was done in the background");
        let mine = |write: &usize| world.model.groups[*write].device == at && !world.model.was_undone(*write);
        if let Some(write) = (0..run.groups).rev().find(mine)
            && !has_parked(world, at)
            && world.server.decided_at(world.model.groups[write].gid).is_none()
        {
            world.wrong("I-64", format!("device {at} says that everything is synced, and a write before that is not"));
        }
    }
}

/// A device that stands at the head has the server's rows as its base, whatever is pending over them (I-27).
fn base(world: &mut World, at: usize, position: u64) {
    if !world.server.is_up() || world.server.head() != Some(position) {
        return;
    }
    let (Ok(server), Some(Ok(mine))) =
        (world.server.state_hash(), world.devices[at].with(turnstone::Store::state_hash))
    else {
        return;
    };
    if mine.at == server.at && mine.hash != server.hash {
        world.wrong("I-27", format!("device {at} stands at {position} and its base differs from the server's rows"));
    }
}

/// A device that says nothing is pending has heard of its last write (I-64).
fn status(world: &mut World, at: usize, standing: Standing) {
    if standing.pending_groups > 0 || world.devices[at].unsure.is_some() {
        return;
    }
    let model = &world.model;
    let last = (0..model.groups.len()).rev().find(|w| model.groups[*w].device == at && !model.was_undone(*w));
    if let Some(gid) = last.map(|w| model.groups[w].gid)
        // A server that has just died says nothing.
        && world.server.is_up()
        && world.server.decided_at(gid).is_none()
    {
        world.wrong("I-64", format!("device {at} says nothing is pending, and nobody decided {gid}"));
    }
}

/// Two rows that are always written in one group are equal at every read (I-05).
pub(super) fn pair(world: &mut World, at: usize) {
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
