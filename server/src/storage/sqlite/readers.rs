//! A few read connections; each read is one snapshot, and none waits for the writer.

use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};

use rusqlite::Connection;

use super::open::{Synchronous, connect};
use super::view::Snapshot;
use crate::storage::{StorageError, View};

/// The most read connections. Reads are short; more would only share the same cores.
const READERS_MAX: usize = 4;

pub(super) struct Readers {
    path: PathBuf,
    vfs: Option<String>,
    idle: Mutex<Idle>,
    freed: Condvar,
}

struct Idle {
    connections: Vec<Connection>,
    open: usize,
}

impl Readers {
    pub(super) fn new(path: PathBuf, vfs: Option<String>) -> Self {
        Self { path, vfs, idle: Mutex::new(Idle { connections: Vec::new(), open: 0 }), freed: Condvar::new() }
    }

    /// Runs work over one snapshot. Where it fails, that is what is said: SQLite has ended the transaction by itself when
    /// the disk did not read, and ending it once more would only be refused.
    pub(super) fn read(&self, work: &mut dyn FnMut(&dyn View) -> Result<(), StorageError>) -> Result<(), StorageError> {
        self.with(|connection| {
            connection.prepare_cached("BEGIN")?.execute([])?;
            work(&Snapshot::new(connection))?;
            connection.prepare_cached("COMMIT")?.execute([])?;
            Ok(())
        })
    }

    /// Lends a connection to `work`. One that is left inside a transaction, by a failure or a panic, is thrown away.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StorageError>) -> Result<T, StorageError> {
        let lent = Lent { readers: self, connection: Some(self.take()?) };
        lent.connection.as_ref().map_or(Err(StorageError::GivenUp), work)
    }

    fn take(&self) -> Result<Connection, StorageError> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(connection) = idle.connections.pop() {
                return Ok(connection);
            }
            if idle.open < READERS_MAX {
                idle.open += 1;
                drop(idle);
                return self.open().inspect_err(|_| self.give_back(None));
            }
            idle = self.freed.wait(idle).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn open(&self) -> Result<Connection, StorageError> {
        let connection = connect(&self.path, self.vfs.as_deref(), Synchronous::Full)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }

    fn give_back(&self, connection: Option<Connection>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        match connection {
            Some(connection) if connection.is_autocommit() => idle.connections.push(connection),
            _ => idle.open -= 1,
        }
        drop(idle);
        self.freed.notify_one();
    }
}

struct Lent<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.readers.give_back(self.connection.take());
    }
}
