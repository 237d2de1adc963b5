//! The rows of a query page by page, all of one moment.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, watch};
use turnstone::{Cancel, Error};

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
    pages: Mutex<mpsc::Receiver<Vec<u8>>>,
    /// A page that was taken for a caller who went away.
    kept: std::sync::Mutex<Option<Vec<u8>>>,
    /// Why it ended before its last row.
    broken: Arc<OnceLock<FfiError>>,
    cancelled: watch::Sender<bool>,
    reading: Cancel,
}

#[uniffi::export]
impl FfiPages {
    /// The next page; none after the last one, or once it was cancelled. There is always a first page, which may be
    /// empty: it names the columns. Where the rows end early it says why: never none.
    pub async fn next(self: Arc<Self>) -> Result<Option<Vec<u8>>, FfiError> {
        let pages = Arc::clone(&self);
        fence::listen("pages_next", async move {
            let mut waiting = pages.pages.lock().await;
            let mut kept = pages.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
            if kept.is_none() {
                kept = waiting.recv().await;
            }
            if let (None, Some(why)) = (&kept, pages.broken.get()) {
                return Err(why.clone());
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
            self.end();
            Ok(())
        })
    }
}

impl FfiPages {
    /// Wherever it stands: between two pages or far from the next row.
    fn end(&self) {
        self.cancelled.send_replace(true);
        self.reading.cancel();
    }

    pub(crate) fn start(
        store: &Arc<FfiStore>,
        sql: String,
        params: Vec<FfiValue>,
        rows_max: u32,
        bytes_max: u32,
    ) -> Result<Arc<Self>, FfiError> {
        let (sender, pages) = mpsc::channel(1);
        let (cancelled, broken) = (watch::Sender::new(false), Arc::new(OnceLock::new()));
        let (rows_max, bytes_max) = (rows_max.max(1) as usize, bytes_max as usize);
        let leaving = store.leaving.subscribe();
        let out = Out { sender, rows_max, bytes_max, cancelled: cancelled.subscribe(), leaving };
        let (tell, reading) = (Arc::clone(&broken), Cancel::default());
        let cancel = reading.clone();
        let store = store.store.clone();
        fence::runtime()?.spawn_blocking(move || {
            let done = fence::quick("pages_read", || {
                let done = store.query_until(&cancel, &sql, &values(params), |names, rows| out.fill(names, rows));
                done.map_err(|error| if matches!(error, Error::Lost) { unread() } else { error.into() })
            });
            if let Err(why) = done
                && !*out.cancelled.borrow()
            {
                let _ = tell.set(why);
            }
            // Only now: whoever finds no page any more must find why.
            drop(out);
        });
        Ok(Arc::new(Self { pages: Mutex::new(pages), kept: std::sync::Mutex::default(), broken, cancelled, reading }))
    }
}

fn unread() -> FfiError {
    let text = "a page waited for a minute to be read, so the rest was given up: ask for the pages again";
    FfiError::Retryable { code: "pages_unread".to_owned(), text: text.to_owned() }
}

impl Drop for FfiPages {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where pages go.
struct Out {
    sender: mpsc::Sender<Vec<u8>>,
    rows_max: usize,
    bytes_max: usize,
    cancelled: watch::Receiver<bool>,
    leaving: watch::Receiver<Option<Error>>,
}

impl Out {
    /// Makes pages of rows and hands them over, at least one.
    fn fill(&self, names: Vec<String>, rows: &mut rusqlite::Rows<'_>) -> Result<(), Error> {
        let (columns, mut sent) = (names.len(), false);
        let mut builder = Builder::new(names);
        while let Some(row) = rows.next()? {
            for at in 0..columns {
                builder.push(buffer::raw_cell(row.get_ref(at)?)?)?;
            }
            if builder.rows() >= self.rows_max || builder.len() >= self.bytes_max {
                self.send(builder.take())?;
                sent = true;
            }
        }
        if builder.rows() > 0 || !sent { self.send(builder.finish()) } else { Ok(()) }
    }

    /// Hands a page over, or ends the query where nobody wants it any more.
    fn send(&self, page: Vec<u8>) -> Result<(), Error> {
        let (mut cancelled, mut leaving) = (self.cancelled.clone(), self.leaving.clone());
        let Ok(runtime) = fence::runtime() else { return Err(Error::Closed) };
        runtime.block_on(async {
            tokio::select! {
                biased;
                _ = cancelled.wait_for(|cancelled| *cancelled) => Err(Error::Closed),
                why = leaving.wait_for(Option::is_some) => {
                    Err(why.ok().and_then(|why| why.clone()).unwrap_or(Error::Closed))
                }
                sent = self.sender.send_timeout(page, PATIENCE) => sent.map_err(|_| Error::Lost),
            }
        })
    }
}
