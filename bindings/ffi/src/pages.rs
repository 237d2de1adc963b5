//! The rows of a query page by page, all of one moment.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, watch};
use turnstone::Error;

use crate::buffer::{self, Builder};
use crate::error::FfiError;
use crate::fence;
use crate::store::FfiStore;
use crate::value::{FfiValue, values};

/// How long an unread page waits: the moment it shows keeps the write-ahead log from shrinking.
const PATIENCE: Duration = Duration::from_secs(60);

/// The rows of a query, page by page. Cancel it, or read it to its end.
#[derive(uniffi::Object)]
pub struct FfiPages {
    pages: Mutex<mpsc::Receiver<Result<Vec<u8>, FfiError>>>,
    /// A page that was taken for a caller who went away.
    kept: std::sync::Mutex<Option<Vec<u8>>>,
    cancelled: watch::Sender<bool>,
}

#[uniffi::export]
impl FfiPages {
    /// The next page; none after the last one, or once it was cancelled. There is always a first page, which may be
    /// empty: it names the columns.
    pub async fn next(self: Arc<Self>) -> Result<Option<Vec<u8>>, FfiError> {
        let pages = Arc::clone(&self);
        fence::listen("pages_next", async move {
            let mut waiting = pages.pages.lock().await;
            let mut kept = pages.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
            if kept.is_none() {
                kept = waiting.recv().await.transpose()?;
            }
            *pages.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = kept;
            Ok(())
        })
        .await?;
        Ok(self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take())
    }

    /// Ends it.
    pub fn cancel(&self) -> Result<(), FfiError> {
        fence::quick("pages_cancel", || {
            self.cancelled.send_replace(true);
            Ok(())
        })
    }
}

impl FfiPages {
    pub(crate) fn start(
        store: &Arc<FfiStore>,
        sql: String,
        params: Vec<FfiValue>,
        rows_max: u32,
        bytes_max: u32,
    ) -> Result<Arc<Self>, FfiError> {
        let (sender, pages) = mpsc::channel(1);
        let cancelled = watch::Sender::new(false);
        let out = Out { sender, cancelled: cancelled.subscribe(), closing: store.closing.subscribe() };
        let store = store.store.clone();
        let (rows_max, bytes_max) = (rows_max.max(1) as usize, bytes_max as usize);
        fence::runtime()?.spawn_blocking(move || {
            let done = store.query_with(&sql, &values(params), |names, rows| {
                let (columns, mut sent) = (names.len(), false);
                let mut builder = Builder::new(names);
                while let Some(row) = rows.next()? {
                    for at in 0..columns {
                        builder.push(buffer::raw_cell(row.get_ref(at)?)?)?;
                    }
                    if builder.rows() >= rows_max || builder.len() >= bytes_max {
                        out.send(Ok(builder.take()))?;
                        sent = true;
                    }
                }
                if builder.rows() > 0 || !sent { out.send(Ok(builder.finish())) } else { Ok(()) }
            });
            if let Err(error) = done {
                // Nobody may be left to hear it.
                let _ = out.send(Err(error.into()));
            }
        });
        Ok(Arc::new(Self { pages: Mutex::new(pages), kept: std::sync::Mutex::default(), cancelled }))
    }
}

impl Drop for FfiPages {
    fn drop(&mut self) {
        self.cancelled.send_replace(true);
    }
}

/// Where pages go.
struct Out {
    sender: mpsc::Sender<Result<Vec<u8>, FfiError>>,
    cancelled: watch::Receiver<bool>,
    closing: watch::Receiver<bool>,
}

impl Out {
    /// Hands a page over, or ends the query where nobody wants it any more.
    fn send(&self, page: Result<Vec<u8>, FfiError>) -> Result<(), Error> {
        let (mut cancelled, mut closing) = (self.cancelled.clone(), self.closing.clone());
        let Ok(runtime) = fence::runtime() else { return Err(Error::Closed) };
        runtime.block_on(async {
            tokio::select! {
                biased;
                _ = cancelled.wait_for(|cancelled| *cancelled) => Err(Error::Closed),
                _ = closing.wait_for(|closing| *closing) => Err(Error::Closed),
                sent = self.sender.send_timeout(page, PATIENCE) => sent.map_err(|_| Error::Closed),
            }
        })
    }
}
