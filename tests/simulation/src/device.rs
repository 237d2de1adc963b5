//! A device of a world: the real store with its real driver, on a disk, a clock and a thread that the world holds.

mod memory;
mod process;
mod time;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Runtime;
use turnstone::testing::inspect;
use turnstone::{Budget, Entropy, Error, RunOutcome, RunReason, Store};
use turnstone_protocol::{Gid, Incarnation};
use turnstone_server::key::Key;
use turnstone_vfs::{Disk, DiskImage};

pub use self::memory::{Attempt, Expected, Outside, Retry, Run};
pub use self::time::{DeviceTime, EPOCH_MS};
use self::time::{Reading, rest};
use crate::front::Poison;
use crate::model::{Restored, WriteId};
use crate::network::Net;
use crate::past::Stands;
use crate::template;

/// How a device is set up for a whole run.
#[derive(Debug, Clone)]
pub struct DeviceSetup {
    /// Its number.
    pub index: usize,
    /// The VFS its disk is mounted as.
    pub vfs: String,
    /// Syncs by itself.
    pub auto: bool,
    /// Groups in a push.
    pub entries_max: usize,
    /// Rows in a page.
    pub rows_max: usize,
    /// Looks for news this often; none: only when it is asked.
    pub poll_ms: Option<u64>,
    /// Its randomness.
    pub seed: u64,
}

/// One device.
pub struct Device {
    /// How it is set up.
    pub setup: DeviceSetup,
    /// Its disk.
    pub disk: Disk,
    /// Its clocks.
    pub time: Arc<DeviceTime>,
    /// The token number it gives out.
    pub token: Arc<AtomicU64>,
    /// The store, while its process lives.
    pub store: Option<Store>,
    runtime: Option<Runtime>,
    /// World time at which the present runtime began.
    born_ms: u64,
    origin: Option<Reading>,
    /// Lives so far.
    pub lives: u64,
    /// Whether a call of its disk failed since it booted.
    pub disk_failed: bool,
    /// Whether it was ever full, or a call failed.
    pub disk_troubled: bool,
    /// Whether its file was opened anew since: what is in its log then may be less durable than it looks.
    in_doubt: bool,
    /// Whether the crash to come takes the power too.
    pub crash_power: bool,
    /// Whether the system has taken its file.
    pub suspended: bool,
    /// Runs in the background, of this life.
    pub runs: Vec<Run>,
    /// The dead letter it was sending again when it died, or its disk failed.
    pub retrying: Option<Retry>,
    /// Its next group is one on which the server chokes.
    pub writes_poison: Option<Poison>,
    /// The write under way when the process died or the disk failed.
    pub unsure: Option<Attempt>,
    /// What must show until the server's word has arrived.
    pub expected: BTreeMap<(&'static str, String, &'static str), (Expected, Gid)>,
    /// Its writes that the server had not decided when it was last asked.
    pub undecided: Vec<WriteId>,
    /// The incarnation it last sent something under.
    pub incarnation: Option<Incarnation>,
    /// Whether the pair was there when it was last looked at: nobody deletes it.
    pub shows_pair: bool,
    /// The farthest position seen.
    pub position: u64,
    /// Another handle on the same file, which was there first.
    pub older: Option<Store>,
    /// The version of its app.
    pub version: u32,
    /// The longest that a server ever asked it to wait.
    pub waits_ms: u64,
    /// Whether it was shut out and has not been told that it may come back.
    pub shut_out: bool,
    /// What is kept outside of its files, where no backup goes; none: nothing is.
    pub witness: Option<Outside>,
    /// Its files at an earlier time, and what they know.
    pub backup: Option<(DiskImage, Restored, Stands)>,
    /// Which history of the server its position is of.
    pub stands: Stands,
    /// Whether it ever stamped a write ahead of time, before it knew better.
    pub dated_ahead: bool,
    /// The boot in which it last moved its position.
    pub anchored_boot: Option<u64>,
    /// Its life and the steps of its disk when it was last looked at.
    pub looked_at: Option<(u64, u64)>,
    /// How often it was looked at after its disk had changed.
    pub looks: u64,
    /// The same, when everything in it was looked at.
    pub searched_at: Option<(u64, u64)>,
    /// Why it could not open, if it could not.
    pub failed: Option<Error>,
    entropy: Entropy,
    net: Net,
    key: Key,
}

impl Device {
    /// Makes a device that is switched off.
    pub fn new(setup: DeviceSetup, disk: Disk, net: &Net, key: Key) -> Self {
        let time = DeviceTime { wall: Mutex::default(), boot: AtomicU64::new(1), booted_ms: AtomicU64::new(0) };
        let entropy = Entropy::seeded(setup.seed);
        Self {
            setup,
            disk,
            time: Arc::new(time),
            token: Arc::default(),
            store: None,
            runtime: None,
            born_ms: 0,
            origin: None,
            lives: 0,
            disk_failed: false,
            disk_troubled: false,
            in_doubt: false,
            crash_power: false,
            suspended: false,
            runs: Vec::new(),
            retrying: None,
            writes_poison: None,
            unsure: None,
            expected: BTreeMap::new(),
            undecided: Vec::new(),
            incarnation: None,
            shows_pair: false,
            position: 0,
            older: None,
            version: 1,
            waits_ms: 0,
            shut_out: false,
            witness: None,
            backup: None,
            stands: Stands::default(),
            anchored_boot: None,
            dated_ahead: false,
            looked_at: None,
            looks: 0,
            searched_at: None,
            failed: None,
            entropy,
            net: net.clone(),
            key,
        }
    }

    /// Begins with a database that is made already.
    pub fn take_template(&mut self) {
        self.disk.restore(&template::device(&self.entropy));
    }

    /// World time as this device has lived it.
    pub fn now_ms(&self, world_ms: u64) -> u64 {
        let Some(runtime) = &self.runtime else { return world_ms };
        let _inside = runtime.enter();
        self.born_ms + self.origin.map_or(0, Reading::ms)
    }

    /// Lets the device live until `until_ms`, and at least until nothing in it can go on by itself.
    pub fn live_until(&mut self, until_ms: u64) -> u64 {
        if self.suspended {
            // A frozen process does nothing.
            return until_ms;
        }
        let Some(runtime) = &self.runtime else { return until_ms };
        let left = until_ms.saturating_sub(self.now_ms(until_ms)).max(1);
        runtime.block_on(rest(left));
        self.now_ms(until_ms)
    }

    /// Asks for a sync; what comes of it is not waited for.
    pub fn ask_sync(&self) {
        let (Some(store), Some(runtime)) = (&self.store, &self.runtime) else { return };
        let store = store.clone();
        drop(runtime.spawn(async move { drop(store.sync_now().await) }));
    }

    /// Asks for a sync, and gives where its end will be told: whether all went well.
    pub fn ask_sync_told(&self) -> Arc<Mutex<Option<bool>>> {
        let told: Arc<Mutex<Option<bool>>> = Arc::default();
        let (Some(store), Some(runtime)) = (&self.store, &self.runtime) else { return told };
        let (store, tells) = (store.clone(), Arc::clone(&told));
        drop(runtime.spawn(async move {
            let went_well = store.sync_now().await.is_ok();
            *tells.lock().unwrap_or_else(PoisonError::into_inner) = Some(went_well);
        }));
        told
    }

    /// Gives it time in the background.
    pub fn give_time(&mut self, ms: u64, bytes_max: Option<u64>, now_ms: u64, groups: usize) {
        let (Some(store), Some(runtime)) = (&self.store, &self.runtime) else { return };
        let told: Arc<Mutex<Option<RunOutcome>>> = Arc::default();
        let (store, tells) = (store.clone(), Arc::clone(&told));
        drop(runtime.spawn(async move {
            let budget = Budget { time: Duration::from_millis(ms), bytes_max };
            if let Ok(report) = store.run_background(budget, RunReason::Scheduled).await {
                *tells.lock().unwrap_or_else(PoisonError::into_inner) = Some(report.outcome);
            }
        }));
        self.runs.push(Run { told, until_ms: now_ms + ms + 1_000, groups });
    }

    /// Runs something inside the device's time.
    pub fn with<T>(&self, work: impl FnOnce(&Store) -> T) -> Option<T> {
        let (Some(store), Some(runtime)) = (&self.store, &self.runtime) else { return None };
        let _inside = runtime.enter();
        Some(work(store))
    }

    /// Where it stands.
    pub fn pulled_to(&self) -> Option<u64> {
        self.with(|store| inspect::position(store).ok()).flatten()
    }
}
