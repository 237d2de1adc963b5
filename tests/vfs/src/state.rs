//! Everything one disk knows: files, names, open handles, counters. Safe code; the C side is `ffi/`.
//!
//! Names and contents become durable apart from each other, as POSIX has it: a sync makes a file's
//! bytes durable, while a created or deleted name waits for a sync of its folder. As in SQLite's unix
//! VFS, that comes with the first sync of a freshly opened journal or WAL, or with a delete that asks
//! for it; the sync of a main database makes no name durable (more pessimistic than ext4).

use crate::content::Content;
use crate::fault::{Faults, Ruling, StepKind};
use crate::locks::{Level, ShmLocks};
use crate::rng::{hash_bytes, mix};
use crate::shm::Region;
use crate::stats::FileStats;
use rusqlite::ffi;
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
    dir_sync: bool,
    read_only: bool,
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
    past_stats: BTreeMap<Arc<str>, FileStats>,
    used: u64,
    next_handle: u64,
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

    fn finish(&self, kind: StepKind, ruling: Ruling) -> Outcome<()> {
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

    /// Opens a file; `name` is `None` for a temporary one. Gives the handle's id.
    pub(crate) fn open(&mut self, mount: u64, name: Option<&str>, flags: c_int) -> Outcome<u64> {
        let refused = ffi::SQLITE_CANTOPEN;
        if self.dead {
            return Err(refused);
        }
        let has = |flag: c_int| flags & flag != 0;
        let found = name.and_then(|name| self.names.get(name).copied());
        let inode = match found {
            Some(_) if has(ffi::SQLITE_OPEN_CREATE) && has(ffi::SQLITE_OPEN_EXCLUSIVE) => {
                return Err(refused);
            }
            Some(inode) => inode,
            None if !has(ffi::SQLITE_OPEN_CREATE) => return Err(refused),
            None => self.create(name)?,
        };
        if has(ffi::SQLITE_OPEN_DELETEONCLOSE)
            && let Some(name) = name
        {
            self.unlink(name);
        }
        let journal = ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL | ffi::SQLITE_OPEN_WAL;
        let id = self.next_handle;
        self.next_handle += 1;
        self.handles.insert(
            id,
            Open {
                mount,
                inode,
                level: Level::None,
                shm: None,
                dir_sync: has(ffi::SQLITE_OPEN_CREATE) && has(journal),
                read_only: has(ffi::SQLITE_OPEN_READONLY),
            },
        );
        Ok(id)
    }

    fn create(&mut self, name: Option<&str>) -> Outcome<u32> {
        let shared: Arc<str> = Arc::from(name.unwrap_or_default());
        let ruling = self.begin(StepKind::Create, &shared, (0, 0), 0);
        if matches!(ruling, Ruling::Refuse(_)) {
            self.finish(StepKind::Create, ruling)?;
        }
        let inode = self.add_file(shared.clone(), Content::default());
        if name.is_some() {
            self.name_changes.push(NameChange { step: self.steps, name: shared.clone(), was: None });
            self.names.insert(shared, inode);
        }
        let outcome = self.finish(StepKind::Create, ruling);
        if outcome.is_err() {
            self.forget_if_unused(inode);
        }
        outcome.map(|()| inode)
    }

    pub(crate) fn close(&mut self, id: u64) {
        if let Some(open) = self.handles.remove(&id) {
            self.drop_unused_shm(open.inode);
            self.forget_if_unused(open.inode);
        }
    }

    pub(crate) fn close_all(&mut self, mount: Option<u64>) {
        let ids: Vec<u64> = self
            .handles
            .iter()
            .filter(|(_, open)| mount.is_none_or(|mount| open.mount == mount))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.close(id);
        }
    }

    /// Reads, giving false when the file ended early (the rest is zeros).
    pub(crate) fn read(&mut self, id: u64, buf: &mut [u8], offset: u64) -> Outcome<bool> {
        let code = ffi::SQLITE_IOERR_READ;
        self.live(id, code)?;
        self.reads += 1;
        let number = self.reads;
        if self.faults.read_error_at == Some(number) {
            return Err(code);
        }
        let short = self.faults.short_read_at == Some(number);
        let inode = self.file(id, code)?;
        inode.stats.reads += 1;
        inode.stats.read_bytes += buf.len() as u64;
        let got = inode.content.read(buf, offset);
        if short {
            let half = buf.len() / 2;
            buf[half..].fill(0);
            return Ok(false);
        }
        Ok(got == buf.len())
    }

    pub(crate) fn write(&mut self, id: u64, data: &[u8], offset: u64) -> Outcome<()> {
        let code = ffi::SQLITE_IOERR_WRITE;
        if self.live(id, code)?.read_only {
            return Err(ffi::SQLITE_READONLY);
        }
        let inode = self.file(id, code)?;
        let growth = (offset + data.len() as u64).saturating_sub(inode.content.len());
        let name = inode.name.clone();
        let at = (offset, data.len() as u64);
        let ruling = self.begin(StepKind::Write, &name, at, growth);
        let length = match ruling {
            Ruling::Go => data.len(),
            Ruling::Half(_) => data.len() / 2,
            Ruling::Refuse(_) => 0,
        };
        let step = self.steps;
        if let Some(inode) = self.handles.get(&id).map(|open| open.inode)
            && let Some(inode) = self.inodes.get_mut(&inode)
        {
            let before = inode.content.len();
            inode.content.write(&data[..length], offset, step);
            inode.stats.writes += 1;
            inode.stats.written_bytes += length as u64;
            self.used += inode.content.len() - before;
        }
        self.finish(StepKind::Write, ruling)
    }

    pub(crate) fn truncate(&mut self, id: u64, len: u64) -> Outcome<()> {
        let code = ffi::SQLITE_IOERR_TRUNCATE;
        let inode = self.file(id, code)?;
        let growth = len.saturating_sub(inode.content.len());
        let name = inode.name.clone();
        let ruling = self.begin(StepKind::Truncate, &name, (len, 0), growth);
        let step = self.steps;
        if ruling == Ruling::Go
            && let Some(inode) = self.handles.get(&id).map(|open| open.inode)
            && let Some(inode) = self.inodes.get_mut(&inode)
        {
            self.used = self.used - inode.content.len() + len;
            inode.content.truncate(len, step);
            inode.stats.truncates += 1;
        }
        self.finish(StepKind::Truncate, ruling)
    }

    pub(crate) fn sync(&mut self, id: u64) -> Outcome<()> {
        let name = self.file(id, ffi::SQLITE_IOERR_FSYNC)?.name.clone();
        let ruling = self.begin(StepKind::Sync, &name, (0, 0), 0);
        let dead = self.dead;
        let Some(open) = self.handles.get_mut(&id) else {
            return Err(ffi::SQLITE_IOERR_FSYNC);
        };
        let with_folder = ruling == Ruling::Go && std::mem::take(&mut open.dir_sync);
        if let Some(inode) = self.inodes.get_mut(&open.inode) {
            inode.stats.syncs += 1;
            match ruling {
                Ruling::Go => inode.content.sync(),
                // The power went in the middle: nothing is promised, nothing given up.
                Ruling::Half(_) | Ruling::Refuse(_) if dead => {}
                Ruling::Half(_) | Ruling::Refuse(_) => inode.content.sync_failed(),
            }
        }
        if with_folder {
            self.sync_folder(&name);
        }
        self.finish(StepKind::Sync, ruling)
    }

    pub(crate) fn delete(&mut self, name: &str, sync_folder: bool) -> Outcome<()> {
        if self.dead {
            return Err(ffi::SQLITE_IOERR_DELETE);
        }
        let Some((shared, _)) = self.names.get_key_value(name) else {
            return Err(ffi::SQLITE_IOERR_DELETE_NOENT);
        };
        let shared = shared.clone();
        let ruling = self.begin(StepKind::Delete, &shared, (0, 0), 0);
        if !matches!(ruling, Ruling::Refuse(_)) {
            self.unlink(name);
        }
        if ruling == Ruling::Go && sync_folder {
            self.sync_folder(name);
        }
        self.finish(StepKind::Delete, ruling)
    }

    /// True when the file no longer stands under its name.
    pub(crate) fn has_moved(&self, id: u64) -> bool {
        let inode = self.handles.get(&id).map(|open| open.inode);
        let name = inode.and_then(|id| Some((id, self.inodes.get(&id)?)));
        name.is_none_or(|(id, inode)| self.names.get(&inode.name) != Some(&id))
    }

    fn unlink(&mut self, name: &str) {
        if let Some((name, inode)) = self.names.remove_entry(name) {
            self.name_changes.push(NameChange { step: self.steps, name, was: Some(inode) });
        }
    }

    fn sync_folder(&mut self, name: &str) {
        let folder = folder(name);
        let (done, waiting) = std::mem::take(&mut self.name_changes)
            .into_iter()
            .partition(|change| crate::state::folder(&change.name) == folder);
        self.name_changes = waiting;
        for change in done {
            if let Some(inode) = change.was {
                self.forget_if_unused(inode);
            }
        }
    }

    fn forget_if_unused(&mut self, id: u32) {
        let Some(inode) = self.inodes.get(&id) else {
            return;
        };
        let named = self.names.get(&inode.name) == Some(&id);
        let may_return = self.name_changes.iter().any(|c| c.was == Some(id));
        let open = self.handles.values().any(|open| open.inode == id);
        if named || may_return || open {
            return;
        }
        if let Some(inode) = self.inodes.remove(&id) {
            self.used -= inode.content.len();
            let past = self.past_stats.entry(inode.name).or_default();
            past.add(&inode.stats);
        }
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

/// The folder part of a name.
fn folder(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}
