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
pub(crate) struct FileLock(Option<File>);

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

/// Lets go in so many words: a process that is being started shares our open files until it runs its own program, and
/// would hold the lock for that long after we close ours.
impl Drop for FileLock {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            let _ = file.unlock();
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_was_let_go_is_free_though_a_child_still_has_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("a.db");
        let lock = FileLock::take(&database).unwrap();
        // What a child has between fork and exec: the same open file.
        let inherited = lock.0.as_ref().unwrap().try_clone().unwrap();
        assert_eq!(FileLock::take(&database).err(), Some(Error::AlreadyOpen));
        drop(lock);
        assert!(FileLock::take(&database).is_ok());
        drop(inherited);
    }
}
