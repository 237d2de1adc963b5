//! The edge of the command: the only place that reads clocks, draws seeds, waits, and starts tasks and threads.
#![expect(clippy::disallowed_methods, reason = "this file is the command line's one home for clocks, waits and tasks")]

use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::task::JoinHandle;

use crate::exit::Exit;
use crate::failure::Failure;

/// Wall time in milliseconds since 1970.
#[must_use]
pub fn wall_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    }
}

/// A seed nobody chose, for runs that did not name one.
#[must_use]
pub fn any_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Measures how long something took.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Seconds since the start.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// Waits inside a task.
pub async fn sleep_ms(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// Starts a task.
pub(crate) fn spawn<F>(task: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(task)
}

/// Runs a future on a runtime of its own.
///
/// # Errors
/// A failure of the system to start one.
pub fn block_on<F: Future>(future: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::new(Exit::Failure, "internal", format!("The runtime cannot be started: {error}."), "Try again.")
    })?;
    Ok(runtime.block_on(future))
}

/// Listens for SIGTERM and Ctrl-C from now on, and for the end of stdin if asked; the future is ready when one came.
///
/// # Errors
/// A failure of the system to listen.
pub fn stop_signal(with_stdin: bool) -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Failure, "internal", format!("Signals cannot be listened for: {error}."), "Try again.")
    };
    #[cfg(unix)]
    let mut signals = {
        use tokio::signal::unix::{SignalKind, signal};
        (signal(SignalKind::terminate()).map_err(failed)?, signal(SignalKind::interrupt()).map_err(failed)?)
    };
    #[cfg(not(unix))]
    drop(failed);
    let (stdin, stdin_closed) = tokio::sync::oneshot::channel::<()>();
    let kept = if with_stdin {
        // A read of stdin cannot be cancelled, so it gets a thread that nobody waits for.
        std::thread::spawn(move || {
            drop(std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
            drop(stdin);
        });
        None
    } else {
        Some(stdin)
    };
    Ok(async move {
        // While this end is kept, the other one stays silent.
        let _kept = kept;
        #[cfg(unix)]
        tokio::select! { _ = signals.0.recv() => {}, _ = signals.1.recv() => {}, _ = stdin_closed => {} }
        #[cfg(not(unix))]
        tokio::select! { _ = tokio::signal::ctrl_c() => {}, _ = stdin_closed => {} }
    })
}

/// Random bytes for a secret.
///
/// # Errors
/// A failure of the system to give any.
pub fn random_bytes() -> Result<[u8; 32], Failure> {
    let entropy = turnstone::Entropy::system();
    let mut bytes = [0u8; 32];
    let (first, second) = bytes.split_at_mut(16);
    first.copy_from_slice(&entropy.next()?.to_be_bytes());
    second.copy_from_slice(&entropy.next()?.to_be_bytes());
    Ok(bytes)
}
