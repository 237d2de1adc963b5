//! A store, as apps call it.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use turnstone::{Cancel, Error, Store};

use crate::buffer::{self, Builder};
use crate::error::FfiError;
use crate::fence;
use crate::open::{self, FfiHooks, FfiOptions};
use crate::pages::FfiPages;
use crate::records::{
    FfiDeadLetter, FfiIdentity, FfiOrigin, FfiRowState, FfiStateHash, FfiStatus, FfiSyncReport, FfiWritten,
};
use crate::transaction::FfiTransaction;
use crate::value::{FfiChange, FfiValue, apply, ids_from, ids_to, values};
use crate::watch::{FfiRowStateWatch, FfiStatusWatch, FfiWatch};

/// Writers that may wait for each other at once, of one store: reads must always find a thread.
const WRITERS_MAX: usize = 8;

/// A database on this device that syncs. Close it: a store that is only forgotten is closed when its last owner is
/// collected, which may take long.
#[derive(uniffi::Object)]
pub struct FfiStore {
    pub(crate) store: Store,
    pub(crate) writers: Arc<Semaphore>,
    /// Why it lets go of the file, suspended or closed, while it does: ends what reads or writes for a long time.
    pub(crate) leaving: watch::Sender<Option<Error>>,
}

/// Cancels what is read for a caller who goes away.
struct GoneWithItsCaller(Cancel);

impl Drop for GoneWithItsCaller {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Ends the wait of one call, and what is read for it. Cancelling before the call begins ends it too.
#[derive(uniffi::Object)]
pub struct FfiCancel {
    cancelled: watch::Sender<bool>,
    reading: Cancel,
}

#[uniffi::export]
impl FfiCancel {
    /// Something to cancel with.
    #[uniffi::constructor]
    pub fn create() -> Result<Arc<Self>, FfiError> {
        fence::quick("cancel_create", || {
            Ok(Arc::new(Self { cancelled: watch::Sender::new(false), reading: Cancel::default() }))
        })
    }

    /// Ends the wait: the call says `Cancelled`.
    pub fn cancel(&self) -> Result<(), FfiError> {
        fence::quick("cancel_cancel", || {
            self.cancelled.send_replace(true);
            self.reading.cancel();
            Ok(())
        })
    }
}

#[uniffi::export]
impl FfiStore {
    /// Opens a database file, making it if there is none, and brings it to the schema.
    #[uniffi::constructor]
    pub async fn open(options: FfiOptions, hooks: FfiHooks) -> Result<Arc<Self>, FfiError> {
        fence::blocking("open", move || {
            let store = open::open(options, hooks)?;
            log::info!(target: "turnstone", "opened a store");
            let writers = Arc::new(Semaphore::new(WRITERS_MAX));
            Ok(Arc::new(Self { store, writers, leaving: watch::Sender::new(None) }))
        })
        .await
    }

    /// Runs changes as one transaction: all of it is saved, or nothing. With a `write_id` it is done once, however often
    /// it is asked for, also after a crash.
    pub async fn write(
        self: Arc<Self>,
        changes: Vec<FfiChange>,
        write_id: Option<String>,
    ) -> Result<FfiWritten, FfiError> {
        self.writing("write", move |store| {
            let Some(write_id) = write_id else {
                let ids = store.write(move |tx| apply(tx, changes))?;
                return Ok(FfiWritten { ids, repeated: false });
            };
            let written = store.write_once(&write_id, move |tx| {
                let ids = apply(tx, changes)?;
                tx.remember(ids_to(&ids));
                Ok(())
            })?;
            Ok(FfiWritten { ids: ids_from(written.result.as_deref())?, repeated: written.repeated })
        })
        .await
    }

    /// Runs one SQL statement as its own transaction and says how many rows it changed.
    pub async fn execute(self: Arc<Self>, sql: String, params: Vec<FfiValue>) -> Result<u64, FfiError> {
        self.writing("execute", move |store| Ok(store.execute(&sql, &values(params))? as u64)).await
    }

    /// Begins a transaction that reads before it writes. Other writes wait until it ends.
    pub async fn begin(self: Arc<Self>) -> Result<Arc<FfiTransaction>, FfiError> {
        fence::task("begin", FfiTransaction::begin(self)).await
    }

    /// Reads one row, as a buffer of one row: its id, then its fields with their declared types.
    pub async fn get(self: Arc<Self>, table: String, id: String) -> Result<Option<Vec<u8>>, FfiError> {
        fence::blocking("get", move || {
            let found = self.store.get(&table, &id)?;
            Ok(found.map(|row| buffer::row(&row)).transpose()?)
        })
        .await
    }

    /// Runs a query: all its rows in one buffer. For more than some ten thousand rows ask for `pages`. It ends with the wait of
    /// whoever asked, and where it is cancelled.
    pub async fn query(
        self: Arc<Self>,
        sql: String,
        params: Vec<FfiValue>,
        cancel: Option<Arc<FfiCancel>>,
    ) -> Result<Vec<u8>, FfiError> {
        let cancel = cancel.map_or_else(Cancel::default, |cancel| cancel.reading.clone());
        let _gone = GoneWithItsCaller(cancel.clone());
        fence::blocking("query", move || {
            let read = |names: Vec<String>, rows: &mut rusqlite::Rows<'_>| {
                let columns = names.len();
                let mut builder = Builder::new(names);
                while let Some(row) = rows.next()? {
                    for at in 0..columns {
                        builder.push(buffer::raw_cell(row.get_ref(at)?)?)?;
                    }
                }
                Ok(builder.finish())
            };
            Ok(self.store.query_until(&cancel, &sql, &values(params), read)?)
        })
        .await
    }

    /// Runs a query whose rows come page by page, all of one moment. A page ends at `rows_max` rows or about `bytes_max`
    /// bytes, whichever comes first.
    pub fn pages(
        self: Arc<Self>,
        sql: String,
        params: Vec<FfiValue>,
        rows_max: u32,
        bytes_max: u32,
    ) -> Result<Arc<FfiPages>, FfiError> {
        fence::quick("pages", move || FfiPages::start(&self, sql, params, rows_max, bytes_max))
    }

    /// Watches a query: its rows now, and again after every commit that changes a table it reads.
    pub async fn watch(self: Arc<Self>, sql: String, params: Vec<FfiValue>) -> Result<Arc<FfiWatch>, FfiError> {
        fence::blocking("watch", move || Ok(FfiWatch::new(self.store.watch(&sql, &values(params))?))).await
    }

    /// Watches where the store stands.
    pub async fn watch_status(self: Arc<Self>) -> Result<Arc<FfiStatusWatch>, FfiError> {
        fence::blocking("watch_status", move || Ok(FfiStatusWatch::new(self.store.watch_status()?))).await
    }

    /// Watches where a row stands.
    pub async fn watch_row_state(
        self: Arc<Self>,
        table: String,
        id: String,
    ) -> Result<Arc<FfiRowStateWatch>, FfiError> {
        fence::blocking("watch_row_state", move || Ok(FfiRowStateWatch::new(self.store.watch_row_state(&table, &id)?)))
            .await
    }

    /// Where a row stands.
    pub async fn row_state(self: Arc<Self>, table: String, id: String) -> Result<FfiRowState, FfiError> {
        fence::blocking("row_state", move || Ok(self.store.row_state(&table, &id)?.into())).await
    }

    /// Where the store stands: how much waits, what went wrong, what happens next.
    pub async fn status(self: Arc<Self>) -> Result<FfiStatus, FfiError> {
        fence::blocking("status", move || Ok(self.store.status()?.into())).await
    }

    /// Syncs until quiet: everything that can be sent is sent, everything there is to fetch is fetched. Cancelling ends
    /// the wait, not the sync: what is under way ends by itself.
    pub async fn sync(self: Arc<Self>, cancel: Option<Arc<FfiCancel>>) -> Result<FfiSyncReport, FfiError> {
        fence::task("sync", async move {
            let cancelled = async {
                match &cancel {
                    Some(cancel) => drop(cancel.cancelled.subscribe().wait_for(|cancelled| *cancelled).await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = cancelled => Err(FfiError::cancelled()),
                done = self.store.sync_now() => Ok(done?.into()),
            }
        })
        .await
    }

    /// Says that the app has a new token, or that somebody signed in.
    pub fn token_changed(&self) -> Result<(), FfiError> {
        fence::quick("token_changed", || {
            self.store.token_changed();
            Ok(())
        })
    }

    /// Says whether there seems to be a network. A hint: it can start a sync and put one off, never stop it for good.
    pub fn network_changed(&self, up: bool) -> Result<(), FfiError> {
        fence::quick("network_changed", || {
            self.store.network_changed(up);
            Ok(())
        })
    }

    /// Says that the server has something new (a push notification, say).
    pub fn poke(&self) -> Result<(), FfiError> {
        fence::quick("poke", || {
            self.store.poke();
            Ok(())
        })
    }

    /// Every refused change, oldest first.
    pub async fn dead_letters(self: Arc<Self>) -> Result<Vec<FfiDeadLetter>, FfiError> {
        fence::blocking("dead_letters", move || {
            Ok(self.store.dead_letters()?.into_iter().map(FfiDeadLetter::from).collect())
        })
        .await
    }

    /// Sends a refused change again, as a new one based on the rows as they are now.
    pub async fn retry_dead_letter(self: Arc<Self>, id: i64) -> Result<(), FfiError> {
        self.writing("retry_dead_letter", move |store| Ok(store.retry_dead_letter(id)?)).await
    }

    /// The hash of what the server confirmed to this device.
    pub async fn state_hash(self: Arc<Self>) -> Result<FfiStateHash, FfiError> {
        fence::blocking("state_hash", move || Ok(self.store.state_hash()?.into())).await
    }

    /// This installation, and its present life.
    pub async fn identity(self: Arc<Self>) -> Result<FfiIdentity, FfiError> {
        fence::blocking("identity", move || {
            let (device, incarnation) = self.store.identity()?;
            Ok(FfiIdentity { device: device.to_string(), incarnation: incarnation.to_string() })
        })
        .await
    }

    /// Where the database came from, as its witness said when it was opened.
    pub fn origin(&self) -> Result<FfiOrigin, FfiError> {
        fence::quick("origin", || Ok(self.store.origin().into()))
    }

    /// What syncing did since the store was opened.
    pub fn totals(&self) -> Result<FfiSyncReport, FfiError> {
        fence::quick("totals", || Ok(self.store.totals().into()))
    }

    /// Moves what was committed from the write-ahead log into the file.
    pub async fn checkpoint(self: Arc<Self>) -> Result<(), FfiError> {
        self.writing("checkpoint", |store| Ok(store.checkpoint()?)).await
    }

    /// Ends syncing, every watch and every open transaction, and closes the file. Later calls say `Closed`; closing
    /// twice is fine.
    pub async fn shutdown(self: Arc<Self>) -> Result<(), FfiError> {
        fence::blocking("shutdown", move || {
            self.leaving.send_replace(Some(Error::Closed));
            Ok(self.store.close()?)
        })
        .await
    }
}

impl FfiStore {
    /// Runs something that waits for the writer's seat.
    async fn writing<T: Send + 'static>(
        self: Arc<Self>,
        name: &'static str,
        work: impl FnOnce(&Store) -> Result<T, FfiError> + Send + 'static,
    ) -> Result<T, FfiError> {
        let waiting = async move {
            let _permit = Arc::clone(&self.writers).acquire_owned().await.map_err(|_| FfiError::closed())?;
            fence::blocking(name, move || work(&self.store)).await
        };
        fence::task("writing", waiting).await
    }
}
