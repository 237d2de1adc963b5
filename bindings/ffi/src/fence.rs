//! What stands around every exported function: threads of our own, and a stop for panics.
//!
//! An exported async function is polled by the executor of the app, which may be the thread that draws. So the work is
//! spawned here and only its end is awaited there. A panic becomes `Internal` with the code `panic`; nothing unwinds
//! into Kotlin or Swift, where it could not be caught or would end the app.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinHandle};

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
pub(crate) fn blocking<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> Result<T, FfiError> + Send + 'static,
) -> Call<T> {
    let answer = Answer::default();
    let place = answer.clone();
    let work: Box<dyn FnOnce() + Send> = Box::new(move || {
        trip(name);
        place.put(work());
    });
    Call::new(answer, runtime().map(|runtime| runtime.spawn_blocking(work)))
}

/// Runs a call that waits for something else. A caller who goes away does not stop it.
pub(crate) fn task<T: Send + 'static>(
    name: &'static str,
    work: impl Future<Output = Result<T, FfiError>> + Send + 'static,
) -> Call<T> {
    let answer = Answer::default();
    let place = answer.clone();
    let work: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
        trip(name);
        place.put(work.await);
    });
    Call::new(answer, runtime().map(|runtime| runtime.spawn(work)))
}

/// Like [`task`], but a caller who goes away stops it: for waiting that would take something away otherwise.
pub(crate) fn listen<T: Send + 'static>(
    name: &'static str,
    work: impl Future<Output = Result<T, FfiError>> + Send + 'static,
) -> Call<T> {
    let mut call = task(name, work);
    call.ends_with_its_caller = true;
    call
}

/// A call on its way, awaited by its caller.
///
/// What runs is the same type for all calls and puts its result where the caller looks for it. Were each of them a type
/// of its own to the runtime, the library would hold all that a task can do once for every exported function.
pub(crate) struct Call<T> {
    /// Nothing, where no thread was to be had: the answer says so.
    running: Option<JoinHandle<()>>,
    ends_with_its_caller: bool,
    answer: Answer<T>,
}

impl<T> Call<T> {
    fn new(answer: Answer<T>, started: Result<JoinHandle<()>, FfiError>) -> Self {
        let running = started.map_err(|error| answer.put(Err(error))).ok();
        Self { running, ends_with_its_caller: false, answer }
    }
}

impl<T> Future for Call<T> {
    type Output = Result<T, FfiError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = match &mut self.running {
            Some(running) => ready!(Pin::new(running).poll(context)),
            None => Ok(()),
        };
        Poll::Ready(match ended {
            Ok(()) => self.answer.take(),
            Err(error) => Err(self::ended(&error)),
        })
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        if let (true, Some(running)) = (self.ends_with_its_caller, &self.running) {
            running.abort();
        }
    }
}

/// Where a call finds what became of it.
struct Answer<T>(Arc<Mutex<Option<Result<T, FfiError>>>>);

impl<T> Answer<T> {
    fn put(&self, result: Result<T, FfiError>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    }

    fn take(&self) -> Result<T, FfiError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_else(|| Err(FfiError::closed()))
    }
}

impl<T> Clone for Answer<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Answer<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
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
