//! Once faults are over everything comes to an end by itself (I-18).

use std::sync::{Arc, Mutex, PoisonError};

use turnstone::testing::inspect;

use super::end::judge;
use crate::device::Device;
use crate::network::PATIENCE_MS;
use crate::world::World;

/// How long a device may take to send what it has, in virtual milliseconds: the longest wait after a failure, for a
/// device whose request was lost just before faults ended, with some room for its batches. It begins when the server
/// no longer asks for patience.
const DRAIN_MS: u64 = 60_000 + PATIENCE_MS + 5_000;

/// How often a group on which the server chokes is tried alone before it is set aside ("Failures", docs/engine.md).
const TRIES_ALONE: u64 = 5;

/// How long a sync that somebody waits for may take on a good network, in virtual milliseconds.
const SYNC_MS: u64 = 2_000;

/// Ends all faults, waits until the world is quiet, and judges it.
pub fn conclude(world: &mut World) {
    world.ends = true;
    world.heal();
    if !world.violations.is_empty() {
        return;
    }
    // Nobody writes, and nobody is asked.
    if !come_to(world, |_| false, sent_by_itself) {
        return world.wrong("I-18", "a device that syncs by itself keeps what it has to send");
    }
    let polls = world.polls;
    if !come_to(world, |device| !device.setup.auto || !polls, is_quiet) {
        return stuck(world);
    }
    if !world.violations.is_empty() {
        return;
    }
    if world.ask_after_writes() {
        world.saw("apps asked after their writes at the end");
    }
    if world.retry_all() {
        world.saw("dead letters sent again at the end");
        // They are sent by themselves, like everything that is written.
        if !come_to(world, |_| false, sent_by_itself)
            || !come_to(world, |device| !device.setup.auto || !polls, is_quiet)
        {
            return stuck(world);
        }
        if !world.violations.is_empty() {
            return;
        }
    }
    // A sync that is asked for obeys a server that asked for patience before faults ended, and waits for an answer that
    // was lost then.
    let until_ms = world.patient_until_ms.max(world.all_is_stable_ms());
    while (world.now_ms < until_ms || world.net.awaits_lost()) && world.violations.is_empty() {
        deliver_all(world);
        world.wait(500);
    }
    let mut stable = world.server_stable();
    syncs_promptly(world);
    if !is_quiet(world) && world.violations.is_empty() {
        // What one sent last the others hear when they are asked again.
        stable = world.server_stable();
        syncs_promptly(world);
    }
    if !world.violations.is_empty() {
        return;
    }
    if !is_quiet(world) {
        return stuck(world);
    }
    judge(world, stable);
}

/// Lets packets arrive and time pass until something holds. False: it still does not.
fn come_to(world: &mut World, is_asked: impl Fn(&Device) -> bool, holds: impl Fn(&World) -> bool) -> bool {
    // A group that the server chokes on for ever is set aside only after some tries, with a wait after each; then the next.
    let tries = (TRIES_ALONE * world.server.front.poisons.len() as u64).max(1);
    let deadline_ms = world.now_ms.max(world.patient_until_ms) + tries * DRAIN_MS;
    let mut next_ask_ms = 0;
    let mut moved = true;
    loop {
        moved |= deliver_all(world);
        // Mostly an answer that arrived makes it hold; a device may also hold back what was written last.
        if !world.violations.is_empty() || (moved && holds(world)) {
            return true;
        }
        moved = false;
        if world.now_ms >= deadline_ms {
            return holds(world);
        }
        if world.now_ms >= next_ask_ms {
            next_ask_ms = world.now_ms + 5_000;
            let head = Some(head(world));
            // Who is through would only hear that there is nothing new.
            let is_behind = |device: &&Device| is_asked(device) && drained_at(device) != head;
            world.devices.iter().filter(is_behind).for_each(Device::ask_sync);
        }
        world.wait(500);
    }
}

/// Everything under way arrives, and what comes of it. Says whether there was anything.
fn deliver_all(world: &mut World) -> bool {
    let mut moved = false;
    while !world.net.is_empty() && world.violations.is_empty() {
        world.deliver(0);
        moved = true;
    }
    moved
}

/// On a good network a sync ends soon, and well.
fn syncs_promptly(world: &mut World) -> bool {
    let deadline_ms = world.now_ms + SYNC_MS;
    let told: Vec<_> = world.devices.iter().map(Device::ask_sync_told).collect();
    let outcome = |told: &Arc<Mutex<Option<bool>>>| *told.lock().unwrap_or_else(PoisonError::into_inner);
    while told.iter().any(|told| outcome(told).is_none()) && world.now_ms < deadline_ms && world.violations.is_empty() {
        deliver_all(world);
        world.wait(100);
    }
    for (at, told) in told.iter().enumerate() {
        if outcome(told) != Some(true) {
            let what = format!("device {at}: a sync on a good network came to {:?} within {SYNC_MS} ms", outcome(told));
            world.wrong("I-18", what);
        }
    }
    world.violations.is_empty()
}

/// Where a device stands, if it waits for nobody but a person.
fn drained_at(device: &Device) -> Option<u64> {
    let standing = device.with(inspect::standing)?.ok()?;
    (standing.pending_groups == standing.parked_groups).then_some(standing.position)
}

fn sent_by_itself(world: &World) -> bool {
    world.devices.iter().all(|device| !device.setup.auto || drained_at(device).is_some())
}

fn is_quiet(world: &World) -> bool {
    let head = head(world);
    world.devices.iter().all(|device| drained_at(device) == Some(head))
}

fn head(world: &World) -> u64 {
    world.server.head().unwrap_or(u64::MAX)
}

/// Says who is not through.
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
