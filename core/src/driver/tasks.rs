//! What the driver runs its work on: threads of its own, or, in a simulation, one thread that somebody else drives.

use std::future::Future;
use std::pin::Pin;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// A task by its result alone: all that a runtime does with one would stand in the library once for each type of task.
type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Where the driver's work runs.
#[derive(Debug, Clone)]
pub(crate) struct Tasks {
    runtime: Handle,
    /// Work that waits for the disk runs on the same thread: a simulation has one thread and no real disk.
    on_one_thread: bool,
}

impl Tasks {
    /// A runtime of the driver's own, with threads that may wait.
    pub(crate) const fn threaded(runtime: Handle) -> Self {
        Self { runtime, on_one_thread: false }
    }

    /// Somebody else's runtime of one thread.
    pub(crate) const fn lent(runtime: Handle) -> Self {
        Self { runtime, on_one_thread: true }
    }

    /// Starts a task.
    pub(crate) fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.runtime.spawn(Box::pin(task) as Boxed<F::Output>)
    }

    /// Runs work that may wait.
    pub(crate) fn spawn_blocking<T, F>(&self, work: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let work: Box<dyn FnOnce() -> T + Send> = Box::new(work);
        if self.on_one_thread { self.spawn(async move { work() }) } else { self.runtime.spawn_blocking(work) }
    }
}
