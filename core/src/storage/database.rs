//! One open database: its writer's seat, its readers, those who watch.

use std::path::Path;
use std::sync::Arc;

use turnstone_protocol::{DeviceId, Gid, Incarnation, Schema, Value};

use super::{ChangeSet, OpenOptions, Reader, SystemTx, Tx};
use crate::error::Error;
use crate::row::{Row, Rows};

/// One open database. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    schema: Arc<Schema>,
}

/// What [`Database::write_once`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The group that was made; none if nothing was written, or only to tables that never leave the device.
    pub gid: Option<Gid>,
    /// Whether this write id was used before; the closure was not run then.
    pub repeated: bool,
    /// What the first run asked to be remembered ([`Tx::remember`]).
    pub result: Option<String>,
}

fn unbuilt<T>() -> Result<T, Error> {
    Err(Error::Internal { what: "not built yet" })
}

impl Database {
    /// Opens a database file, making it if there is none, and brings it to the schema.
    ///
    /// # Errors
    /// A typed error for everything that can be wrong with the path, the file or the schema; the file is untouched then.
    pub fn open(_path: &Path, _schema: &Schema, _options: &OpenOptions) -> Result<Self, Error> {
        unbuilt()
    }

    /// Runs one local transaction and commits it: all of it or nothing. Its ops are one group.
    ///
    /// The closure runs on this thread or, when several threads write at once, on that of another writer,
    /// and then shares that writer's commit.
    ///
    /// # Errors
    /// The closure's error, or a typed one; nothing was changed then.
    pub fn write<T, F>(&self, _work: F) -> Result<T, Error>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
        T: Send + 'static,
    {
        unbuilt()
    }

    /// Like [`Database::write`], but once per `write_id`: a repeated id gives the first result and runs nothing.
    ///
    /// # Errors
    /// As [`Database::write`]; the id counts as unused then.
    pub fn write_once<F>(&self, _write_id: &str, _work: F) -> Result<Written, Error>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<(), Error> + Send + 'static,
    {
        unbuilt()
    }

    /// Runs one transaction of the sync core: on this thread, capture off, internal tables open.
    /// New groups stand in `_ts_groups` when the closure starts.
    pub(crate) fn system<T>(&self, _work: impl FnOnce(&mut SystemTx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        unbuilt()
    }

    /// Reads from one consistent state: that of the last commit before the call.
    ///
    /// # Errors
    /// The closure's error, or a typed one.
    pub fn read<T>(&self, _work: impl FnOnce(&Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
        unbuilt()
    }

    /// Reads one row.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], or a typed error of the file.
    pub fn get(&self, _table: &str, _id: &str) -> Result<Option<Row>, Error> {
        unbuilt()
    }

    /// Runs a query.
    ///
    /// # Errors
    /// [`Error::Sql`] or [`Error::SqlRefused`], or a typed error of the file.
    pub fn query(&self, _sql: &str, _params: &[Value]) -> Result<Rows, Error> {
        unbuilt()
    }

    /// Runs a query and makes something of each row: the fast path, nothing is copied that you do not copy.
    ///
    /// # Errors
    /// As [`Database::query`].
    pub fn query_map<T>(
        &self,
        _sql: &str,
        _params: &[Value],
        _each: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        unbuilt()
    }

    /// Runs one SQL statement as its own local transaction; changes to synced tables are captured.
    ///
    /// # Errors
    /// As [`Database::write`].
    pub fn execute(&self, sql: &str, params: &[Value]) -> Result<usize, Error> {
        let (sql, params) = (sql.to_owned(), params.to_vec());
        self.write(move |tx| tx.execute(&sql, &params))
    }

    /// Calls `watcher` after every commit that changed something, in commit order, before the next one starts.
    /// It must be quick, and must not write: hand the change set on.
    pub fn after_commit(&self, _watcher: impl Fn(&ChangeSet) + Send + Sync + 'static) {}

    /// The tables a query reads, for live queries.
    ///
    /// # Errors
    /// As [`Database::query`].
    pub fn tables_read(&self, _sql: &str) -> Result<Vec<String>, Error> {
        unbuilt()
    }

    /// The schema.
    #[must_use]
    pub fn schema(&self) -> &Arc<Schema> {
        &self.inner.schema
    }

    /// The revision of the last commit that changed something.
    #[must_use]
    pub fn revision(&self) -> u64 {
        0
    }

    /// The installation and its present life.
    ///
    /// # Errors
    /// A typed error of the file.
    pub fn identity(&self) -> Result<(DeviceId, Incarnation), Error> {
        unbuilt()
    }

    /// Moves what was committed from the write-ahead log into the file.
    ///
    /// # Errors
    /// A typed error of the file.
    pub fn checkpoint(&self) -> Result<(), Error> {
        unbuilt()
    }

    /// Waits for the running transaction, then closes the file. Later calls on any clone say [`Error::Closed`].
    ///
    /// # Errors
    /// A typed error of the file; it is closed all the same.
    pub fn close(&self) -> Result<(), Error> {
        unbuilt()
    }
}
