//! Locks between connections, in one process or in several: the five levels of a database file and
//! the eight slots of a WAL's shared memory.
//!
//! A lock is a property of an open handle and nothing else. Who conflicts is found by looking at the
//! other handles of the same file (there are few), so a handle that dies takes its locks with it.

use crate::fault::{Ruling, StepKind};
use crate::shm::Region;
use crate::state::{Open, Outcome, State};
use rusqlite::ffi;
use std::ffi::c_int;
use std::sync::Arc;

/// The level of a handle's lock on a database file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    #[default]
    None,
    Shared,
    Reserved,
    Pending,
    Exclusive,
}

impl Level {
    pub(crate) fn from_code(code: c_int) -> Self {
        match code {
            ffi::SQLITE_LOCK_SHARED => Self::Shared,
            ffi::SQLITE_LOCK_RESERVED => Self::Reserved,
            ffi::SQLITE_LOCK_PENDING => Self::Pending,
            ffi::SQLITE_LOCK_EXCLUSIVE => Self::Exclusive,
            _ => Self::None,
        }
    }
}

/// The slots of the shared memory that a handle holds, one bit each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ShmLocks {
    shared: u8,
    exclusive: u8,
}

impl State {
    fn others(&self, id: u64, inode: u32) -> impl Iterator<Item = &Open> {
        self.handles.iter().filter(move |(other, open)| **other != id && open.inode == inode).map(|(_, open)| open)
    }

    fn highest_other(&self, id: u64, inode: u32) -> Level {
        let levels = self.others(id, inode).map(|open| open.level);
        levels.max().unwrap_or_default()
    }

    pub(crate) fn lock(&mut self, id: u64, wanted: Level) -> Outcome<()> {
        let code = ffi::SQLITE_IOERR_LOCK;
        let open = self.live(id, code)?;
        let (inode, held) = (open.inode, open.level);
        if held >= wanted {
            return Ok(());
        }
        let others = self.highest_other(id, inode);
        let limit = match wanted {
            Level::None | Level::Shared => Level::Reserved,
            Level::Reserved | Level::Pending | Level::Exclusive => Level::Shared,
        };
        if others > limit {
            return Err(ffi::SQLITE_BUSY);
        }
        if wanted == Level::Exclusive && others >= Level::Shared {
            // New readers stay out while this one waits for the old ones to leave.
            self.live(id, code)?.level = Level::Pending;
            return Err(ffi::SQLITE_BUSY);
        }
        self.live(id, code)?.level = wanted;
        Ok(())
    }

    pub(crate) fn unlock(&mut self, id: u64, level: Level) {
        if let Some(open) = self.handles.get_mut(&id) {
            open.level = open.level.min(level);
        }
    }

    pub(crate) fn is_reserved(&mut self, id: u64) -> Outcome<bool> {
        let open = self.live(id, ffi::SQLITE_IOERR_CHECKRESERVEDLOCK)?;
        let (inode, own) = (open.inode, open.level);
        Ok(own.max(self.highest_other(id, inode)) >= Level::Reserved)
    }

    pub(crate) fn level(&self, id: u64) -> Level {
        self.handles.get(&id).map(|o| o.level).unwrap_or_default()
    }

    /// Region `index` of the file's shared memory; `None` if it is not there and not to be made.
    pub(crate) fn shm_map(&mut self, id: u64, index: usize, size: usize, extend: bool) -> Outcome<Option<Arc<Region>>> {
        let code = ffi::SQLITE_IOERR_SHMMAP;
        self.live(id, code)?.shm.get_or_insert_default();
        let inode = self.file(id, code)?;
        let missing = (index + 1).saturating_sub(inode.shm.len());
        if missing > 0 && !extend {
            return Ok(None);
        }
        if missing > 0 {
            let name = inode.name.clone();
            let at = (index as u64, size as u64);
            let ruling = self.begin(StepKind::ShmGrow, &name, at, 0);
            if self.dead {
                return Err(code);
            }
            if let Ruling::Half(code) | Ruling::Refuse(code) = ruling {
                return Err(code);
            }
        }
        let inode = self.file(id, code)?;
        for _ in 0..missing {
            inode.shm.push(Arc::new(Region::zeroed(size)));
        }
        Ok(inode.shm.get(index).cloned())
    }

    pub(crate) fn shm_lock(&mut self, id: u64, first: c_int, n: c_int, flags: c_int) -> Outcome<()> {
        let code = ffi::SQLITE_IOERR_SHMLOCK;
        let open = self.live(id, code)?;
        let inode = open.inode;
        let held = open.shm.as_mut().ok_or(code)?;
        let mask = (((1u32 << n) - 1) << first) as u8;
        if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
            held.shared &= !mask;
            held.exclusive &= !mask;
            return Ok(());
        }
        let exclusive = flags & ffi::SQLITE_SHM_EXCLUSIVE != 0;
        if exclusive && held.shared & mask != 0 {
            return Err(ffi::SQLITE_BUSY);
        }
        let in_the_way = self.others(id, inode).filter_map(|open| open.shm).any(|o| {
            let conflicting = if exclusive { o.shared | o.exclusive } else { o.exclusive };
            conflicting & mask != 0
        });
        if in_the_way {
            return Err(ffi::SQLITE_BUSY);
        }
        let held = self.live(id, code)?.shm.as_mut().ok_or(code)?;
        if exclusive {
            held.exclusive |= mask;
        } else {
            held.shared |= mask;
        }
        Ok(())
    }

    pub(crate) fn shm_unmap(&mut self, id: u64) {
        if let Some(open) = self.handles.get_mut(&id) {
            open.shm = None;
            let inode = open.inode;
            self.drop_unused_shm(inode);
        }
    }

    /// The last one out takes the shared memory along: the next one to come builds it from the WAL.
    pub(crate) fn drop_unused_shm(&mut self, inode: u32) {
        let in_use = |open: &Open| open.inode == inode && open.shm.is_some();
        if !self.handles.values().any(in_use)
            && let Some(inode) = self.inodes.get_mut(&inode)
        {
            inode.shm.clear();
        }
    }
}
