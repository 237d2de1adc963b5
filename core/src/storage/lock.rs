//! One opener at a time: an advisory lock of the operating system on `<database>.lock`.
//!
//! A killed process releases it, so nobody has to judge whether an old lease is stale. The session row in the
//! database, checked by every write after somebody else wrote, fences those whom the lock does not stop (a network
//! file system, a copied file).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use crate::error::Error;

/// The lock, as long as it lives. None where the file system has no locks, or the file is in a VFS of its own.
pub(crate) struct FileLock(#[expect(dead_code, reason = "the lock is the open file")] Option<File>);

impl FileLock {
    /// Takes the lock of a database.
    ///
    /// # Errors
    /// [`Error::AlreadyOpen`], [`Error::ReadOnly`], [`Error::FolderMissing`], [`Error::CannotOpen`].
    pub(crate) fn take(database: &Path) -> Result<Self, Error> {
        let mut name = database.as_os_str().to_owned();
        name.push(".lock");
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&name);
        let file = opened.map_err(|error| folder_error(error.kind()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(Some(file))),
            Err(TryLockError::WouldBlock) => Err(Error::AlreadyOpen),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(Self(None)),
            Err(TryLockError::Error(_)) => Err(Error::CannotOpen),
        }
    }

    /// No lock: the file is not one of the operating system's.
    pub(crate) const fn none() -> Self {
        Self(None)
    }
}

/// What a failed open of a file in the database's folder says about the folder.
pub(crate) fn folder_error(kind: ErrorKind) -> Error {
    match kind {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Error::FolderMissing,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Error::ReadOnly,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::StorageFull,
        _ => Error::CannotOpen,
    }
}
