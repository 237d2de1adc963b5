//! What stands around every exported function: threads of our own, and a stop for panics.
//!
//! An exported async function is polled by the executor of the app, which may be the thread that draws. So the work is
//! spawned here and only its end is awaited there. A panic becomes `Internal` with the code `panic`; nothing unwinds
//! into Kotlin or Swift, where it could not be caught or would end the app.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};
use tokio::task::{AbortHandle, JoinError};

use crate::error::FfiError;

/// Threads that may wait, of all stores together. They start when needed and end when idle.
const BLOCKING_THREADS_MAX: usize = 64;

/// The runtime of all calls. Each store's syncing has its own, in core.
pub(crate) fn runtime() -> Result<&'static Runtime, FfiError> {
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    let built = RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).max_blocking_threads(BLOCKING_THREADS_MAX).thread_name("turnstone-call");
        builder.enable_all().build().ok()
    });
    built.as_ref().ok_or_else(|| FfiError::internal("no_thread", "the system gave no thread"))
}

/// Runs a call that does not wait, on the caller's thread.
pub(crate) fn quick<T>(name: &'static str, work: impl FnOnce() -> Result<T, FfiError>) -> Result<T, FfiError> {
    let done = catch_unwind(AssertUnwindSafe(|| {
        trip(name);
        work()
    }));
    done.unwrap_or_else(|_| Err(panicked()))
}

/// Runs a call that waits for the disk, on a thread that may. A caller who goes away does not stop it.
pub(crate) async fn blocking<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> Result<T, FfiError> + Send + 'static,
) -> Result<T, FfiError> {
    let running = runtime()?.spawn_blocking(move || {
        trip(name);
        work()
    });
    running.await.unwrap_or_else(|error| Err(ended(&error)))
}

/// Runs a call that waits for something else. A caller who goes away does not stop it.
pub(crate) async fn task<T: Send + 'static>(
    name: &'static str,
    work: impl Future<Output = Result<T, FfiError>> + Send + 'static,
) -> Result<T, FfiError> {
    let running = runtime()?.spawn(async move {
        trip(name);
        work.await
    });
    running.await.unwrap_or_else(|error| Err(ended(&error)))
}

/// Like [`task`], but a caller who goes away stops it: for waiting that would take something away otherwise.
pub(crate) async fn listen<T: Send + 'static>(
    name: &'static str,
    work: impl Future<Output = Result<T, FfiError>> + Send + 'static,
) -> Result<T, FfiError> {
    struct Leaving(AbortHandle);
    impl Drop for Leaving {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    let running = runtime()?.spawn(async move {
        trip(name);
        work.await
    });
    let _leaving = Leaving(running.abort_handle());
    running.await.unwrap_or_else(|error| Err(ended(&error)))
}

/// How a task that gave no result ended.
pub(crate) fn ended(error: &JoinError) -> FfiError {
    if error.is_panic() { panicked() } else { FfiError::closed() }
}

fn panicked() -> FfiError {
    FfiError::internal("panic", "an internal fault was caught: report it; the store stays usable")
}

/// Where tests plant a panic.
fn trip(_name: &'static str) {
    #[cfg(any(test, feature = "testing"))]
    crate::testing::trip(_name);
}
