//! Which faults a seed has, and how often: each class is on or off per seed, with its own rate.
//!
//! A run with every fault at once hides what a run with few of them shows, so most seeds have some
//! classes switched off. Classes whose feature is still to come are listed at the end of this file.

use serde::{Deserialize, Serialize};

/// The weather of one seed. Rates are per thousand actions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swarm {
    /// How many devices.
    pub devices: u8,
    /// How many of a hundred values come from a small set.
    pub equal_values: u8,
    /// Packets lost.
    pub drop: u16,
    /// Packets doubled.
    pub duplicate: u16,
    /// Packets cut short.
    pub truncate: u16,
    /// Answers replaced by a portal's page.
    pub captive: u16,
    /// Device processes killed between steps.
    pub crash_device: u16,
    /// Devices killed inside a storage step.
    pub crash_device_at: u16,
    /// Devices killed while they take an answer.
    #[serde(default)]
    pub crash_in_answer: u16,
    /// Files put back while a push of what came after them is under way.
    #[serde(default)]
    pub restore_in_push: u16,
    /// Verdicts lost.
    #[serde(default)]
    pub lose_verdicts: u16,
    /// Server processes killed between requests.
    pub crash_server: u16,
    /// Servers killed inside a storage step.
    pub crash_server_at: u16,
    /// Wall clocks that jump.
    pub clock: u16,
    /// Disks that fill.
    pub disk_full: u16,
    /// Storage calls that fail once.
    pub disk_error: u16,
    /// Networks cut.
    pub partition: u16,
    /// Tokens that expire.
    pub expire_token: u16,
    /// Servers that refuse work.
    pub overload: u16,
    /// Whether commits become stable soon, so that devices forget them.
    pub forgets: bool,
    /// Whether creates may be refused, which parks what builds on them.
    pub refusals: bool,
    /// Rows in a page of the server.
    pub page_rows: u8,
    /// Groups the server takes in a push.
    pub push_groups: u8,
    /// Groups a device sends in a push.
    pub batch_groups: u8,
    /// Rows a device asks for.
    pub batch_rows: u8,
    /// Files of devices that are copied and put back.
    #[serde(default)]
    pub restore: u16,
    /// Writes of another tenant.
    #[serde(default)]
    pub neighbour: u16,
    /// How many of the newest rows are written most: few, and devices meet.
    #[serde(default = "eight")]
    pub hot: u8,
    /// Whether devices look for news by themselves.
    #[serde(default = "yes")]
    pub polls: bool,
    /// How many of four packets that arrive are the newest under way, and not the oldest or any: what is late is very late then.
    #[serde(default)]
    pub newest_first: u8,
    /// Apps whose file the system takes.
    #[serde(default)]
    pub suspend: u16,
    /// Time the system gives, and takes back.
    #[serde(default)]
    pub background: u16,
    /// What the system says a device is like.
    #[serde(default)]
    pub conditions: u16,
    /// A server's disk that fails or fills.
    #[serde(default)]
    pub server_disk: u16,
    /// A server's wall clock that is set back.
    #[serde(default)]
    pub server_clock: u16,
    /// Devices that are shut out, and let in again.
    #[serde(default)]
    pub permission: u16,
    /// Files that are opened a second time.
    #[serde(default)]
    pub second_handle: u16,
    /// Devices whose files go on as another device.
    #[serde(default)]
    pub clones: u16,
    /// Apps, and the server, that come back with a newer schema.
    #[serde(default)]
    pub upgrade: u16,
    /// Groups on which the server chokes.
    #[serde(default)]
    pub poison: u16,
    /// Whether it chokes on them for ever.
    #[serde(default)]
    pub poison_stays: bool,
    /// Dead letters that are sent again.
    #[serde(default)]
    pub retry_letter: u16,
    /// Networks that swallow packets.
    #[serde(default)]
    pub hole: u16,
    /// Wall clocks that run slow or fast, or stand still.
    #[serde(default)]
    pub clock_rate: u16,
    /// Backups of the server that are made and put back.
    #[serde(default)]
    pub server_restore: u16,
    /// A server's wall clock that runs ahead or slow, or stands still.
    #[serde(default)]
    pub server_drift: u16,
    /// Whether some rows are merged whole.
    #[serde(default)]
    pub whole_rows: bool,
}

impl Swarm {
    /// Draws the weather of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed_5a3a_0000_0002);
        let mut rate = |most: u16| if rng.bool() { rng.u16(1..=most) } else { 0 };
        let mut swarm = Self {
            devices: 0,
            equal_values: 0,
            drop: rate(60),
            duplicate: rate(60),
            truncate: rate(20),
            captive: rate(15),
            crash_device: rate(20),
            crash_device_at: rate(35),
            crash_in_answer: 0,
            restore_in_push: 0,
            lose_verdicts: 0,
            crash_server: rate(15),
            crash_server_at: rate(15),
            clock: rate(20),
            disk_full: rate(10),
            disk_error: rate(25),
            partition: rate(20),
            expire_token: rate(10),
            overload: rate(10),
            forgets: false,
            refusals: false,
            page_rows: 0,
            push_groups: 0,
            batch_groups: 0,
            batch_rows: 0,
            restore: 0,
            neighbour: 0,
            hot: 8,
            polls: true,
            newest_first: 0,
            suspend: 0,
            background: 0,
            conditions: 0,
            server_disk: 0,
            server_clock: 0,
            permission: 0,
            second_handle: 0,
            clones: 0,
            upgrade: 0,
            poison: 0,
            poison_stays: false,
            retry_letter: 0,
            hole: 0,
            clock_rate: 0,
            server_restore: 0,
            server_drift: 0,
            whole_rows: false,
        };
        // Few devices meet more often: the smallest of three numbers.
        swarm.devices = rng.u8(3..=8).min(rng.u8(3..=8)).min(rng.u8(3..=8));
        swarm.equal_values = rng.u8(0..=80);
        swarm.forgets = rng.bool();
        swarm.refusals = rng.bool();
        // Small pages and batches show much and cost much, those of one most of both.
        let mut small = |most: u8| match rng.u8(..12) {
            0 => 1,
            1 | 2 => rng.u8(2..=most),
            _ => 200,
        };
        swarm.page_rows = small(10);
        swarm.push_groups = small(8);
        swarm.batch_groups = small(6);
        swarm.batch_rows = small(12).max(2);
        let mut rate = |most: u16| if rng.bool() { rng.u16(1..=most) } else { 0 };
        swarm.restore = rate(25);
        swarm.neighbour = rate(20);
        swarm.suspend = rate(20);
        swarm.background = rate(40);
        swarm.conditions = rate(20);
        swarm.server_disk = rate(15);
        swarm.hot = rng.u8(1..=8);
        swarm.polls = rng.bool();
        swarm.newest_first = rng.u8(..=3);
        swarm.server_clock = if rng.bool() { rng.u16(1..=15) } else { 0 };
        let mut rate = |most: u16| if rng.bool() { rng.u16(1..=most) } else { 0 };
        swarm.permission = rate(15);
        swarm.second_handle = rate(10);
        swarm.clones = rate(15);
        swarm.upgrade = rate(15);
        swarm.poison = rate(15);
        swarm.retry_letter = rate(40);
        swarm.hole = rate(20);
        swarm.clock_rate = rate(15);
        swarm.poison_stays = rng.u8(..3) == 0;
        swarm.server_restore = if rng.u8(..4) == 0 { rng.u16(5..=40) } else { 0 };
        // Dice of their own: with or without them, a seed has the same weather in everything else.
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed_5a3a_0000_0004);
        let mut rate = |most: u16| if rng.bool() { rng.u16(1..=most) } else { 0 };
        swarm.crash_in_answer = rate(15);
        swarm.restore_in_push = rate(15);
        swarm.lose_verdicts = rate(30);
        swarm.server_drift = rate(15);
        swarm.whole_rows = rng.bool();
        swarm
    }

    /// Whether a class of faults is on, by the name of its field.
    pub fn has(&self, class: &str) -> bool {
        let fields = serde_json::to_value(self).unwrap_or_default();
        fields.get(class).is_some_and(|rate| rate.as_u64().is_some_and(|rate| rate > 0) || *rate == true)
    }

    /// No faults at all.
    pub fn calm(devices: u8) -> Self {
        Self {
            devices,
            equal_values: 50,
            drop: 0,
            duplicate: 0,
            truncate: 0,
            captive: 0,
            crash_device: 0,
            crash_device_at: 0,
            crash_in_answer: 0,
            restore_in_push: 0,
            lose_verdicts: 0,
            crash_server: 0,
            crash_server_at: 0,
            clock: 0,
            disk_full: 0,
            disk_error: 0,
            partition: 0,
            expire_token: 0,
            overload: 0,
            forgets: false,
            refusals: false,
            page_rows: 200,
            push_groups: 200,
            batch_groups: 200,
            batch_rows: 200,
            restore: 0,
            neighbour: 0,
            hot: 8,
            polls: true,
            newest_first: 0,
            suspend: 0,
            background: 0,
            conditions: 0,
            server_disk: 0,
            server_clock: 0,
            permission: 0,
            second_handle: 0,
            clones: 0,
            upgrade: 0,
            poison: 0,
            poison_stays: false,
            retry_letter: 0,
            hole: 0,
            clock_rate: 0,
            server_restore: 0,
            server_drift: 0,
            whole_rows: false,
        }
    }
}

const fn eight() -> u8 {
    8
}

const fn yes() -> bool {
    true
}

/// Classes that wait, with what they wait for.
pub const TO_COME: &[(&str, &str)] =
    &[("tombstone purge and log compaction on the server", "retention: the server keeps everything")];
