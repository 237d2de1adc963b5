//! Connections for reading: made when needed, a few kept.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::gate::Gate;
use super::lock::FileLock;
use super::reader::Reader;
use super::writer::Setup;
use super::{capture, connect};
use crate::error::Error;

/// Statements SQLite keeps prepared on each of them.
const STATEMENTS_MAX: usize = 64;

/// The connections that nobody uses now.
pub(crate) struct Pool {
    path: PathBuf,
    setup: Arc<Setup>,
    idle: Mutex<Idle>,
}

struct Idle {
    connections: Vec<ReadConnection>,
    /// Held by every open connection too: the file stays locked until the last one is gone. None: closed.
    lock: Option<Arc<FileLock>>,
}

struct ReadConnection {
    conn: Connection,
    gate: Gate,
    lock: Arc<FileLock>,
}

impl Pool {
    /// No connection yet.
    pub(crate) fn new(path: PathBuf, setup: Arc<Setup>, lock: Arc<FileLock>) -> Self {
        Self { path, setup, idle: Mutex::new(Idle { connections: Vec::new(), lock: Some(lock) }) }
    }

    /// Reads through a connection. Readers never wait for each other, nor for the writer.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let connection = self.take()?;
        let lent = Lent { pool: self, connection: Some(connection) };
        let Some(ReadConnection { conn, gate, .. }) = &lent.connection else { return Err(Error::Closed) };
        work(&Reader::new(conn, gate, &self.setup))
    }

    /// Lets nobody in any more. Connections in use are closed as they come back.
    pub(crate) fn close(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.lock = None;
        idle.connections.clear();
    }

    fn take(&self) -> Result<ReadConnection, Error> {
        let lock = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(connection) = idle.connections.pop() {
                return Ok(connection);
            }
            idle.lock.clone().ok_or(Error::Closed)?
        };
        let mut conn = connect::open(&self.path, self.setup.options.vfs.as_deref())?;
        connect::configure_reader(&conn)?;
        capture::guard_function(&conn)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let gate = Gate::install(&mut conn, Arc::clone(&self.setup.tables))?;
        Ok(ReadConnection { conn, gate, lock })
    }
}

/// A connection in use; comes back when dropped, also while a panic unwinds.
struct Lent<'p> {
    pool: &'p Pool,
    connection: Option<ReadConnection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if !connection.conn.is_autocommit() {
            // Whatever a read transaction held on to is let go; the next one sees the newest commit.
            let _ = connection.conn.execute_batch("ROLLBACK");
        }
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.lock.is_some() && idle.connections.len() < self.pool.setup.options.readers_max {
            idle.connections.push(connection);
        } else {
            drop(idle);
            let ReadConnection { conn, lock, .. } = connection;
            drop(conn);
            drop(lock);
        }
    }
}
