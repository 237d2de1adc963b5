//! Which calls fail, and how. A *step* is one call that changes the disk: open that creates, write,
//! sync, truncate, delete, growth of shared memory. Steps are counted from 1.

use rusqlite::ffi;
use std::ffi::c_int;

/// The kind of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepKind {
    /// A file is created.
    Create,
    /// Bytes are written.
    Write,
    /// A file is synced.
    Sync,
    /// A file gets another size.
    Truncate,
    /// A name is removed.
    Delete,
    /// The shared memory of a WAL grows.
    ShmGrow,
}

impl StepKind {
    /// What SQLite's own unix VFS answers when this call meets an I/O error.
    pub(crate) fn io_error(self) -> c_int {
        match self {
            Self::Create => ffi::SQLITE_CANTOPEN,
            Self::Write => ffi::SQLITE_IOERR_WRITE,
            Self::Sync => ffi::SQLITE_IOERR_FSYNC,
            Self::Truncate => ffi::SQLITE_IOERR_TRUNCATE,
            Self::Delete => ffi::SQLITE_IOERR_DELETE,
            Self::ShmGrow => ffi::SQLITE_IOERR_SHMSIZE,
        }
    }

    fn no_space(self) -> c_int {
        match self {
            Self::Create => ffi::SQLITE_CANTOPEN,
            Self::ShmGrow => ffi::SQLITE_IOERR_SHMSIZE,
            _ => ffi::SQLITE_FULL,
        }
    }
}

/// A disk that is full for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSpace {
    /// First step that finds the disk full.
    pub from: u64,
    /// First step that finds space again; `None`: until [`crate::Disk::set_faults`] says otherwise.
    pub until: Option<u64>,
    /// Nothing at all is left: also overwriting in place (copy-on-write file systems), creating a file
    /// and growing the small shared memory fail. Otherwise only growing a file does.
    pub every_write: bool,
}

/// The faults that are to come. The default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// From this step on every call fails, as if the machine or the process had died in it.
    /// [`crate::Disk::reboot`] (power loss) or [`crate::Disk::revive`] (process) ends it.
    pub crash_at: Option<u64>,
    /// This one step fails with an I/O error; a write leaves half of its bytes.
    pub io_error_at: Option<u64>,
    /// The first sync at or after this step fails, and what it was to sync is in doubt for ever.
    pub sync_error_at: Option<u64>,
    /// The disk is full.
    pub no_space: Option<NoSpace>,
    /// This read (counted from 1, see [`crate::Disk::reads`]) fails with an I/O error.
    pub read_error_at: Option<u64>,
    /// This read gives only its first half, the rest zeros.
    pub short_read_at: Option<u64>,
}

/// What a step may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// Everything.
    Go,
    /// Half of its work, then fail with this code.
    Half(c_int),
    /// Nothing; it fails with this code.
    Refuse(c_int),
}

impl Faults {
    /// Rules on a step. `grows`: it needs space it does not have yet.
    pub(crate) fn rule(&mut self, step: u64, kind: StepKind, grows: bool) -> Ruling {
        if self.crash_at.is_some_and(|at| step >= at) {
            // Did the dying call reach the disk? Both happen; the step number decides.
            return match step % 3 {
                0 => Ruling::Go,
                1 => Ruling::Half(kind.io_error()),
                _ => Ruling::Refuse(kind.io_error()),
            };
        }
        if self.io_error_at == Some(step) {
            return Ruling::Half(kind.io_error());
        }
        if kind == StepKind::Sync && self.sync_error_at.is_some_and(|at| step >= at) {
            self.sync_error_at = None;
            return Ruling::Refuse(kind.io_error());
        }
        if let Some(full) = self.no_space
            && step >= full.from
            && full.until.is_none_or(|until| step < until)
        {
            let needs_space = match kind {
                StepKind::Create | StepKind::ShmGrow => full.every_write,
                StepKind::Write => grows || full.every_write,
                StepKind::Truncate => grows,
                StepKind::Sync | StepKind::Delete => false,
            };
            if needs_space {
                return if step == full.from { Ruling::Half(kind.no_space()) } else { Ruling::Refuse(kind.no_space()) };
            }
        }
        Ruling::Go
    }

    pub(crate) fn refuse_for_space(kind: StepKind) -> Ruling {
        Ruling::Refuse(kind.no_space())
    }
}
