//! Live queries: `next` gives what is new, `cancel` ends them. No data travels in callbacks.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use turnstone::{Error, NextWakeWatch, RowStateWatch, StatusWatch, Watch};

use crate::background::FfiNextWake;
use crate::buffer;
use crate::error::FfiError;
use crate::fence;
use crate::records::{FfiRowState, FfiStatus};

/// A value that was read for a caller who went away before it had it.
struct Kept<T>(Arc<Mutex<Option<T>>>);

impl<T: Send + 'static> Kept<T> {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Gives what is kept, else what comes next. Whoever goes away while it comes finds it the next time.
    async fn or_next(
        &self,
        name: &'static str,
        next: impl Future<Output = Result<Option<T>, FfiError>> + Send + 'static,
    ) -> Result<Option<T>, FfiError> {
        let kept = Arc::clone(&self.0);
        fence::listen(name, async move {
            if kept.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
                let came = next.await?;
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = came;
            }
            Ok(())
        })
        .await?;
        Ok(self.take())
    }
}

/// What came, or why nothing did.
fn came<T>(value: Option<T>, error: Option<Error>) -> Result<Option<T>, FfiError> {
    match (value, error) {
        (Some(value), _) => Ok(Some(value)),
        (None, Some(error)) => Err(error.into()),
        (None, None) => Ok(None),
    }
}

/// The rows of a query: now, and again after every commit that changes a table it reads.
#[derive(uniffi::Object)]
pub struct FfiWatch {
    watch: Watch,
    kept: Kept<Vec<u8>>,
}

impl FfiWatch {
    pub(crate) fn new(watch: Watch) -> Arc<Self> {
        Arc::new(Self { watch, kept: Kept::new() })
    }
}

#[uniffi::export]
impl FfiWatch {
    /// Waits for rows; the first ones are there at once, and a reader that is slow gets the newest. None: it has ended.
    pub async fn next(self: Arc<Self>) -> Result<Option<Vec<u8>>, FfiError> {
        let watch = self.watch.clone();
        let next = async move {
            let rows = watch.next().await;
            let error = if rows.is_none() { watch.error() } else { None };
            Ok(came(rows, error)?.map(|rows| buffer::rows(&rows)).transpose()?)
        };
        self.kept.or_next("watch_next", next).await
    }

    /// Ends it: a call that waits gives none.
    pub fn cancel(&self) -> Result<(), FfiError> {
        fence::quick("watch_cancel", || {
            self.watch.close();
            Ok(())
        })
    }
}

/// Where the store stands: now, and again whenever it changes.
#[derive(uniffi::Object)]
pub struct FfiStatusWatch {
    watch: StatusWatch,
    kept: Kept<FfiStatus>,
}

impl FfiStatusWatch {
    pub(crate) fn new(watch: StatusWatch) -> Arc<Self> {
        Arc::new(Self { watch, kept: Kept::new() })
    }
}

#[uniffi::export]
impl FfiStatusWatch {
    /// Waits for a status; the first one is there at once. None: it has ended.
    pub async fn next(self: Arc<Self>) -> Result<Option<FfiStatus>, FfiError> {
        let watch = self.watch.clone();
        let next = async move {
            let status = watch.next().await;
            let error = if status.is_none() { watch.error() } else { None };
            Ok(came(status, error)?.map(FfiStatus::from))
        };
        self.kept.or_next("status_watch_next", next).await
    }

    /// Ends it: a call that waits gives none.
    pub fn cancel(&self) -> Result<(), FfiError> {
        fence::quick("status_watch_cancel", || {
            self.watch.close();
            Ok(())
        })
    }
}

/// Where a row stands: now, and again whenever it changes.
#[derive(uniffi::Object)]
pub struct FfiRowStateWatch {
    watch: RowStateWatch,
    kept: Kept<FfiRowState>,
}

impl FfiRowStateWatch {
    pub(crate) fn new(watch: RowStateWatch) -> Arc<Self> {
        Arc::new(Self { watch, kept: Kept::new() })
    }
}

#[uniffi::export]
impl FfiRowStateWatch {
    /// Waits for a state; the first one is there at once. None: it has ended.
    pub async fn next(self: Arc<Self>) -> Result<Option<FfiRowState>, FfiError> {
        let watch = self.watch.clone();
        let next = async move {
            let state = watch.next().await;
            let error = if state.is_none() { watch.error() } else { None };
            Ok(came(state, error)?.map(FfiRowState::from))
        };
        self.kept.or_next("row_state_watch_next", next).await
    }

    /// Ends it: a call that waits gives none.
    pub fn cancel(&self) -> Result<(), FfiError> {
        fence::quick("row_state_watch_cancel", || {
            self.watch.close();
            Ok(())
        })
    }
}

/// What happens next, and what the operating system is to hold: now, and again whenever it changes.
#[derive(uniffi::Object)]
pub struct FfiNextWakeWatch {
    watch: NextWakeWatch,
    kept: Kept<FfiNextWake>,
}

impl FfiNextWakeWatch {
    pub(crate) fn new(watch: NextWakeWatch) -> Arc<Self> {
        Arc::new(Self { watch, kept: Kept::new() })
    }
}

#[uniffi::export]
impl FfiNextWakeWatch {
    /// Waits for what happens next; the first is there at once. None: it has ended.
    pub async fn next(self: Arc<Self>) -> Result<Option<FfiNextWake>, FfiError> {
        let watch = self.watch.clone();
        let next = async move { Ok(watch.next().await.map(FfiNextWake::from)) };
        self.kept.or_next("next_wake_watch_next", next).await
    }

    /// Ends it: a call that waits gives none.
    pub fn cancel(&self) -> Result<(), FfiError> {
        fence::quick("next_wake_watch_cancel", || {
            self.watch.close();
            Ok(())
        })
    }
}
