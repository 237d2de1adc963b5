//! What may happen in a world, as data: a run is a seed's list of actions, and nothing else.
//!
//! Every index is taken modulo what exists when the action runs, so any sub-list is a valid run too:
//! that is what makes shrinking possible.

use serde::{Deserialize, Serialize};

use crate::swarm::Swarm;

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// A device makes a row.
    Create { device: u8, table: u8, value: i64 },
    /// A device sets one field of a row it sees.
    Set { device: u8, row: u16, field: u8, value: i64, by_sql: bool },
    /// A device moves a counter.
    Add { device: u8, row: u16, by: i64 },
    /// A device deletes a row it sees.
    Delete { device: u8, row: u16, by_sql: bool },
    /// A device writes the same value into every row of the `pairs` table, in one group.
    Pair { device: u8, value: i64 },
    /// Every device's app makes the same settings row on first launch.
    Settings { device: u8, value: i64 },
    /// A write that fails in the middle and must leave no trace.
    FailingWrite { device: u8, row: u16 },
    /// The app asks for a sync.
    Sync { device: u8 },
    /// Time passes everywhere.
    Pass { ms: u32 },
    /// A packet under way arrives.
    Deliver { packet: u16 },
    /// A packet under way is lost.
    Drop { packet: u16 },
    /// A packet under way arrives twice.
    Duplicate { packet: u16 },
    /// A packet under way loses its end.
    Truncate { packet: u16, keep: u16 },
    /// A captive portal answers a device's request with a page.
    Captive { packet: u16 },
    /// A device's process dies, or its power goes; it starts again at its next action.
    CrashDevice {
        device: u8,
        #[serde(default)]
        power: bool,
    },
    /// A device dies at a storage step of what it does next, with power loss or without.
    CrashDeviceAt { device: u8, step: u8, power: bool },
    /// A device dies at a storage step of what it does with an answer under way, with power loss or without.
    CrashInAnswer { packet: u16, step: u8, power: bool },
    /// A device's files are put back while a push of its later life is under way, which arrives after its greeting.
    RestoreInPush { device: u8, value: i64 },
    /// The verdicts of a push are lost on their way back, which the device finds out by waiting, and it hears of news.
    LoseVerdicts { packet: u16 },
    /// The server's process dies and starts again.
    CrashServer,
    /// The server dies at a storage step of the next request.
    CrashServerAt { step: u8, power: bool },
    /// A device's wall clock jumps.
    Clock { device: u8, ms: i64 },
    /// A device's wall clock goes wrong from now on: so many of its milliseconds pass in a second. None: it stands still.
    ClockRate { device: u8, per_mille: u16 },
    /// A device's disk fills or is freed.
    Disk { device: u8, full: bool },
    /// One storage call of a device fails.
    DiskError { device: u8, step: u8 },
    /// A device loses its network, or gets it back.
    Partition { device: u8, cut: bool },
    /// What a device sends vanishes, or what is sent to it, or both, also what is under way; or nothing does any more.
    Hole { device: u8, up: bool, down: bool },
    /// The tokens a device holds expire.
    ExpireToken { device: u8 },
    /// The server refuses work for a while: it cannot, or there were too many requests.
    Overload {
        ms: u32,
        #[serde(default)]
        too_many: bool,
    },
    /// Somebody copies a device's files.
    Backup { device: u8 },
    /// A device's files become what they were when they were copied.
    Restore { device: u8 },
    /// Another tenant of the same server writes.
    Neighbour,
    /// A push message says that there is news.
    Poke { device: u8 },
    /// The system takes the file from an app; it goes on at its next action.
    Suspend { device: u8 },
    /// The system gives an app time: so long, so many bytes.
    Background { device: u8, ms: u32, bytes: Option<u16> },
    /// It takes that time back.
    Expire { device: u8 },
    /// The system says what a device is like, rightly or not: each bit one of the conditions.
    Conditions { device: u8, bits: u8 },
    /// The server's disk fills or is freed.
    ServerDisk { full: bool },
    /// The server's wall clock is set back, by less than before or by more.
    ServerClock { back_ms: u32 },
    /// It is set ahead of the true time.
    ServerClockAhead { ms: u32 },
    /// It goes wrong from now on: so many of its milliseconds pass in a second. None: it stands still.
    ServerClockRate { per_mille: u16 },
    /// One storage call of the server fails.
    ServerDiskError { step: u8 },
    /// The server takes no token of a device any more, or does not allow it anything; or it does again.
    Permission { device: u8, granted: bool, forbidden: bool },
    /// Somebody opens a device's file again and writes; who has it open finds out at its next write.
    SecondHandle { device: u8, value: i64 },
    /// A device's files are copied to a new device, and both go on.
    Clone { device: u8 },
    /// A device's app comes back with the newer schema.
    Upgrade { device: u8 },
    /// The server does.
    UpgradeServer,
    /// What stands before the server chokes on the next group a device writes, and on all that is sent with it.
    Poison { device: u8, kind: u8 },
    /// It swallows what it choked on.
    Heal,
    /// Somebody copies the server's files.
    BackUpServer,
    /// They become what they were in the newest copy, or in one before; and the server is told so, or not.
    RestoreServer { older: bool, told: bool },
    /// Somebody sends a dead letter of a device again, and edits its row at once.
    RetryLetter { device: u8, letter: u8, edit: Option<i64> },
}

/// How many devices may come to be from the files of others.
pub const CLONES_MAX: u8 = 2;

/// Draws a run from a seed.
pub fn draw(seed: u64, steps: usize, swarm: &Swarm) -> Vec<Action> {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed_ac71_0000_0001);
    (0..steps).map(|_| one(&mut rng, swarm)).collect()
}

fn one(rng: &mut fastrand::Rng, swarm: &Swarm) -> Action {
    // Clones come after the others.
    let device = rng.u8(..if swarm.clones > 0 { swarm.devices + CLONES_MAX } else { swarm.devices });
    if let Some(fault) = fault(rng, swarm, device) {
        return fault;
    }
    let value = value(rng, swarm);
    // Many deliveries: what nobody delivered here is delivered once faults are over, where it shows less.
    match rng.u8(..100) {
        0..=5 => Action::Create { device, table: rng.u8(..), value },
        6..=19 => Action::Set { device, row: rng.u16(..), field: rng.u8(..), value, by_sql: rng.u8(..4) == 0 },
        20..=24 => Action::Add { device, row: rng.u16(..), by: rng.i64(-3..10) },
        25..=30 => Action::Delete { device, row: rng.u16(..), by_sql: rng.bool() },
        31..=33 => Action::Pair { device, value },
        34 => Action::Settings { device, value },
        35 => Action::FailingWrite { device, row: rng.u16(..) },
        36..=44 => Action::Sync { device },
        45..=47 => Action::Poke { device },
        48..=52 => Action::Pass { ms: rng.u32(..5_000) },
        53..=54 => Action::Pass { ms: rng.u32(..120_000) },
        _ => Action::Deliver { packet: rng.u16(..) },
    }
}

/// Few values, so that equal writes and A -> B -> A happen; now and then a fresh one.
fn value(rng: &mut fastrand::Rng, swarm: &Swarm) -> i64 {
    if rng.u8(..100) < swarm.equal_values { rng.i64(1..=3) } else { rng.i64(10..1_000_000) }
}

fn fault(rng: &mut fastrand::Rng, swarm: &Swarm, device: u8) -> Option<Action> {
    let packet = rng.u16(..);
    let rates = [
        (swarm.drop, Action::Drop { packet }),
        (swarm.duplicate, Action::Duplicate { packet }),
        (swarm.truncate, Action::Truncate { packet, keep: rng.u16(..) }),
        (swarm.captive, Action::Captive { packet }),
        (swarm.crash_device, Action::CrashDevice { device, power: rng.bool() }),
        (swarm.crash_device_at, Action::CrashDeviceAt { device, step: rng.u8(..), power: rng.bool() }),
        (swarm.crash_in_answer, Action::CrashInAnswer { packet, step: rng.u8(..), power: rng.bool() }),
        (swarm.restore_in_push, restore_in_push(rng, device)),
        (swarm.lose_verdicts, Action::LoseVerdicts { packet }),
        (swarm.crash_server, Action::CrashServer),
        (swarm.crash_server_at, Action::CrashServerAt { step: rng.u8(..), power: rng.bool() }),
        (swarm.clock, Action::Clock { device, ms: clock_jump(rng) }),
        (swarm.disk_full, Action::Disk { device, full: rng.bool() }),
        (swarm.disk_error, Action::DiskError { device, step: rng.u8(..) }),
        (swarm.partition, Action::Partition { device, cut: rng.bool() }),
        (swarm.expire_token, Action::ExpireToken { device }),
        (swarm.overload, Action::Overload { ms: rng.u32(..20_000), too_many: rng.bool() }),
        (swarm.restore, if rng.bool() { Action::Backup { device } } else { Action::Restore { device } }),
        (swarm.neighbour, Action::Neighbour),
        (swarm.suspend, Action::Suspend { device }),
        (swarm.background, background(rng, device)),
        (swarm.conditions, Action::Conditions { device, bits: rng.u8(..) }),
        (swarm.server_disk, server_disk(rng)),
        (swarm.server_clock, Action::ServerClock { back_ms: rng.u32(..120_000) }),
        (swarm.permission, Action::Permission { device, granted: rng.bool(), forbidden: rng.bool() }),
        (swarm.second_handle, Action::SecondHandle { device, value: rng.i64(10..1_000_000) }),
        (swarm.clones, Action::Clone { device }),
        (swarm.upgrade, if rng.u8(..3) == 0 { Action::UpgradeServer } else { Action::Upgrade { device } }),
        (swarm.poison, if rng.u8(..6) == 0 { Action::Heal } else { Action::Poison { device, kind: rng.u8(..) } }),
        (swarm.retry_letter, retry_letter(rng, device)),
        (swarm.hole, Action::Hole { device, up: rng.bool(), down: rng.bool() }),
        (swarm.clock_rate, Action::ClockRate { device, per_mille: clock_rate(rng) }),
        (swarm.server_restore, server_restore(packet)),
        (swarm.server_drift, server_drift(packet)),
    ];
    // One draw decides, so that adding a class changes no other class's rate.
    let mut dice = rng.u16(..1_000);
    for (rate, action) in rates {
        if dice < rate {
            return Some(action);
        }
        dice -= rate;
    }
    None
}

fn background(rng: &mut fastrand::Rng, device: u8) -> Action {
    let bytes = rng.bool().then(|| rng.u16(..4_000));
    if rng.u8(..4) == 0 {
        Action::Expire { device }
    } else {
        Action::Background { device, ms: rng.u32(..30_000), bytes }
    }
}

fn restore_in_push(rng: &mut fastrand::Rng, device: u8) -> Action {
    if rng.bool() { Action::Backup { device } } else { Action::RestoreInPush { device, value: rng.i64(10..1_000_000) } }
}

fn server_disk(rng: &mut fastrand::Rng) -> Action {
    match rng.u8(..3) {
        0 => Action::ServerDisk { full: rng.bool() },
        _ => Action::ServerDiskError { step: rng.u8(..) },
    }
}

/// No draw of its own: that would make other worlds of all seeds.
fn server_restore(dice: u16) -> Action {
    match dice % 8 {
        0..=3 => Action::BackUpServer,
        pick => Action::RestoreServer { older: (dice / 8).is_multiple_of(3), told: pick > 4 },
    }
}

/// No draw of its own either. It is never so far ahead that a new token would have expired.
fn server_drift(dice: u16) -> Action {
    let pick = dice / 4;
    match dice % 4 {
        0 => Action::ServerClockRate { per_mille: 0 },
        1 => Action::ServerClockRate { per_mille: 990 + pick % 21 },
        2 => Action::ServerClockRate { per_mille: 300 + pick % 700 },
        _ => Action::ServerClockAhead { ms: u32::from(dice) * 2 },
    }
}

fn retry_letter(rng: &mut fastrand::Rng, device: u8) -> Action {
    let edit = rng.bool().then(|| rng.i64(10..1_000_000));
    Action::RetryLetter { device, letter: rng.u8(..), edit }
}

/// It stands still, is wrong as oscillators are, or as broken ones.
fn clock_rate(rng: &mut fastrand::Rng) -> u16 {
    match rng.u8(..4) {
        0 => 0,
        1 => rng.u16(990..=1_010),
        _ => rng.u16(..4_000),
    }
}

pub(crate) fn clock_jump(rng: &mut fastrand::Rng) -> i64 {
    const YEAR: i64 = 365 * 86_400_000;
    match rng.u8(..4) {
        0 => rng.i64(-10 * YEAR..10 * YEAR),
        1 => rng.i64(-3_600_000..3_600_000),
        _ => rng.i64(-5_000..5_000),
    }
}
