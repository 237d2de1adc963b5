//! Once faults are over everything comes to an end by itself.

use super::end::judge;
use crate::device::Device;
use crate::world::World;

/// How long the world may take to become quiet once its faults are over, in virtual milliseconds: a wait of 60 s, a
/// request that is lost at its start, and looking for news.
const QUIET_MS: u64 = 200_000;

/// Ends all faults, waits until the world is quiet, and judges it.
pub fn conclude(world: &mut World) {
    world.heal();
    if !world.violations.is_empty() {
        return;
    }
    if !world.polls {
        drain(world);
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
            let polls = world.polls;
            for device in world.devices.iter().filter(|device| !device.setup.auto || !polls) {
                device.ask_sync();
            }
        }
        world.wait(500);
    }
    if world.violations.is_empty() {
        judge(world);
    }
}

/// Devices that sync by themselves send what they have without being asked and without looking for news (I-18).
fn drain(world: &mut World) {
    let deadline_ms = world.now_ms + QUIET_MS;
    let is_through = |device: &Device| {
        let status = device.with(turnstone::Store::status);
        !device.setup.auto || matches!(&status, Some(Ok(status)) if status.pending_groups == status.parked_groups)
    };
    loop {
        while !world.net.is_empty() && world.violations.is_empty() {
            world.deliver(0);
        }
        if !world.violations.is_empty() || world.devices.iter().all(is_through) {
            return;
        }
        if world.now_ms >= deadline_ms {
            return world.wrong("I-18", "a device that syncs by itself keeps what it has to send");
        }
        world.wait(1_000);
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
