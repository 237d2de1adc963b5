//! Bytes: read, write, truncate, sync.

use crate::fault::{Ruling, StepKind};
use crate::state::{Outcome, State};
use rusqlite::ffi;

impl State {
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
}
