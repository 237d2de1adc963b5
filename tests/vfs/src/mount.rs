//! A disk under a name that SQLite knows: one process's view of it.

use crate::disk::Disk;
use crate::ffi::Registration;
use crate::rng::{Rng, hash_bytes};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

static NEXT_MOUNT: AtomicU64 = AtomicU64::new(1);

/// What SQLite's busy handler does when it asks the VFS to sleep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sleep {
    /// Count the time and return at once: right for single-threaded, seeded worlds.
    #[default]
    Virtual,
    /// Sleep for real: right when other threads must get on.
    Real,
}

/// What the C callbacks of one registered VFS reach.
pub(crate) struct MountState {
    pub(crate) id: u64,
    disk: Mutex<Disk>,
    rng: Mutex<Rng>,
    pub(crate) unix_ms: AtomicI64,
    slept_us: AtomicU64,
    real_sleep: AtomicU64,
}

impl MountState {
    pub(crate) fn disk(&self) -> Disk {
        let disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        disk.clone()
    }

    pub(crate) fn randomness(&self, buf: &mut [u8]) {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        rng.fill(buf);
    }

    pub(crate) fn sleep(&self, us: u64) {
        self.slept_us.fetch_add(us, Ordering::Relaxed);
        if self.real_sleep.load(Ordering::Relaxed) == 1 {
            real_sleep(Duration::from_micros(us));
        } else {
            std::thread::yield_now();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "SQLite's busy handler asks the VFS to sleep; the home of that is here")]
fn real_sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// A disk registered with SQLite as a VFS: the view of one process.
///
/// Connections opened with [`Mount::name`] as their VFS belong to this process: [`Mount::kill`] ends it.
/// Two mounts of one disk are two processes on one machine, and see each other's locks.
///
/// SQLite gives no sign when the last connection has let go of a VFS, so a dropped mount leaves some
/// 300 bytes behind. A world with thousands of lives keeps its mounts and swaps disks: [`Mount::insert`].
pub struct Mount {
    registration: Registration,
}

impl Mount {
    /// Registers the disk under this name, which must not be in use. Not as the default VFS.
    pub fn new(name: &str, disk: &Disk) -> Self {
        let state = MountState {
            id: NEXT_MOUNT.fetch_add(1, Ordering::Relaxed),
            disk: Mutex::new(disk.clone()),
            rng: Mutex::new(Rng::new(hash_bytes(name.as_bytes()))),
            unix_ms: AtomicI64::new(1_700_000_000_000),
            slept_us: AtomicU64::new(0),
            real_sleep: AtomicU64::new(0),
        };
        Self { registration: Registration::new(name, state) }
    }

    /// The VFS name to open connections with.
    pub fn name(&self) -> &str {
        self.registration.name()
    }

    /// The disk that is mounted now.
    pub fn disk(&self) -> Disk {
        self.state().disk()
    }

    /// Kills the process: its handles die with their locks and shared memory; what it wrote stays as
    /// written (durable or not). New connections may be opened at once.
    pub fn kill(&self) {
        let id = self.state().id;
        self.disk().state().close_all(Some(id));
    }

    /// Kills the process and puts another disk under the name.
    pub fn insert(&self, disk: &Disk) {
        self.kill();
        let mut slot = self.state().disk.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = disk.clone();
    }

    /// Seeds what SQLite gets when it asks this VFS for randomness.
    pub fn set_random_seed(&self, seed: u64) {
        let mut rng = self.state().rng.lock().unwrap_or_else(PoisonError::into_inner);
        *rng = Rng::new(seed);
    }

    /// Sets the time that SQLite's date functions see, in milliseconds since 1970.
    pub fn set_time_ms(&self, unix_ms: i64) {
        self.state().unix_ms.store(unix_ms, Ordering::Relaxed);
    }

    /// Says what sleeping means.
    pub fn set_sleep(&self, sleep: Sleep) {
        let real = u64::from(sleep == Sleep::Real);
        self.state().real_sleep.store(real, Ordering::Relaxed);
    }

    /// Time that busy handlers have slept, in microseconds.
    pub fn slept_us(&self) -> u64 {
        self.state().slept_us.load(Ordering::Relaxed)
    }

    fn state(&self) -> &MountState {
        self.registration.state()
    }
}

impl std::fmt::Debug for Mount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mount").field("name", &self.name()).finish()
    }
}
