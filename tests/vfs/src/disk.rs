//! A disk that tests hold in their hand.

use crate::damage::Damage;
use crate::fault::Faults;
use crate::image::DiskImage;
use crate::state::{State, Watcher};
use crate::stats::FileStats;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A disk in memory. Cloning the handle gives the same disk; [`Disk::snapshot`] copies the files.
///
/// Several [`crate::Mount`]s may use one disk, as several processes of one machine do.
#[derive(Clone)]
pub struct Disk {
    state: Arc<Mutex<State>>,
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}

impl Disk {
    /// An empty disk that keeps the promise of `SQLITE_IOCAP_POWERSAFE_OVERWRITE`, as SQLite assumes of
    /// every disk by default: bytes next to a write stay whole when the power goes.
    pub fn new() -> Self {
        Self { state: Arc::new(Mutex::new(State::new())) }
    }

    /// A disk with these files, all of them durable.
    pub fn from_image(image: &DiskImage) -> Self {
        let disk = Self::new();
        disk.state().load(image);
        disk
    }

    /// Says whether a torn write may damage the bytes next to it in the same 512-byte sector.
    /// Set it before files are opened: SQLite asks once per file.
    pub fn set_power_safe_overwrite(&self, on: bool) {
        self.state().power_safe = on;
    }

    /// Replaces the faults to come.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// From this step on every call fails, until [`Disk::reboot`] or [`Disk::revive`].
    pub fn crash_at(&self, step: u64) {
        self.state().faults.crash_at = Some(step);
    }

    /// Limits the bytes of all files together; `None` lifts the limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Bytes of all files together, deleted ones that are still open included.
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// True from the crash step on.
    pub fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// The files as they may be found if the power goes now. Changes nothing: ask with several seeds
    /// for several damages of one moment.
    pub fn power_loss(&self, seed: u64) -> DiskImage {
        self.state().power_loss(seed, None)
    }

    /// The same with a damage of the caller's choice.
    pub fn power_loss_with(&self, damage: Damage, seed: u64) -> DiskImage {
        self.state().power_loss(seed, Some(damage))
    }

    /// The power goes and comes back: the disk holds what survived, faults are lifted, and every handle
    /// that was open answers nothing but I/O errors for the rest of its life.
    pub fn reboot(&self, seed: u64) {
        let mut state = self.state();
        let image = state.power_loss(seed, None);
        state.load(&image);
    }

    /// Every process on this disk is killed, the machine lives on: written bytes stay (still not durable),
    /// locks and shared memory go, faults are lifted.
    pub fn revive(&self) {
        let mut state = self.state();
        state.faults = Faults::default();
        state.dead = false;
        state.close_all(None);
    }

    /// The size of a file as programs see it now; none: there is no such file.
    pub fn file_len(&self, name: &str) -> Option<u64> {
        let state = self.state();
        let inode = state.names.get(name)?;
        state.inodes.get(inode).map(|inode| inode.content.len())
    }

    /// The files as programs see them now: what a backup would copy.
    pub fn snapshot(&self) -> DiskImage {
        self.state().visible()
    }

    /// Replaces the files by these, all durable: a restored backup. Open handles die.
    pub fn restore(&self, image: &DiskImage) {
        self.state().load(image);
    }

    /// Steps so far: creates, writes, syncs, truncates, deletes, growth of shared memory.
    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    /// Reads so far.
    pub fn reads(&self) -> u64 {
        self.state().reads
    }

    /// A hash over all steps so far: kind, file, place, length. Equal runs have equal hashes.
    pub fn trace_hash(&self) -> u64 {
        self.state().trace
    }

    /// Calls `watcher` before every step from now on; `None` ends it. It may look, at
    /// [`crate::StepView::power_loss`] for example, but not use the disk in another way.
    pub fn watch_steps(&self, watcher: Option<Watcher>) {
        self.state().watcher = watcher;
    }

    /// Figures per file name, files that are gone included; temporary files under the empty name.
    pub fn stats(&self) -> BTreeMap<String, FileStats> {
        self.state().stats()
    }

    /// 512-byte sectors that a power loss may change now.
    pub fn unsynced_sectors(&self) -> usize {
        self.state().unsynced_sectors()
    }

    /// Handles open now.
    pub fn open_handles(&self) -> usize {
        self.state().handles.len()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state();
        f.debug_struct("Disk")
            .field("files", &state.visible())
            .field("steps", &state.steps)
            .field("dead", &state.dead)
            .finish()
    }
}
