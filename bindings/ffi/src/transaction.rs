//! A transaction the app drives step by step: it reads, decides, and writes.
//!
//! The writer's seat is held by a thread that waits for the app's steps. It gives up after a while without one, so that
//! an app that forgets a transaction does not stop every other write.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use turnstone::{Error, Tx};

use crate::buffer;
use crate::error::FfiError;
use crate::fence;
use crate::store::FfiStore;
use crate::value::{FfiChange, FfiValue, apply, values};

/// How long a transaction waits for the app's next step.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks whether the store lets go of the file.
const LOOK: Duration = Duration::from_millis(100);

/// A step, run inside the transaction.
type Step = Box<dyn FnOnce(&mut Tx<'_>) + Send>;

enum Ask {
    Run(Step),
    Commit,
    Rollback,
}

/// An open transaction. Commit it, or nothing of it happens. After 10 seconds without a step it is rolled back by itself.
#[derive(uniffi::Object)]
pub struct FfiTransaction {
    asks: Mutex<Option<Sender<Ask>>>,
    ended: tokio::sync::Mutex<Option<oneshot::Receiver<Result<(), FfiError>>>>,
}

#[uniffi::export]
impl FfiTransaction {
    /// Runs changes inside the transaction and gives the ids of the rows that inserts made. If it fails, the transaction
    /// goes on without them.
    pub async fn apply(self: Arc<Self>, changes: Vec<FfiChange>) -> Result<Vec<String>, FfiError> {
        let step = self.step(|tx| Ok(tx.savepoint(|tx| apply(tx, changes))?));
        fence::task("transaction_apply", step).await
    }

    /// Runs one SQL statement and says how many rows it changed.
    pub async fn execute(self: Arc<Self>, sql: String, params: Vec<FfiValue>) -> Result<u64, FfiError> {
        let step = self.step(move |tx| Ok(tx.execute(&sql, &values(params))? as u64));
        fence::task("transaction_execute", step).await
    }

    /// Runs a query on what this transaction sees.
    pub async fn query(self: Arc<Self>, sql: String, params: Vec<FfiValue>) -> Result<Vec<u8>, FfiError> {
        let step = self.step(move |tx| Ok(buffer::rows(&tx.query(&sql, &values(params))?)?));
        fence::task("transaction_query", step).await
    }

    /// Reads one row as this transaction sees it.
    pub async fn get(self: Arc<Self>, table: String, id: String) -> Result<Option<Vec<u8>>, FfiError> {
        let step = self.step(move |tx| Ok(tx.get(&table, &id)?.map(|row| buffer::row(&row)).transpose()?));
        fence::task("transaction_get", step).await
    }

    /// Saves everything, or says why nothing was.
    pub async fn commit(self: Arc<Self>) -> Result<(), FfiError> {
        fence::task("transaction_commit", self.end(Ask::Commit)).await
    }

    /// Undoes everything. Fine also when it has ended already.
    pub async fn rollback(self: Arc<Self>) -> Result<(), FfiError> {
        fence::task("transaction_rollback", async move {
            // However it ended, nothing of it happened.
            let _ = self.end(Ask::Rollback).await;
            Ok(())
        })
        .await
    }
}

impl FfiTransaction {
    /// Waits for the writer's seat and takes it.
    pub(crate) async fn begin(store: Arc<FfiStore>) -> Result<Arc<Self>, FfiError> {
        let permit = Arc::clone(&store.writers).acquire_owned().await.map_err(|_| FfiError::closed())?;
        let (asks, steps) = channel::<Ask>();
        let (seated, sits) = oneshot::channel();
        let (tell, ended) = oneshot::channel();
        let leaving = store.leaving.subscribe();
        let running = fence::runtime()?.spawn_blocking(move || {
            let _permit = permit;
            store.store.write(move |tx| {
                let _ = seated.send(());
                let mut waited = Duration::ZERO;
                loop {
                    match steps.recv_timeout(LOOK) {
                        Ok(Ask::Run(step)) => {
                            step(tx);
                            waited = Duration::ZERO;
                        }
                        Ok(Ask::Commit) => return Ok(()),
                        Ok(Ask::Rollback) | Err(RecvTimeoutError::Disconnected) => return Err(Error::Lost),
                        Err(RecvTimeoutError::Timeout) => waited += LOOK,
                    }
                    if let Some(why) = leaving.borrow().clone() {
                        return Err(why);
                    }
                    if waited >= PATIENCE {
                        return Err(Error::Lost);
                    }
                }
            })
        });
        fence::runtime()?.spawn(async move {
            let done = match running.await {
                Ok(done) => done.map_err(FfiError::from),
                Err(error) => Err(fence::ended(&error)),
            };
            let _ = tell.send(done);
        });
        if sits.await.is_err() {
            // It never began: the store says why.
            return Err(ended.await.unwrap_or_else(|_| Err(FfiError::closed())).err().unwrap_or_else(FfiError::closed));
        }
        Ok(Arc::new(Self { asks: Mutex::new(Some(asks)), ended: tokio::sync::Mutex::new(Some(ended)) }))
    }

    async fn step<T: Send + 'static>(
        self: Arc<Self>,
        step: impl FnOnce(&mut Tx<'_>) -> Result<T, FfiError> + Send + 'static,
    ) -> Result<T, FfiError> {
        let (reply, answer) = oneshot::channel();
        let ask = Ask::Run(Box::new(move |tx| drop(reply.send(step(tx)))));
        let sent = match &*self.asks.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(asks) => asks.send(ask).is_ok(),
            None => return Err(over()),
        };
        if !sent {
            return Err(lost());
        }
        answer.await.unwrap_or_else(|_| Err(lost()))
    }

    async fn end(self: Arc<Self>, how: Ask) -> Result<(), FfiError> {
        let asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(over)?;
        // Where nobody listens, how it ended is known already.
        let _ = asks.send(how);
        let ended = self.ended.lock().await.take().ok_or_else(over)?;
        ended.await.unwrap_or_else(|_| Err(lost()))
    }
}

/// It was committed or rolled back before.
fn over() -> FfiError {
    FfiError::invalid("transaction_over", "the transaction was committed or rolled back before")
}

fn lost() -> FfiError {
    Error::Lost.into()
}
