//! Connections for reading: made when needed, a few kept.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, InterruptHandle};

use super::gate::Gate;
use super::lock::FileLock;
use super::reader::Reader;
use super::writer::Setup;
use super::{capture, connect};
use crate::cancel::Cancel;
use crate::error::Error;

/// Statements SQLite keeps prepared on each of them: those of an app with many screens, and ours.
const STATEMENTS_MAX: usize = 128;

/// How often statements of readers are ended when the pool is cleared in a hurry.
const INTERRUPT_EVERY: Duration = Duration::from_millis(25);
/// How often, before whoever clears it is told that somebody still reads.
const INTERRUPTS_MAX: u32 = 16;

/// Steps of SQLite after which a read looks whether it was cancelled: a fraction of a millisecond.
const CANCEL_EVERY: i32 = 10_000;

/// The connections that nobody uses now.
pub(crate) struct Pool {
    path: PathBuf,
    setup: Arc<Setup>,
    idle: Mutex<Idle>,
    /// A connection came back while the pool is being cleared.
    back: Condvar,
}

struct Idle {
    connections: Vec<ReadConnection>,
    /// Held by every open connection too: the file stays locked until the last one is gone. None: closed.
    lock: Option<Arc<FileLock>>,
    /// The pool lets nobody in until the store is resumed.
    is_suspended: bool,
    /// How many connections are lent out, those being made included.
    lent: usize,
    /// Ends their statements.
    interrupts: Vec<Arc<InterruptHandle>>,
}

struct ReadConnection {
    conn: Connection,
    gate: Gate,
    lock: Arc<FileLock>,
    interrupt: Arc<InterruptHandle>,
}

impl Pool {
    /// No connection yet.
    pub(crate) fn new(path: PathBuf, setup: Arc<Setup>, lock: Arc<FileLock>) -> Self {
        let idle =
            Idle { connections: Vec::new(), lock: Some(lock), is_suspended: false, lent: 0, interrupts: Vec::new() };
        Self { path, setup, idle: Mutex::new(idle), back: Condvar::new() }
    }

    /// Reads through a connection. Readers never wait for each other, nor for the writer.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let connection = self.take()?;
        let lent = Lent { pool: self, connection: Some(connection), may_be_cancelled: false };
        let Some(ReadConnection { conn, gate, .. }) = &lent.connection else { return Err(Error::Closed) };
        work(&Reader::new(conn, gate, &self.setup))
    }

    /// The same, until it is cancelled: the statement ends with an error then.
    pub(crate) fn until<T>(
        &self,
        cancel: &Cancel,
        work: impl FnOnce(&Reader<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let connection = self.take()?;
        let mut lent = Lent { pool: self, connection: Some(connection), may_be_cancelled: true };
        let Some(ReadConnection { conn, gate, .. }) = &mut lent.connection else { return Err(Error::Closed) };
        let cancel = cancel.clone();
        conn.progress_handler(CANCEL_EVERY, Some(move || cancel.is_cancelled()))?;
        work(&Reader::new(conn, gate, &self.setup))
    }

    /// Lets nobody in any more. Connections in use are closed as they come back.
    pub(crate) fn close(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.lock = None;
        idle.connections.clear();
    }

    /// Closes every connection and lets nobody in: waits for those who read, and ends their statements. Gives the lock
    /// on the file, to be dropped last. None: it is gone already.
    ///
    /// # Errors
    /// [`Error::Busy`] if somebody reads on all the same.
    pub(crate) fn suspend(&self) -> Result<Option<Arc<FileLock>>, Error> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.is_suspended = true;
        idle.connections.clear();
        for _ in 0..INTERRUPTS_MAX {
            if idle.lent == 0 {
                break;
            }
            idle = self.back.wait_timeout(idle, INTERRUPT_EVERY).unwrap_or_else(PoisonError::into_inner).0;
            idle.interrupts.iter().for_each(|reader| reader.interrupt());
        }
        if idle.lent > 0 { Err(Error::Busy) } else { Ok(idle.lock.take()) }
    }

    /// Whether it was suspended, and nothing of it is left.
    pub(crate) fn is_out(&self) -> bool {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.is_suspended && idle.lock.is_none() && idle.lent == 0
    }

    /// Lets people in again, with this lock or the one that never left.
    pub(crate) fn resume(&self, lock: Option<Arc<FileLock>>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.is_suspended = false;
        idle.lock = lock.or_else(|| idle.lock.take());
    }

    fn take(&self) -> Result<ReadConnection, Error> {
        let lock = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.is_suspended {
                return Err(Error::Suspended);
            }
            if let Some(connection) = idle.connections.pop() {
                idle.lent += 1;
                idle.interrupts.push(Arc::clone(&connection.interrupt));
                return Ok(connection);
            }
            let lock = idle.lock.clone().ok_or(Error::Closed)?;
            idle.lent += 1;
            lock
        };
        let made = self.connect(lock);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        match made {
            Ok(connection) => {
                idle.interrupts.push(Arc::clone(&connection.interrupt));
                Ok(connection)
            }
            Err(error) => {
                idle.lent -= 1;
                self.back.notify_all();
                Err(error)
            }
        }
    }

    fn connect(&self, lock: Arc<FileLock>) -> Result<ReadConnection, Error> {
        let mut conn = connect::open(&self.path, self.setup.options.vfs.as_deref())?;
        connect::configure_reader(&conn)?;
        capture::guard_function(&conn)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let gate = Gate::install(&mut conn, Arc::clone(&self.setup.tables))?;
        let interrupt = Arc::new(conn.get_interrupt_handle());
        Ok(ReadConnection { conn, gate, lock, interrupt })
    }
}

/// A connection in use; comes back when dropped, also while a panic unwinds.
struct Lent<'p> {
    pool: &'p Pool,
    connection: Option<ReadConnection>,
    /// Somebody may cancel its statements, and must not cancel those of whoever has it next.
    may_be_cancelled: bool,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if self.may_be_cancelled {
            let _ = connection.conn.progress_handler(0, None::<fn() -> bool>);
        }
        if !connection.conn.is_autocommit() {
            // Whatever a read transaction held on to is let go; the next one sees the newest commit.
            let _ = connection.conn.execute_batch("ROLLBACK");
        }
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.interrupts.retain(|interrupt| !Arc::ptr_eq(interrupt, &connection.interrupt));
        if idle.lock.is_some() && !idle.is_suspended && idle.connections.len() < self.pool.setup.options.readers_max {
            idle.lent -= 1;
            idle.connections.push(connection);
        } else {
            drop(idle);
            let ReadConnection { conn, lock, .. } = connection;
            drop(conn);
            drop(lock);
            // Only now is it gone.
            self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).lent -= 1;
            self.pool.back.notify_all();
        }
    }
}
