//! The public entry: a database on this device that syncs.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use turnstone_protocol::{DeviceId, Incarnation, Schema, Value};

use crate::background::{BackgroundReport, Budget, Conditions, NextWake, RunReason};
use crate::driver::Driver;
use crate::observe::{
    Hub, Interest, Live, NextWakeWatch, Offload, RowState, RowStateWatch, Status, StatusWatch, Watch, block_on,
};
use crate::options::Options;
use crate::report::{DeadLetter, StateHash, SyncReport};
use crate::storage::{Database, Tx, Written, stored_schema};
use crate::witness::{self, Origin};
use crate::{Cancel, Error, Row, Rows};

/// A database on this device that syncs.
///
/// Cheap to clone, and usable from any thread: clones share one database. Reads and writes never wait for the
/// network. When the last clone goes, the store is closed; [`Store::close`] does it earlier and says how it went.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    database: Database,
    hub: Arc<Hub>,
    driver: Driver,
    origin: Origin,
    /// Suspending and resuming, one at a time.
    turning: Mutex<()>,
}

impl Store {
    /// Opens a database file, making it if there is none, and brings it to the schema. May take a moment: never call
    /// it on a thread that draws.
    ///
    /// # Errors
    /// A typed error for everything that can be wrong with the path, the file, the schema or the server's address;
    /// nothing was changed then.
    pub fn open(options: Options) -> Result<Self, Error> {
        let hub = Arc::new(Hub::new());
        let database = Database::open(&options.path, &options.schema, &options.storage)?;
        let witness = options.witness.as_ref().map(|kept| &kept.0);
        let origin = witness::examine(&database, witness, &options.storage.entropy)?;
        let driver = Driver::new(&options, database.clone(), Arc::clone(&hub))?;
        let store = Self { shared: Arc::new(Shared { database, hub, driver, origin, turning: Mutex::new(()) }) };
        store.listen();
        store.shared.driver.start()?;
        Ok(store)
    }

    /// The schema a database file was made with; none where there is no database yet. For tools that open any database:
    /// an app knows its schema.
    ///
    /// # Errors
    /// A typed error for everything that can be wrong with the path or the file; it is untouched.
    pub fn stored_schema(path: impl AsRef<Path>) -> Result<Option<Schema>, Error> {
        stored_schema(path.as_ref())
    }

    /// Hands commits on to those who watch, and new work to the driver.
    fn listen(&self) {
        let hub = Arc::clone(&self.shared.hub);
        let knock = self.shared.driver.knock();
        self.shared.database.after_commit(move |changes| {
            hub.committed(changes);
            if changes.ops > 0 {
                knock.work_pending();
            }
        });
    }

    /// Runs one local transaction: all of it is saved, or nothing. It travels as one group, and is atomic everywhere.
    ///
    /// # Errors
    /// The closure's error, or a typed one; nothing was changed then.
    pub fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
        T: Send + 'static,
    {
        self.shared.database.write(work)
    }

    /// Like [`Store::write`], but once per `write_id`: a repeated id gives the first result and runs nothing, also
    /// after a crash and a restart.
    ///
    /// # Errors
    /// As [`Store::write`]; the id counts as unused then.
    pub fn write_once<F>(&self, write_id: &str, work: F) -> Result<Written, Error>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<(), Error> + Send + 'static,
    {
        self.shared.database.write_once(write_id, work)
    }

    /// Runs one SQL statement as its own local transaction and says how many rows it changed.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn execute(&self, sql: &str, params: &[Value]) -> Result<usize, Error> {
        self.shared.database.execute(sql, params)
    }

    /// Reads one row.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], or a typed error of the file.
    pub fn get(&self, table: &str, id: &str) -> Result<Option<Row>, Error> {
        self.shared.database.get(table, id)
    }

    /// Runs a query.
    ///
    /// # Errors
    /// [`Error::Sql`] or [`Error::SqlRefused`], or a typed error of the file.
    pub fn query(&self, sql: &str, params: &[Value]) -> Result<Rows, Error> {
        self.shared.database.query(sql, params)
    }

    /// Runs a query and makes something of each row: the fast path, nothing is copied that you do not copy.
    ///
    /// # Errors
    /// As [`Store::query`].
    pub fn query_map<T>(
        &self,
        sql: &str,
        params: &[Value],
        each: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        self.shared.database.query_map(sql, params, each)
    }

    /// Runs a query and hands its rows over as they come, with the names of the columns: for those who make another
    /// form of them, or pages. The rows are those of one moment, however long it takes.
    ///
    /// # Errors
    /// As [`Store::query`], and what `read` gives. A `?` on reading another type than there is says `corrupt`, as for
    /// our own tables: read with `get_ref`, or make an error of your own of it.
    pub fn query_with<T>(
        &self,
        sql: &str,
        params: &[Value],
        read: impl FnOnce(Vec<String>, &mut rusqlite::Rows<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.shared.database.query_with(sql, params, read)
    }

    /// The same, until it is cancelled: from another thread, and also where no row comes for long.
    ///
    /// # Errors
    /// As [`Store::query_with`], and [`Error::Cancelled`].
    pub fn query_until<T>(
        &self,
        cancel: &Cancel,
        sql: &str,
        params: &[Value],
        read: impl FnOnce(Vec<String>, &mut rusqlite::Rows<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.shared.database.query_until(cancel, sql, params, read)
    }

    /// Watches a query: its result now, and again after commits that change a table it reads, at most once for each.
    /// Commits that come faster than they are read are given as one, the newest; a result may equal the one before it.
    ///
    /// # Errors
    /// As [`Store::query`].
    pub fn watch(&self, sql: &str, params: &[Value]) -> Result<Watch, Error> {
        let tables = self.shared.database.tables_read(sql)?;
        let (database, sql, params) = (self.shared.database.clone(), sql.to_owned(), params.to_vec());
        let read = move || database.query(&sql, &params);
        Ok(Watch::new(Live::new(self.hub(), self.offload()?, Interest::Tables(tables), read)))
    }

    /// Where a row stands.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], or a typed error of the file.
    pub fn row_state(&self, table: &str, id: &str) -> Result<RowState, Error> {
        self.shared.driver.view().row_state(table, id)
    }

    /// Watches where a row stands.
    ///
    /// # Errors
    /// As [`Store::row_state`].
    pub fn watch_row_state(&self, table: &str, id: &str) -> Result<RowStateWatch, Error> {
        self.row_state(table, id)?;
        let (view, interest) = (self.shared.driver.view(), Interest::Sync(vec![table.to_owned()]));
        let (table, id) = (table.to_owned(), id.to_owned());
        let read = move || view.row_state(&table, &id);
        Ok(RowStateWatch::new(Live::distinct(self.hub(), self.offload()?, interest, read)))
    }

    /// Where the store stands: how much waits, what went wrong, what happens next.
    ///
    /// # Errors
    /// A typed error of the file.
    pub fn status(&self) -> Result<Status, Error> {
        self.shared.driver.view().status()
    }

    /// Watches where the store stands.
    ///
    /// # Errors
    /// As [`Store::status`].
    pub fn watch_status(&self) -> Result<StatusWatch, Error> {
        let view = self.shared.driver.view();
        let read = move || view.status();
        Ok(StatusWatch::new(Live::distinct(self.hub(), self.offload()?, Interest::Sync(Vec::new()), read)))
    }

    /// Syncs until quiet: everything that can be sent is sent, everything there is to pull is pulled.
    ///
    /// Waiting for a `Retry-After` or for somebody to sign in is not part of it: it returns and says so.
    ///
    /// # Errors
    /// [`Error::NoRemote`], [`Error::SyncStopped`] with what stopped it, or a typed error of the file. What was done
    /// until then stays done.
    ///
    /// # Cancel safety
    /// Dropping the future stops waiting, not the sync.
    pub async fn sync_now(&self) -> Result<SyncReport, Error> {
        self.shared.driver.sync()?.await
    }

    /// Like [`Store::sync_now`], waiting on this thread.
    ///
    /// # Errors
    /// As [`Store::sync_now`].
    pub fn sync_blocking(&self) -> Result<SyncReport, Error> {
        block_on(self.sync_now())
    }

    /// Syncs in time that the operating system gave: one small push first, then everything else, until quiet or until
    /// the budget is spent. A sync that runs already serves it too; there is never more than one. It begins with the
    /// call: [`Store::expire`] afterwards ends it, whether anybody waits for it already or not.
    ///
    /// # Errors
    /// [`Error::NoRemote`], [`Error::Suspended`], [`Error::Closed`]. Everything that can go wrong with a sync is an
    /// outcome, not an error.
    ///
    /// # Cancel safety
    /// Dropping the future stops waiting; the run goes on until its time is over, or [`Store::expire`].
    pub fn run_background(
        &self,
        budget: Budget,
        reason: RunReason,
    ) -> impl Future<Output = Result<BackgroundReport, Error>> + Send + use<> {
        let begun = self.shared.driver.run_background(budget, reason);
        async move { begun?.await }
    }

    /// Like [`Store::run_background`], waiting on this thread.
    ///
    /// # Errors
    /// As [`Store::run_background`].
    pub fn run_background_blocking(&self, budget: Budget, reason: RunReason) -> Result<BackgroundReport, Error> {
        block_on(self.run_background(budget, reason))
    }

    /// Says that the operating system takes its time back. Returns at once; the run ends at a safe point within a
    /// second, and nothing counts as a failed attempt. What a person who looks on waits for goes on.
    pub fn expire(&self) {
        self.shared.driver.expire();
    }

    /// Says what the device is like: network, foreground, power. A hint: it can start a sync and put one off, never
    /// stop it for good. Until it is called, a person is taken to look on.
    pub fn set_conditions(&self, conditions: Conditions) {
        self.shared.driver.set_conditions(conditions);
    }

    /// What happens next and why, and what the operating system is to hold in case the process ends.
    #[must_use]
    pub fn next_wake(&self) -> NextWake {
        self.shared.driver.view().next_wake()
    }

    /// Watches what happens next: for hosts, which pass it on to the operating system.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn watch_next_wake(&self) -> Result<NextWakeWatch, Error> {
        let view = self.shared.driver.view();
        let read = move || Ok(view.next_wake());
        Ok(NextWakeWatch::new(Live::distinct(self.hub(), self.offload()?, Interest::Sync(Vec::new()), read)))
    }

    /// Says that the app has a new token, or that somebody signed in.
    pub fn token_changed(&self) {
        self.shared.driver.knock().token_changed();
    }

    /// Says whether there seems to be a network. A hint: it can start a sync and put one off, never stop it for good.
    pub fn network_changed(&self, up: bool) {
        self.shared.driver.knock().network_changed(up);
    }

    /// Says that the server has something new (a push notification, say).
    pub fn poke(&self) {
        self.shared.driver.knock().poked();
    }

    /// Every refused change, oldest first.
    ///
    /// # Errors
    /// A typed error of the file.
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter>, Error> {
        self.shared.driver.view().dead_letters()
    }

    /// Sends a refused change again, as a new one based on the rows as they are now.
    ///
    /// # Errors
    /// [`Error::DeadLetterMissing`], [`Error::DeadLetterStale`], or a typed error of the file; it stays where it is then.
    pub fn retry_dead_letter(&self, id: i64) -> Result<(), Error> {
        self.shared.driver.view().retry_dead_letter(id)
    }

    /// The hash of what the server confirmed to this device.
    ///
    /// # Errors
    /// A typed error of the file.
    pub fn state_hash(&self) -> Result<StateHash, Error> {
        self.shared.driver.view().state_hash()
    }

    /// This installation, and its present life: what a token or a support request may name.
    ///
    /// # Errors
    /// A typed error of the file.
    pub fn identity(&self) -> Result<(DeviceId, Incarnation), Error> {
        self.shared.database.identity()
    }

    /// Where the database came from, as its witness said when it was opened: whether it is a copy, or begins anew because
    /// the one this device knew is gone.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.shared.origin
    }

    /// What syncing did since the store was opened, also in syncs that were stopped.
    #[must_use]
    pub fn totals(&self) -> SyncReport {
        self.shared.driver.view().doing().totals
    }

    /// The schema.
    #[must_use]
    pub fn schema(&self) -> Arc<Schema> {
        Arc::clone(self.shared.database.schema())
    }

    /// Moves what was committed from the write-ahead log into the file.
    ///
    /// # Errors
    /// A typed error of the file.
    pub fn checkpoint(&self) -> Result<(), Error> {
        self.shared.database.checkpoint()
    }

    /// Lets go of the database file before the system suspends the app: ends requests under way, closes every
    /// connection and releases every lock. When it returns no lock is held and no thread takes one, until
    /// [`Store::resume`]; calls in between say [`Error::Suspended`], and watches wait. Takes a second at most. What was
    /// written stays written; a sync under way is begun again, and nothing counts as a failed attempt.
    ///
    /// # Errors
    /// [`Error::Busy`] if a closure of the app holds on to a transaction: then locks are still held, nobody new is let
    /// in, and calling again waits again. [`Error::Reentrant`] inside a write, [`Error::Closed`], or a typed error of
    /// the file; it is let go of all the same then.
    pub fn suspend(&self) -> Result<(), Error> {
        let _one_at_a_time = self.shared.turning.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.database.may_leave()?;
        self.shared.hub.suspend();
        self.shared.driver.suspend();
        self.shared.database.suspend()
    }

    /// Takes the database file again after [`Store::suspend`], and goes on where it was: watches give what is there
    /// now, and what syncs by itself does. Without a suspension it does nothing.
    ///
    /// # Errors
    /// [`Error::AlreadyOpen`] while another process has the file; still suspended then, and it can be tried again.
    /// [`Error::Closed`], or a typed error of the file.
    pub fn resume(&self) -> Result<(), Error> {
        let _one_at_a_time = self.shared.turning.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.database.resume()?;
        self.shared.hub.resume();
        self.shared.driver.resume()
    }

    /// Ends syncing and every watch, waits for the running transaction and closes the file. A sync under way writes
    /// nothing afterwards; what it had sent is sent again next time. Later calls on any clone say [`Error::Closed`];
    /// closing twice is fine.
    ///
    /// # Errors
    /// [`Error::Reentrant`] inside a write, or a typed error of the file; it is closed all the same then.
    pub fn close(&self) -> Result<(), Error> {
        self.shared.close()
    }

    pub(crate) fn database(&self) -> &Database {
        &self.shared.database
    }

    fn hub(&self) -> Arc<Hub> {
        Arc::clone(&self.shared.hub)
    }

    fn offload(&self) -> Result<Offload, Error> {
        self.shared.driver.offload()
    }
}

impl Shared {
    fn close(&self) -> Result<(), Error> {
        self.driver.stop();
        self.hub.close();
        match self.database.close() {
            Err(Error::Closed) => Ok(()),
            closed => closed,
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Nobody is left to hear how it went; what was acknowledged is safe either way.
        let _ = self.close();
    }
}

/// Shows nothing of what is in it.
impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}
