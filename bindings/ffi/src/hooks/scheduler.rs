//! The operating system's scheduler, as a host reaches it.

use std::sync::Arc;

use turnstone::Store;

use crate::background::FfiWish;
use crate::error::FfiError;
use crate::fence;
use crate::hooks::FfiHookFailure;

/// Holds one wish for a store: WorkManager, BGTaskScheduler, or a test's.
#[uniffi::export(foreign)]
pub trait FfiPlatformScheduler: Send + Sync {
    /// Holds this wish instead of the last one; none: nothing is to be held any more. Called one at a time, on a thread of
    /// its own, at first with what is wished when the store opens. What it throws is logged.
    fn schedule(&self, wish: Option<FfiWish>) -> Result<(), FfiHookFailure>;
}

/// Tells the host each new wish, until the store closes.
pub(crate) fn start(store: &Store, host: Arc<dyn FfiPlatformScheduler>) -> Result<(), FfiError> {
    let watch = store.watch_next_wake()?;
    fence::runtime()?.spawn(async move {
        let mut told = None;
        while let Some(next) = watch.next().await {
            let wish = next.wish.map(FfiWish::from);
            if told.as_ref() == Some(&wish) {
                continue;
            }
            told = Some(wish.clone());
            let host = Arc::clone(&host);
            let asked = fence::blocking("schedule", move || Ok(host.schedule(wish)));
            if !matches!(asked.await, Ok(Ok(()))) {
                log::warn!(target: "turnstone", "the platform scheduler failed: the system may not wake the app");
            }
        }
    });
    Ok(())
}
