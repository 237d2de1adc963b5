//! Everything one disk knows: files, names, open handles, counters. Safe code; the C side is `ffi/`.

use crate::content::Content;
use crate::fault::{Faults, Ruling, StepKind};
use crate::locks::{Level, ShmLocks};
use crate::rng::{hash_bytes, mix};
use crate::shm::Region;
use crate::stats::FileStats;
use std::collections::BTreeMap;
use std::ffi::c_int;
use std::sync::Arc;

pub(crate) type Outcome<T> = Result<T, c_int>;

/// Sees every step of a disk before it happens.
pub type Watcher = Box<dyn FnMut(&StepView<'_>) + Send>;

#[derive(Debug)]
pub(crate) struct Inode {
    pub(crate) name: Arc<str>,
    pub(crate) content: Content,
    pub(crate) stats: FileStats,
    pub(crate) shm: Vec<Arc<Region>>,
}

#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) mount: u64,
    pub(crate) inode: u32,
    pub(crate) level: Level,
    pub(crate) shm: Option<ShmLocks>,
    /// The next sync also syncs the folder.
    pub(crate) dir_sync: bool,
    pub(crate) read_only: bool,
}

/// A name that was created or removed since its folder was synced.
#[derive(Clone, Debug)]
pub(crate) struct NameChange {
    pub(crate) step: u64,
    pub(crate) name: Arc<str>,
    pub(crate) was: Option<u32>,
}

pub(crate) struct State {
    pub(crate) inodes: BTreeMap<u32, Inode>,
    pub(crate) names: BTreeMap<Arc<str>, u32>,
    pub(crate) name_changes: Vec<NameChange>,
    pub(crate) handles: BTreeMap<u64, Open>,
    pub(crate) faults: Faults,
    pub(crate) dead: bool,
    pub(crate) power_safe: bool,
    pub(crate) capacity: Option<u64>,
    pub(crate) steps: u64,
    pub(crate) reads: u64,
    pub(crate) trace: u64,
    pub(crate) watcher: Option<Watcher>,
    pub(crate) past_stats: BTreeMap<Arc<str>, FileStats>,
    pub(crate) used: u64,
    pub(crate) next_handle: u64,
    next_inode: u32,
}

/// A step that is about to happen, and the disk as it is just before.
pub struct StepView<'a> {
    /// Its number, counted from 1.
    pub step: u64,
    /// Its kind.
    pub kind: StepKind,
    /// The file it touches; empty for a temporary file.
    pub file: &'a str,
    pub(crate) state: &'a State,
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            inodes: BTreeMap::new(),
            names: BTreeMap::new(),
            name_changes: Vec::new(),
            handles: BTreeMap::new(),
            faults: Faults::default(),
            dead: false,
            power_safe: true,
            capacity: None,
            steps: 0,
            reads: 0,
            trace: 0,
            watcher: None,
            past_stats: BTreeMap::new(),
            used: 0,
            next_handle: 1,
            next_inode: 1,
        }
    }

    /// Counts a step, shows it to the watcher and asks the faults about it.
    pub(crate) fn begin(&mut self, kind: StepKind, file: &Arc<str>, at: (u64, u64), growth: u64) -> Ruling {
        self.steps += 1;
        let step = self.steps;
        for word in [kind as u64, hash_bytes(file.as_bytes()), at.0, at.1] {
            self.trace = mix(self.trace, word);
        }
        if let Some(mut watcher) = self.watcher.take() {
            watcher(&StepView { step, kind, file, state: self });
            self.watcher = Some(watcher);
        }
        let ruling = self.faults.rule(step, kind, growth > 0);
        self.dead |= self.faults.crash_at.is_some_and(|crash| step >= crash);
        let over = self.capacity.is_some_and(|capacity| growth > 0 && self.used + growth > capacity);
        if over && ruling == Ruling::Go {
            return Faults::refuse_for_space(kind);
        }
        ruling
    }

    pub(crate) fn finish(&self, kind: StepKind, ruling: Ruling) -> Outcome<()> {
        match ruling {
            _ if self.dead => Err(kind.io_error()),
            Ruling::Go => Ok(()),
            Ruling::Half(code) | Ruling::Refuse(code) => Err(code),
        }
    }

    /// The handle, unless its process or its disk has died.
    pub(crate) fn live(&mut self, id: u64, code: c_int) -> Outcome<&mut Open> {
        if self.dead {
            return Err(code);
        }
        self.handles.get_mut(&id).ok_or(code)
    }

    pub(crate) fn file(&mut self, id: u64, code: c_int) -> Outcome<&mut Inode> {
        let inode = self.live(id, code)?.inode;
        self.inodes.get_mut(&inode).ok_or(code)
    }

    pub(crate) fn add_file(&mut self, name: Arc<str>, content: Content) -> u32 {
        let id = self.next_inode;
        self.next_inode += 1;
        self.used += content.len();
        self.inodes.insert(id, Inode { name, content, stats: FileStats::default(), shm: Vec::new() });
        id
    }

    pub(crate) fn stats(&self) -> BTreeMap<String, FileStats> {
        let mut all: BTreeMap<String, FileStats> = BTreeMap::new();
        let live = self.inodes.values().map(|inode| (&inode.name, &inode.stats));
        for (name, stats) in self.past_stats.iter().chain(live) {
            all.entry(name.to_string()).or_default().add(stats);
        }
        all
    }

    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// Forgets all files and handles; counters go on.
    pub(crate) fn clear(&mut self) {
        for inode in std::mem::take(&mut self.inodes).into_values() {
            self.past_stats.entry(inode.name).or_default().add(&inode.stats);
        }
        self.names.clear();
        self.name_changes.clear();
        self.handles.clear();
        self.used = 0;
        self.dead = false;
        self.faults = Faults::default();
    }
}
