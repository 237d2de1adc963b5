//! A device of a world: the real store with its real driver, on a disk, a clock and a thread that the world holds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use turnstone::testing::inspect;
use turnstone::{
    Budget, Clock, Entropy, Error, Options, Remote, RunOutcome, RunReason, Store, TokenError, TokenReason, Witness,
    WitnessError,
};
use turnstone_engine::oplog::{GroupState, Moment};
use turnstone_protocol::{Gid, Incarnation};
use turnstone_server::key::Key;
use turnstone_vfs::{Disk, DiskImage};

use crate::app;
use crate::clock::WallClock;
use crate::front::Poison;
use crate::model::{ModelOp, Restored, WriteId};
use crate::network::{Link, Net};
use crate::past::Stands;
use crate::server::Server;
use crate::template;
use crate::work::Work;

/// The wall clock of the world when it begins.
pub const EPOCH_MS: u64 = 1_750_000_000_000;

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

/// What the device's clocks read; shared with the store.
pub struct DeviceTime {
    /// The wall clock.
    pub wall: Mutex<WallClock>,
    /// Which boot this is.
    pub boot: AtomicU64,
    /// When it booted, in world time.
    pub booted_ms: AtomicU64,
}

impl DeviceTime {
    /// The wall clock, to read or to meddle with.
    pub fn wall(&self) -> MutexGuard<'_, WallClock> {
        self.wall.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A write whose fate the app does not know.
#[derive(Clone)]
pub struct Attempt {
    /// The app's key.
    pub write_id: String,
    /// What was to be written.
    pub work: Work,
    /// What it came to when the closure last ran: if a run was saved, it is that one.
    pub ops: Vec<ModelOp>,
    /// Where the device stood.
    pub position: u64,
    /// The life of the process in which an error was returned, if it was that and never anything else.
    pub refused_in: Option<u64>,
    /// Whether the process died in it once, or after it had failed: it may have been saved then, whatever a repetition says.
    pub may_be_saved: bool,
}

impl Attempt {
    /// Something to be written for the first time.
    pub fn new(write_id: String, work: Work, position: u64) -> Self {
        Self { write_id, work, ops: Vec::new(), position, refused_in: None, may_be_saved: false }
    }
}

/// A dead letter that is sent again, until it is known what came of it.
pub struct Retry {
    /// The group it is a letter of.
    pub gid: Gid,
    /// The op of it; none: all of them.
    pub place: Option<usize>,
    /// What the file held before.
    pub before: Vec<(Gid, GroupState)>,
    /// Where the device stood.
    pub position: u64,
    /// Whether the app was told that it worked.
    pub told: bool,
}

/// Time the system gave.
pub struct Run {
    /// What came of it, once something did.
    pub told: Arc<Mutex<Option<RunOutcome>>>,
    /// When it must be over, in world time, as long as its process lives and its file is not taken.
    pub until_ms: u64,
    /// How many groups there were when it began.
    pub groups: usize,
}

/// Something that must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The field shows this.
    Value(i64),
    /// The row does not show.
    Gone,
}

impl Expected {
    /// Whether a field that shows this is as expected; none: the row does not show.
    pub fn is(self, shown: Option<Option<i64>>) -> bool {
        match self {
            Self::Value(value) => shown == Some(Some(value)),
            Self::Gone => shown.is_none(),
        }
    }
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

    /// The app ends as it should.
    pub fn quit(&mut self) {
        self.runtime = None;
        self.store = None;
    }

    /// Starts the app if it is not running. Returns whether it runs.
    pub fn start(&mut self, now_ms: u64) -> bool {
        if self.store.is_some() {
            return self.resume();
        }
        let runtime =
            Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime of one thread");
        self.born_ms = now_ms;
        self.lives += 1;
        let opened = {
            let _inside = runtime.enter();
            let origin = Reading::begin();
            self.origin = Some(origin);
            Store::open(self.options(&runtime, origin))
        };
        match opened {
            Ok(store) => {
                self.store = Some(store);
                self.runtime = Some(runtime);
                self.failed = None;
                true
            }
            Err(error) => {
                self.in_doubt |= self.disk_failed;
                self.failed = Some(error);
                false
            }
        }
    }

    /// Opens the file once more. The handle that was there stays, as [`Device::older`].
    pub fn open_again(&mut self) -> bool {
        let (Some(runtime), Some(origin)) = (&self.runtime, self.origin) else { return false };
        let opened = {
            let _inside = runtime.enter();
            Store::open(self.options(runtime, origin))
        };
        let Ok(again) = opened else { return false };
        self.older = self.store.replace(again);
        // Nobody asks the older handle any more when its time is over.
        self.runs.clear();
        self.in_doubt |= self.disk_failed;
        true
    }

    /// Lets go of the older handle.
    pub fn drop_older(&mut self) {
        let (Some(older), Some(runtime)) = (self.older.take(), &self.runtime) else { return };
        let _inside = runtime.enter();
        drop(older);
    }

    /// Lets go of the file, as the system asks before it freezes an app.
    pub fn suspend(&mut self) {
        let let_go = self.with(Store::suspend);
        self.suspended = let_go.is_some();
        self.in_doubt |= self.disk_failed;
        // A sync or a run under way is ended with it, and whoever waited is told so.
        self.runs.clear();
    }

    fn resume(&mut self) -> bool {
        if self.suspended {
            if let Some(Err(error)) = self.with(Store::resume) {
                self.failed = Some(error);
                return false;
            }
            self.suspended = false;
        }
        true
    }

    fn options(&self, runtime: &Runtime, origin: Reading) -> Options {
        let (time, born_ms) = (Arc::clone(&self.time), self.born_ms);
        let world_ms = move || EPOCH_MS + born_ms + origin.ms();
        let clock_ms = world_ms;
        let clock = Clock::virtual_time(move || {
            let now_ms = clock_ms();
            let boot = time.boot.load(Ordering::Relaxed);
            Moment {
                wall_ms: time.wall().reads(now_ms),
                boot_id: u128::from(boot).to_be_bytes(),
                boot_ms: now_ms.saturating_sub(EPOCH_MS + time.booted_ms.load(Ordering::Relaxed)),
            }
        });
        let (token, key, index) = (Arc::clone(&self.token), self.key.clone(), self.setup.index);
        let tokens = move |reason: TokenReason| {
            if reason != TokenReason::First {
                token.fetch_add(1, Ordering::Relaxed);
            }
            Server::mint(&key, index, token.load(Ordering::Relaxed), world_ms()).map_err(|_| TokenError::Later)
        };
        let options = Options::new("/app.db", app::schema(self.version));
        let options = match &self.witness {
            Some(outside) => options.witness(outside.clone()),
            None => options,
        };
        options
            .vfs(self.setup.vfs.clone())
            .clock(clock)
            .entropy(self.entropy.clone())
            .auto_sync(self.setup.auto)
            .poll_every(self.setup.poll_ms.map(Duration::from_millis))
            .batches(self.setup.entries_max, self.setup.rows_max)
            .on_one_thread(runtime.handle().clone())
            .remote(Remote::custom(Link::new(&self.net, self.setup.index), tokens))
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

    /// The process ends, at once and without a word. The disk's handles die by `kill`.
    pub fn kill(&mut self, power_seed: Option<u64>, now_ms: u64) {
        // docs/reliability.md, known limit: a commit whose sync failed, the file opened anew, then power loss.
        match power_seed.filter(|_| !self.in_doubt) {
            Some(seed) => {
                self.disk_failed = false;
                self.disk.reboot(seed);
                self.time.boot.fetch_add(1, Ordering::Relaxed);
                self.time.booted_ms.store(now_ms, Ordering::Relaxed);
            }
            None => self.disk.revive(),
        }
        self.in_doubt = self.disk_failed;
        // Tasks first: they hold the store's parts, and must not run once more.
        self.runtime = None;
        self.store = None;
        self.older = None;
        self.suspended = false;
        self.runs.clear();
    }

    /// Where it stands.
    pub fn pulled_to(&self) -> Option<u64> {
        self.with(|store| inspect::position(store).ok()).flatten()
    }
}

/// A text outside of a device's files.
#[derive(Clone, Default)]
pub struct Outside(Arc<Mutex<Option<String>>>);

impl Witness for Outside {
    fn read(&self) -> Result<Option<String>, WitnessError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn write(&self, token: &str) -> Result<(), WitnessError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.to_owned());
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "the paused clock of a simulated device")]
async fn rest(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// Reads the paused clock of the runtime it was begun in.
#[derive(Clone, Copy)]
struct Reading(Instant);

impl Reading {
    #[expect(clippy::disallowed_methods, reason = "the paused clock of a simulated device")]
    fn begin() -> Self {
        Self(Instant::now())
    }

    fn ms(self) -> u64 {
        if tokio::runtime::Handle::try_current().is_err() {
            // The process is being taken down: nothing that is written now is seen by anybody.
            return 0;
        }
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
