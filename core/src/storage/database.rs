//! One open database: its writer's seat, its readers, those who watch.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use turnstone_protocol::{DeviceId, Gid, Incarnation, Schema, Value};

use super::pool::Pool;
use super::seat::{Entered, Job, Seat, Turn};
use super::transact::{self, Ready};
use super::writer::{Setup, Writer};
use super::{ChangeSet, Key, OpenOptions, Reader, SystemTx, Tx, log, meta, open};
use crate::cancel::Cancel;
use crate::error::Error;
use crate::row::{Row, Rows};

/// One open database. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

const NO_WRITER: Error = Error::Internal { what: "a seat without a writer" };

type Watcher = Box<dyn Fn(&ChangeSet) + Send + Sync>;

struct Inner {
    path: PathBuf,
    setup: Arc<Setup>,
    pool: Pool,
    seat: Seat,
    watchers: RwLock<Vec<Watcher>>,
    revision: AtomicU64,
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

impl Database {
    /// Opens a database file, making it if there is none, and brings it to the schema.
    ///
    /// # Errors
    /// A typed error for everything that can be wrong with the path, the file or the schema; the file is untouched then.
    pub fn open(path: &Path, schema: &Schema, options: &OpenOptions) -> Result<Self, Error> {
        let open::Opened { setup, writer, lock } = open::open(path, schema, options)?;
        let pool = Pool::new(path.to_owned(), Arc::clone(&setup), lock);
        let inner = Inner {
            path: path.to_owned(),
            setup,
            pool,
            seat: Seat::new(writer),
            watchers: RwLock::default(),
            revision: AtomicU64::new(0),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Runs one local transaction and commits it: all of it or nothing. Its ops are one group.
    ///
    /// The closure runs on this thread or, when several threads write at once, on that of another writer,
    /// and then shares that writer's commit.
    ///
    /// # Errors
    /// The closure's error, or a typed one; nothing was changed then.
    pub fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
        T: Send + 'static,
    {
        let Inner { seat, .. } = &*self.inner;
        if let Some(mut turn) = seat.try_enter()? {
            return self.inner.local(&mut turn, work);
        }
        let result = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&result);
        let job: Job = Box::new(move |tx| {
            let value = work(tx)?;
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
            Ok(())
        });
        match seat.enter(Some(job))? {
            Entered::Done(done) => done?,
            Entered::Turn(mut turn, Some(job)) => self.inner.local(&mut turn, job)?,
            Entered::Turn(_, None) => return Err(Error::Internal { what: "a closure was lost in the queue" }),
        }
        let value = result.lock().unwrap_or_else(PoisonError::into_inner).take();
        value.ok_or(Error::Internal { what: "a committed closure left no result" })
    }

    /// Like [`Database::write`], but once per `write_id`: a repeated id gives the first result and runs nothing.
    ///
    /// # Errors
    /// As [`Database::write`]; the id counts as unused then.
    pub fn write_once<F>(&self, write_id: &str, work: F) -> Result<Written, Error>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<(), Error> + Send + 'static,
    {
        let write_id = super::once::check(write_id)?.to_owned();
        self.write(move |tx| tx.once(&write_id, work))
    }

    /// Runs a transaction of the sync core: on this thread, capture off, internal tables open.
    /// New groups stand in `_ts_groups` when the closure starts.
    pub(crate) fn system<T>(&self, work: impl FnOnce(&mut SystemTx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let Inner { seat, setup, .. } = &*self.inner;
        let mut turn = match seat.enter(None)? {
            Entered::Turn(turn, _) => turn,
            // Turned away while it waited.
            Entered::Done(done) => return Err(done.err().unwrap_or(NO_WRITER)),
        };
        let now = setup.options.clock.now();
        let first = |writer: &mut Writer| {
            writer.state.capture.set_on(false);
            log::register(&writer.conn)?;
            let mut changes = ChangeSet::default();
            let value = work(&mut SystemTx::new(&writer.conn, setup, &writer.state, now, &mut changes))?;
            // Those who share the commit must see what was changed here.
            writer.reread()?;
            Ok(Ready { value, changes })
        };
        self.inner.turn(&mut turn, first)
    }

    /// Reads from one consistent state: that of the last commit before the call.
    ///
    /// # Errors
    /// The closure's error, or a typed one.
    pub fn read<T>(&self, work: impl FnOnce(&Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.inner.pool.with(|reader| {
            reader.conn().prepare_cached("BEGIN")?.raw_execute()?;
            let done = work(reader);
            // Ends the state that was read; there is nothing to commit.
            reader.conn().prepare_cached("COMMIT")?.raw_execute()?;
            done
        })
    }

    /// Reads one row.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], or a typed error of the file.
    pub fn get(&self, table: &str, id: &str) -> Result<Option<Row>, Error> {
        self.inner.pool.with(|reader| reader.get(table, id))
    }

    /// Runs a query.
    ///
    /// # Errors
    /// [`Error::Sql`] or [`Error::SqlRefused`], or a typed error of the file.
    pub fn query(&self, sql: &str, params: &[Value]) -> Result<Rows, Error> {
        self.inner.pool.with(|reader| reader.query(sql, params))
    }

    /// Runs a query and makes something of each row: the fast path, nothing is copied that you do not copy.
    ///
    /// # Errors
    /// As [`Database::query`].
    pub fn query_map<T>(
        &self,
        sql: &str,
        params: &[Value],
        each: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        self.inner.pool.with(|reader| reader.query_map(sql, params, each))
    }

    /// Runs a query and hands its rows over as they come, with the names of the columns.
    ///
    /// # Errors
    /// As [`Database::query`], and what `read` gives. A `?` on reading another type than there is says `corrupt`, as for
    /// our own tables: read with `get_ref`, or make an error of your own of it.
    pub fn query_with<T>(
        &self,
        sql: &str,
        params: &[Value],
        read: impl FnOnce(Vec<String>, &mut rusqlite::Rows<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.inner.pool.with(|reader| reader.query_with(sql, params, read))
    }

    /// The same, until it is cancelled.
    ///
    /// # Errors
    /// As [`Database::query_with`], and [`Error::Cancelled`].
    pub fn query_until<T>(
        &self,
        cancel: &Cancel,
        sql: &str,
        params: &[Value],
        read: impl FnOnce(Vec<String>, &mut rusqlite::Rows<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let done = self.inner.pool.until(cancel, |reader| reader.query_with(sql, params, read));
        // How the statement ended is a matter of where it stood.
        done.map_err(|error| if cancel.is_cancelled() { Error::Cancelled } else { error })
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
    pub fn after_commit(&self, watcher: impl Fn(&ChangeSet) + Send + Sync + 'static) {
        self.inner.watchers.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(watcher));
    }

    /// The tables a query reads, for live queries.
    ///
    /// # Errors
    /// As [`Database::query`].
    pub fn tables_read(&self, sql: &str) -> Result<Vec<String>, Error> {
        self.inner.pool.with(|reader| Ok(reader.plan(sql)?.reads.into_iter().collect()))
    }

    /// The schema.
    #[must_use]
    pub fn schema(&self) -> &Arc<Schema> {
        &self.inner.setup.schema
    }

    /// The revision of the last commit that changed something.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.inner.revision.load(Ordering::Acquire)
    }

    /// How many writes wait for the one that runs; they share the next commit.
    #[must_use]
    pub fn writes_waiting(&self) -> usize {
        self.inner.seat.waiting()
    }

    /// The installation and its present life.
    ///
    /// # Errors
    /// A typed error of the file.
    pub fn identity(&self) -> Result<(DeviceId, Incarnation), Error> {
        self.read(|reader| {
            let id = |key| meta::read_id(reader.conn(), key)?.ok_or(Error::Corrupt);
            Ok((DeviceId(id(Key::Device)?), Incarnation(id(Key::Incarnation)?)))
        })
    }

    /// Checks what must always hold, and names what does not: nothing, if all is well. Reads everything; for tests
    /// and for support.
    ///
    /// # Errors
    /// A typed error of the file.
    pub fn check(&self) -> Result<Vec<String>, Error> {
        self.read(super::check::run)
    }

    /// Moves what was committed from the write-ahead log into the file.
    ///
    /// # Errors
    /// A typed error of the file.
    pub fn checkpoint(&self) -> Result<(), Error> {
        match self.inner.seat.enter(None)? {
            Entered::Turn(mut turn, _) => turn.writer()?.checkpoint("TRUNCATE"),
            Entered::Done(done) => Err(done.err().unwrap_or(NO_WRITER)),
        }
    }

    /// Whether this thread may wait for the writer to leave.
    ///
    /// # Errors
    /// [`Error::Reentrant`] inside a write, [`Error::Closed`].
    pub(crate) fn may_leave(&self) -> Result<(), Error> {
        self.inner.seat.may_leave()
    }

    /// Lets nobody in any more, and ends what waits; what runs goes on.
    ///
    /// # Errors
    /// [`Error::Reentrant`] inside a write, [`Error::Closed`].
    pub(crate) fn refuse(&self) -> Result<(), Error> {
        self.inner.seat.refuse()
    }

    /// Lets go of the file: ends what runs, closes every connection, releases every lock, and lets nobody in until
    /// [`Database::resume`]. Doing it twice is fine.
    ///
    /// # Errors
    /// [`Error::Busy`] if a closure of the app holds on to a transaction for longer than a second: locks are still
    /// held then, nobody new is let in, and calling again waits again. [`Error::Reentrant`] inside a write,
    /// [`Error::Closed`], or a typed error of the file; it is let go of all the same then.
    pub(crate) fn suspend(&self) -> Result<(), Error> {
        let was_out = self.inner.seat.suspended() == Some(false) && self.inner.pool.is_out();
        self.inner.seat.refuse()?;
        let writer = self.inner.seat.clear(was_out)?;
        // Readers first: whoever closes last moves what was committed into the file.
        let lock = match self.inner.pool.suspend() {
            Ok(lock) => lock,
            Err(error) => {
                writer.into_iter().for_each(|writer| self.inner.seat.keep(writer));
                return Err(error);
            }
        };
        let left = writer.map_or(Ok(()), |writer| writer.leave(&self.inner.setup));
        drop(lock);
        left
    }

    /// Takes the file again after [`Database::suspend`].
    ///
    /// # Errors
    /// [`Error::AlreadyOpen`] while somebody else has it, [`Error::Closed`], or a typed error of the file: still
    /// suspended then, and it can be tried again.
    pub(crate) fn resume(&self) -> Result<(), Error> {
        let Inner { seat, pool, setup, path, .. } = &*self.inner;
        match seat.suspended() {
            None => {
                // Closed, or there is nothing to do.
                drop(seat.try_enter()?);
                Ok(())
            }
            Some(true) => {
                pool.resume(None);
                seat.admit_again(None);
                Ok(())
            }
            Some(false) => {
                let open::Opened { writer, lock, .. } = open::open(path, &setup.schema, &setup.options)?;
                pool.resume(Some(lock));
                seat.admit_again(Some(writer));
                Ok(())
            }
        }
    }

    /// Waits for the running transaction, then closes the file. Later calls on any clone say [`Error::Closed`].
    ///
    /// # Errors
    /// A typed error of the file; it is closed all the same.
    pub fn close(&self) -> Result<(), Error> {
        let writer = self.inner.seat.close()?;
        self.inner.pool.close();
        writer.leave(&self.inner.setup)
    }
}

impl Inner {
    fn local<T>(&self, turn: &mut Turn<'_>, work: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.turn(turn, |writer| transact::local(writer, &self.setup, work))
    }

    fn turn<T>(
        &self,
        turn: &mut Turn<'_>,
        first: impl FnOnce(&mut Writer) -> Result<Ready<T>, Error>,
    ) -> Result<T, Error> {
        let done = transact::run(turn, &self.setup, first, |changes| self.tell(changes));
        let writer = turn.writer()?;
        if writer.is_checkpoint_due() {
            // What was committed is safe in the log; a checkpoint that fails is tried again after the next commit.
            let _ = writer.checkpoint("PASSIVE");
        }
        done
    }

    /// Tells those who watch, in commit order: we still sit in the seat.
    fn tell(&self, mut changes: ChangeSet) {
        if changes.is_empty() {
            return;
        }
        changes.revision = self.revision.fetch_add(1, Ordering::AcqRel) + 1;
        for watcher in self.watchers.read().unwrap_or_else(PoisonError::into_inner).iter() {
            watcher(&changes);
        }
    }
}
