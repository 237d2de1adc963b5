//! The world: devices, a server, a network and time, all of it decided by a list of actions.

mod changes;
mod faults;
mod histories;
mod letters;
mod living;
mod moments;
mod overheard;
mod packets;
mod poison;
mod readings;
mod system;
mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use turnstone::testing::inspect;
use turnstone_protocol::Gid;
use turnstone_vfs::{Disk, Mount};

use self::readings::Readings;
use crate::action::{Action, clock_jump};
use crate::app;
use crate::clock::WallClock;
use crate::device::{Device, DeviceSetup, EPOCH_MS, Outside};
use crate::model::{History, Model, Violation};
use crate::network::Net;
use crate::past::Past;
use crate::reference::Sent;
use crate::server::{Server, ServerSetup};
use crate::swarm::Swarm;
use crate::template;

/// The server's place among the mounts.
const SERVER_MOUNT: usize = 15;

thread_local! {
    // SQLite never lets go of a VFS, so a thread keeps its mounts and swaps the disks.
    static MOUNTS: std::cell::RefCell<BTreeMap<usize, Mount>> = const { std::cell::RefCell::new(BTreeMap::new()) };
}

/// Puts a disk under a name of this thread's own, and gives the name.
fn mount(place: usize, disk: &Disk, seed: u64) -> String {
    static THREADS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    MOUNTS.with_borrow_mut(|mounts| {
        let mount = mounts.entry(place).or_insert_with(|| {
            let name = format!("sim-{}-{place}", THREADS.fetch_add(1, Ordering::Relaxed));
            Mount::new(&name, disk)
        });
        mount.insert(disk);
        mount.set_random_seed(seed);
        mount.name().to_owned()
    })
}

/// Everything there is.
pub struct World {
    /// Virtual milliseconds since the beginning.
    pub now_ms: u64,
    /// The network.
    pub net: Net,
    /// The devices.
    pub devices: Vec<Device>,
    /// The server.
    pub server: Server,
    /// What was acknowledged.
    pub model: Model,
    /// The clocks each group was sent with.
    pub sent: Sent,
    /// A hash of its ops.
    bodies: BTreeMap<Gid, u64>,
    /// The groups the server choked on, or would have.
    pub poisoned: BTreeSet<Gid>,
    /// The ops of dead letters that were sent again: group and place.
    pub retried: BTreeSet<(Gid, usize)>,
    /// Whether every dead letter is sent again once the world is quiet.
    pub retries_all: bool,
    /// Whether it does so for ever.
    pub poison_stays: bool,
    /// What did not hold.
    pub violations: Vec<Violation>,
    /// How often each kind of thing happened.
    pub counters: BTreeMap<&'static str, u64>,
    /// A hash of everything that happened.
    pub trace: u64,
    /// Tells what happens on standard error.
    pub tells: bool,
    /// Its trace is to hold every byte of every disk at the end.
    pub is_exact: bool,
    /// Looks at everything after every step, so that what breaks is seen where it breaks.
    pub looks_hard: bool,
    /// Faults are over, and everything comes to an end.
    pub ends: bool,
    refusals: bool,
    /// Whether some rows are merged whole.
    whole_rows: bool,
    hot: usize,
    newest_first: u8,
    /// Whether a storage call of the server failed: it may say so.
    server_trouble: bool,
    /// Whether one failed since its machine started.
    server_failed: bool,
    /// Whether its process was started anew since: what is in its log then may be less durable than it looks.
    server_in_doubt: bool,
    /// The server's wall clock.
    server_clock: WallClock,
    /// By how much it was ahead at most when it answered: devices take the time from it.
    server_ahead_ms: u64,
    /// The server's wall clock when it made each commit.
    readings: Readings,
    /// Whether devices look for news by themselves.
    pub polls: bool,
    /// Until when the server asked devices to wait.
    pub patient_until_ms: u64,
    /// The last commit of the server when it last answered.
    answered_head: u64,
    /// The histories of the server that have ended.
    pub past: Past,
    /// Whether any may end.
    past_matters: bool,
    rows: Vec<(&'static str, String)>,
    writes: u64,
    steps: u64,
    server_power: bool,
    clones: usize,
    seed: u64,
}

impl World {
    /// Makes the world of a seed; nothing runs in it yet.
    pub fn new(seed: u64, swarm: &Swarm) -> Self {
        let net = Net::default();
        let disk = Disk::new();
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed_0a0a_0000_0003);
        let mut random = [0; 32];
        rng.fill(&mut random);
        if template::is_for(seed) {
            disk.restore(&template::server(random));
        }
        let server = Server::new(
            disk.clone(),
            ServerSetup {
                vfs: mount(SERVER_MOUNT, &disk, rng.u64(..)),
                page_rows_max: usize::from(swarm.page_rows),
                push_groups_max: usize::from(swarm.push_groups),
                stable_after_ms: if swarm.forgets { 20_000 } else { 1 << 40 },
                random,
            },
        );
        let devices = (0..usize::from(swarm.devices))
            .map(|index| {
                let disk = Disk::new();
                let setup = DeviceSetup {
                    index,
                    vfs: mount(index, &disk, rng.u64(..)),
                    auto: rng.u8(..4) > 0,
                    entries_max: usize::from(swarm.batch_groups),
                    rows_max: usize::from(swarm.batch_rows),
                    poll_ms: Some(rng.u64(5_000..40_000)).filter(|_| swarm.polls),
                    seed: rng.u64(..),
                };
                let mut device = Device::new(setup, disk, &net, server.key());
                if template::is_for(seed) {
                    device.take_template();
                }
                if swarm.clones > 0 {
                    device.witness = Some(Outside::default());
                }
                if swarm.clock > 0 && rng.bool() {
                    device.time.wall().jump(EPOCH_MS, clock_jump(&mut rng));
                }
                device
            })
            .collect();
        net.get().cut = vec![false; usize::from(swarm.devices)];
        Self {
            now_ms: 0,
            net,
            devices,
            server,
            model: Model::default(),
            sent: Sent::new(),
            bodies: BTreeMap::new(),
            answered_head: 0,
            past: Past::default(),
            past_matters: swarm.server_restore > 0,
            poisoned: BTreeSet::new(),
            retried: BTreeSet::new(),
            retries_all: swarm.retry_letter > 0,
            poison_stays: swarm.poison_stays,
            violations: Vec::new(),
            counters: BTreeMap::new(),
            trace: seed,
            tells: false,
            is_exact: false,
            looks_hard: false,
            ends: false,
            refusals: swarm.refusals,
            whole_rows: swarm.whole_rows,
            hot: usize::from(swarm.hot.max(1)),
            newest_first: swarm.newest_first,
            server_trouble: false,
            server_failed: false,
            server_in_doubt: false,
            server_clock: WallClock::default(),
            server_ahead_ms: 0,
            readings: Readings::default(),
            polls: swarm.polls,
            patient_until_ms: 0,
            rows: vec![("notes", app::SETTINGS.to_owned())],
            writes: 0,
            steps: 0,
            server_power: false,
            clones: 0,
            seed,
        }
    }

    /// What the server's wall clock reads.
    fn server_ms(&self) -> u64 {
        self.server_clock.reads(self.true_ms())
    }

    /// What a wall clock that is right reads.
    fn true_ms(&self) -> u64 {
        EPOCH_MS + self.now_ms
    }

    /// Up to where devices need not remember what they sent.
    pub fn server_stable(&self) -> u64 {
        self.server.stable(self.server_ms())
    }

    /// When everything of now will be stable, where that is soon.
    pub fn all_is_stable_ms(&self) -> u64 {
        let after_ms = self.server.setup.stable_after_ms;
        if after_ms <= 60_000 { self.now_ms + after_ms + 1_000 } else { self.now_ms }
    }

    /// Everything the server decided, and what its wall clock read then.
    pub fn history(&self) -> Result<History, String> {
        let mut history = self.server.history()?;
        for commit in &mut history.commits {
            (commit.ms, commit.ms_most) = self.readings.of(commit.n).unwrap_or((commit.ms, commit.ms));
        }
        history.words = self.past.words();
        Ok(history)
    }

    /// Counts that something happened.
    pub fn saw(&mut self, what: &'static str) {
        *self.counters.entry(what).or_default() += 1;
    }

    /// Mixes something into the trace.
    pub fn note(&mut self, word: u64) {
        self.trace = (self.trace ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    /// Says that a promise does not hold.
    pub fn wrong(&mut self, invariant: &'static str, what: impl Into<String>) {
        self.violations.push(Violation::new(invariant, what));
    }

    /// Lets one thing happen.
    pub fn step(&mut self, action: &Action) {
        self.steps += 1;
        if self.tells {
            eprintln!("{:>8} ms  {action:?}", self.now_ms);
        }
        match action {
            Action::Create { .. }
            | Action::Set { .. }
            | Action::Add { .. }
            | Action::Delete { .. }
            | Action::Pair { .. }
            | Action::Settings { .. }
            | Action::FailingWrite { .. } => self.app(action),
            Action::RetryLetter { .. } => self.mend(action),
            Action::Sync { device } => self.ask(*device, Device::ask_sync),
            Action::Poke { device } => self.ask(*device, |device| _ = device.with(turnstone::Store::poke)),
            Action::Suspend { .. } | Action::Background { .. } | Action::Expire { .. } | Action::Conditions { .. } => {
                self.system(action)
            }
            Action::Permission { .. }
            | Action::SecondHandle { .. }
            | Action::Clone { .. }
            | Action::Upgrade { .. }
            | Action::UpgradeServer => self.change(action),
            Action::BackUpServer | Action::RestoreServer { .. } => self.history_turns(action),
            Action::Pass { ms } => self.pass(u64::from(*ms)),
            Action::Deliver { packet } => self.deliver_one(*packet),
            Action::Drop { packet } | Action::Duplicate { packet } | Action::Captive { packet } => {
                self.meddle(action, *packet);
            }
            Action::Truncate { packet, .. } => self.meddle(action, *packet),
            Action::CrashInAnswer { .. } | Action::RestoreInPush { .. } | Action::LoseVerdicts { .. } => {
                self.at_a_moment(action);
            }
            _ => self.fault(action),
        }
        self.note(self.net.len() as u64);
        crate::check::under_way(self);
    }

    /// Something is asked of a device that is on.
    fn ask(&mut self, device: u8, what: impl FnOnce(&Device)) {
        let at = self.device(device);
        if self.up(at) {
            what(&self.devices[at]);
            self.touch(at);
        }
    }

    fn device(&self, index: u8) -> usize {
        usize::from(index) % self.devices.len()
    }

    fn dice(&mut self) -> u64 {
        self.writes += 1;
        self.seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(self.writes)
    }

    /// What a device says must hold and does not.
    pub fn faults_of(&self, at: usize) -> Vec<String> {
        match self.devices[at].with(inspect::faults) {
            Some(Ok(faults)) => faults,
            Some(Err(_)) | None => Vec::new(),
        }
    }
}
