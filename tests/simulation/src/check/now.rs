//! What must hold after every step of a device.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use turnstone::testing::inspect::{self, Standing};
use turnstone::{Decision, Store};
use turnstone_engine::scheduler::Kind;
use turnstone_protocol::Gid;

use super::{again, dead, shows, status};
use crate::app;
use crate::device::Expected;
use crate::model::{Meaning, ModelOp};
use crate::world::World;

/// Every so many looks at a device, everything in it is looked at.
const DEEP_EVERY: u64 = 12;

/// Every so many looks go beyond where a device stands and the pair once faults are over: the judgement looks at everything.
const END_EVERY: u64 = 4;

/// Looks at a device that just did something.
pub fn continuous(world: &mut World, at: usize) {
    patience(world);
    // While its disk is as it was when it was last looked at, so is what it shows.
    let on_disk = Some((world.devices[at].lives, world.devices[at].disk.steps()));
    let device = &mut world.devices[at];
    device.looks += u64::from(device.looked_at != on_disk);
    let deep =
        (world.looks_hard || device.looks % DEEP_EVERY == at as u64 % DEEP_EVERY) && device.searched_at != on_disk;
    if device.looked_at == on_disk && !deep {
        return;
    }
    let spared = world.ends && !world.looks_hard && device.looks % END_EVERY != at as u64 % END_EVERY;
    device.looked_at = on_disk;
    let Some(position) = world.devices[at].pulled_to() else { return };
    let before = world.devices[at].position;
    if position < before {
        if !world.may_turn(at, position) {
            world.wrong("I-22", format!("device {at}: the position went back from {before} to {position}"));
        }
        keep_what_shows(world, at);
        world.devices[at].position = position;
    }
    let stands_here = world.stands_here(at, position);
    if position > world.devices[at].position {
        world.devices[at].anchored_boot = Some(world.devices[at].time.boot.load(Ordering::Relaxed));
        world.devices[at].position = position;
    }
    pair(world, at);
    if spared {
        return;
    }
    let Some(Ok(standing)) = world.devices[at].with(inspect::standing) else { return };
    expected(world, at, position);
    wakes(world, at, standing);
    status::shape(world, at, standing);
    if deep {
        world.devices[at].searched_at = on_disk;
        for fault in world.faults_of(at) {
            world.wrong("I-03", format!("device {at}: {fault}"));
        }
        world.saw("everything in a device was looked at");
        status::counts(world, at, standing);
        if !stands_here {
            world.saw("device looked at that knows another history");
            return;
        }
        if standing.reads_again {
            world.saw("feed read again from its beginning");
        } else {
            base(world, at, position);
            shows::of_its_position(world, at, position);
        }
    }
}

/// Nobody comes back before the server said (`Retry-After`, H6).
fn patience(world: &mut World) {
    let hasty = std::mem::take(&mut world.net.get().hasty);
    for (at, path) in hasty {
        world.wrong("I-17", format!("device {at} asks for {path} before the time the server named"));
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

/// Two rows that are always written in one group are equal at every read (I-05).
pub(super) fn pair(world: &mut World, at: usize) {
    let read = world.devices[at].with(|store| {
        store.query_map("SELECT id, v FROM pairs ORDER BY id", &[], |row| Ok((row.get(0)?, row.get(1)?)))
    });
    let Some(Ok(rows)) = read else { return };
    let rows: Vec<(String, i64)> = rows;
    let retried = |(gid, _): &(Gid, usize)| {
        let write = world.model.find(*gid);
        write.is_some_and(|write| world.model.groups[write].ops.iter().any(|op| op.table == "pairs"))
    };
    // A person sent one of the two again.
    if world.retried.iter().any(retried) {
        return;
    }
    let whole = match rows.as_slice() {
        // Nobody deletes it.
        [] if world.devices[at].shows_pair
            && !may_be_gone(world, at, ("pairs", app::PAIR[0]), world.devices[at].position) =>
        {
            return world.wrong("I-08", format!("device {at} no longer shows the pair"));
        }
        [] => true,
        [left, right] => left.1 == right.1,
        _ => false,
    };
    if !whole {
        world.wrong("I-05", format!("device {at} shows half a group: {rows:?}"));
    }
    world.devices[at].shows_pair = !rows.is_empty();
}

/// A pending write always shows (I-08, rule 4).
fn expected(world: &mut World, at: usize, position: u64) {
    // While the app does not know whether its last write was saved, either may show.
    if world.devices[at].unsure.is_some() {
        return;
    }
    // What became of a write is read from the server's disk, which may fail.
    if world.server.head().is_none() {
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
        let shown = row.as_ref().map(|row| app::shown(row, field));
        if what.is(shown) {
            left.insert((table, id, field), (what, gid));
        } else if world.past.is_hidden_from(world.devices[at].stands.history) {
            // A push was answered before anything could tell the device that this is another history.
        } else if shown.is_none() && what != Expected::Gone {
            if !again::is_excused_of(world, gid) && !may_be_gone(world, at, (table, &id), position) {
                world.wrong("I-08", format!("device {at}: {table} {id} is gone, {field} should show {what:?}"));
            }
        } else if !is_settled(world, at, gid, position) && !may_be_overwritten(world, at, gid) {
            let shown = format!("{shown:?}");
            world.wrong("I-08", format!("device {at}: {table} {id} {field} shows {shown}, pending is {what:?}"));
        }
    }
    world.devices[at].expected = left;
}

/// A device begins again: what had arrived by its old position and was overwritten need not show again; what shows goes
/// on showing.
fn keep_what_shows(world: &mut World, at: usize) {
    let mut all = std::mem::take(&mut world.devices[at].expected);
    all.retain(|(table, id, field), (what, _)| {
        let row = world.devices[at].with(|store| store.get(table, id));
        row.is_some_and(|row| row.is_ok_and(|row| what.is(row.map(|row| app::shown(&row, field)))))
    });
    world.devices[at].expected = all;
}

/// Whether the server's word on a group has arrived, or another one counts in its place.
fn is_settled(world: &World, at: usize, gid: Gid, position: u64) -> bool {
    let arrived = |gid| world.server.decided_at(gid).is_some_and(|commit| commit <= position);
    arrived(gid) || dead(world, at).contains(&gid) || again::is_excused_of(world, gid)
}

/// Whether a group that the server forgot need not show: its device may have forgotten it too, or still knows the
/// history in which it was overwritten.
fn may_be_overwritten(world: &World, at: usize, gid: Gid) -> bool {
    let is_lost = world.model.find(gid).is_some_and(|write| world.past.is_lost(write));
    world.past.was_undone(gid) && (is_lost || world.devices[at].stands.history != world.past.present())
}

/// Whether a row that a device wrote in may have vanished from it: somebody's delete of it has arrived, or something
/// the device wrote in it was refused: its create, as a rule, and what builds on that shows no more than that.
fn may_be_gone(world: &World, at: usize, row: (&str, &str), position: u64) -> bool {
    // A write of unknown fate may be that delete.
    if !world.server.is_up() || world.devices.iter().any(|device| device.unsure.is_some()) {
        return true;
    }
    let is_of_row = |op: &&ModelOp| (op.table, op.id.as_str()) == row;
    let groups = &world.model.groups;
    let deletes = |write: &usize| groups[*write].ops.iter().filter(is_of_row).any(|op| op.meaning == Meaning::Delete);
    // Its own, given up and applied all the same, shows from its verdict on.
    let deleted = (0..groups.len()).filter(deletes).any(|write| {
        let own = world.model.has_held(at, write);
        let arrived = |gid| world.server.decided_at(gid).is_some_and(|commit| own || commit <= position);
        world.model.keys(write).any(arrived)
    });
    // A copy was first with what its create means, and the page that shows that is still to come (docs/reliability.md, limits).
    let creates = |write: &usize| {
        let is_create = |op: &ModelOp| matches!(op.meaning, Meaning::Create(_));
        world.model.has_held(at, *write) && groups[*write].ops.iter().filter(is_of_row).any(is_create)
    };
    let is_to_come = |gid| world.server.decided_at(gid).is_some_and(|commit| commit > position);
    let by_a_copy = |write| world.model.siblings(write).any(|other| world.model.keys(other).any(is_to_come));
    let made_by_a_copy = (0..groups.len()).filter(creates).any(by_a_copy);
    let writes =
        |gid: &Gid| world.model.find(*gid).is_some_and(|write| groups[write].ops.iter().any(|op| is_of_row(&op)));
    deleted || made_by_a_copy || dead(world, at).iter().any(writes) || world.may_be_forgotten(row)
}
