//! What a device says of itself is true (I-64).

use std::sync::PoisonError;

use turnstone::testing::inspect::{self, Standing};
use turnstone::{RunOutcome, Store};
use turnstone_engine::oplog::GroupState;

use super::{again, dead, held_back};
use crate::device::Run;
use crate::model::WriteId;
use crate::world::World;

/// Something waits exactly when there is an age of what waits; what is held back is part of what waits.
pub(super) fn shape(world: &mut World, at: usize, standing: Standing) {
    let fits = standing.oldest_pending_at_ms.is_some() == (standing.pending_groups > 0);
    if !fits || standing.parked_groups > standing.pending_groups {
        world.wrong("I-64", format!("device {at} says of itself {standing:?}"));
    }
    if standing.parked_groups > 0 {
        world.saw("write held back");
    }
}

/// What waits is what the file holds of it, at least everything that nobody has decided; dead letters are counted.
pub(super) fn counts(world: &mut World, at: usize, standing: Standing) {
    let Some(Ok(groups)) = world.devices[at].with(inspect::groups) else { return };
    if groups.iter().any(|(_, state)| *state == GroupState::Unheard) {
        world.saw("write passed before its verdict was heard");
    }
    let pending = groups.iter().filter(|(_, state)| state.is_pending()).count() as u64;
    let held = groups.iter().filter(|(_, state)| state.is_held_back()).count() as u64;
    if (pending, held) != (standing.pending_groups, standing.parked_groups) {
        world.wrong("I-64", format!("device {at} holds {pending} pending groups, {held} held back: {standing:?}"));
    }
    if let Some(Ok(letters)) = world.devices[at].with(Store::dead_letters)
        && letters.len() as u64 != standing.dead_letters
    {
        world.wrong("I-64", format!("device {at} has {} dead letters: {standing:?}", letters.len()));
    }
    undecided(world, at, standing);
}

/// A device never says that fewer of its writes wait than nobody has decided.
fn undecided(world: &mut World, at: usize, standing: Standing) {
    // A server that has just died says nothing.
    if !world.server.is_up() {
        return;
    }
    let mut open = std::mem::take(&mut world.devices[at].undecided);
    open.retain(|write| !world.model.was_undone(*write) && !is_decided(world, *write));
    if (open.len() as u64) > standing.pending_groups {
        let letters = dead(world, at);
        let lost = open.iter().filter(|write| !world.model.keys(**write).any(|gid| letters.contains(&gid))).count();
        if lost as u64 > standing.pending_groups {
            world.wrong("I-64", format!("device {at}: nobody has decided {lost} of its writes: {standing:?}"));
        }
    }
    world.devices[at].undecided = open;
}

/// Whether the server has decided a write, also if it does not know that any more, or another one counts in its place.
pub(super) fn is_decided(world: &World, write: WriteId) -> bool {
    world.model.keys(write).any(|gid| world.past.was_undone(gid) || world.server.decided_at(gid).is_some())
        || again::is_excused_of(world, world.model.groups[write].gid)
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
        // A server that has just died says nothing.
        if !world.server.is_up() {
            continue;
        }
        let held = held_back(world, at);
        let mine = |write: &usize| world.model.groups[*write].device == at && !world.model.was_undone(*write);
        let letters = dead(world, at);
        let is_told = |write: &WriteId| world.model.keys(*write).any(|gid| letters.contains(&gid));
        let due = (0..run.groups).filter(mine).filter(|write| !held.contains(write) && !is_told(write));
        if let Some(write) = due.into_iter().find(|write| !is_decided(world, *write)) {
            let gid = world.model.groups[write].gid;
            world.wrong("I-64", format!("device {at} says that everything is synced, and nobody decided {gid}"));
        }
    }
}
