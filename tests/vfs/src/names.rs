//! Names: open, create, close, delete.
//!
//! Names and contents become durable apart from each other, as POSIX has it: a sync makes a file's
//! bytes durable, while a created or deleted name waits for a sync of its folder. As in SQLite's unix
//! VFS, that comes with the first sync of a freshly opened journal or WAL, or with a delete that asks
//! for it; the sync of a main database makes no name durable (more pessimistic than ext4).

use crate::content::Content;
use crate::fault::{Ruling, StepKind};
use crate::locks::Level;
use crate::state::{NameChange, Open, Outcome, State};
use rusqlite::ffi;
use std::ffi::c_int;
use std::sync::Arc;

impl State {
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

    pub(crate) fn sync_folder(&mut self, name: &str) {
        let folder = folder_of(name);
        let (done, waiting) =
            std::mem::take(&mut self.name_changes).into_iter().partition(|change| folder_of(&change.name) == folder);
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
}

/// The folder part of a name.
fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}
