//! The time of one machine: it stands while code runs, and jumps to the next timer where all of it waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};
use turnstone::{Clock, Error, Options, Store, SyncReport};
use turnstone_engine::oplog::Moment;

use crate::scenario::Failure;

/// The longest that one sync may take, in virtual time: an hour is far beyond every back-off.
const SYNC_S_MAX: u64 = 3_600;

/// A machine's time, and the one thread on which its driver runs.
pub struct Time {
    runtime: Runtime,
    /// How far the clocks were set beyond what was waited.
    set_ms: Arc<AtomicU64>,
    clock: Clock,
}

impl Time {
    /// A time that begins at `now_ms`.
    ///
    /// # Errors
    /// If the system gives no runtime: never right.
    pub fn new(now_ms: u64) -> Result<Self, Failure> {
        let runtime =
            Builder::new_current_thread().enable_time().start_paused(true).build().map_err(Failure::unexpected)?;
        let set_ms = Arc::new(AtomicU64::new(now_ms));
        let began = {
            let _inside = runtime.enter();
            now()
        };
        let set = Arc::clone(&set_ms);
        let clock = Clock::virtual_time(move || {
            // Outside of the runtime there is no paused clock to read: only what is taken down runs there.
            let waited_ms = Handle::try_current().map_or(0, |_| (now() - began).as_millis());
            let ms = set.load(Ordering::SeqCst) + u64::try_from(waited_ms).unwrap_or(u64::MAX);
            Moment { wall_ms: ms, boot_id: [0; 16], boot_ms: ms }
        });
        Ok(Self { runtime, set_ms, clock })
    }

    /// Whatever runs while this lives sees this time.
    pub fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    /// The clock to open a store with.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Puts a store's driver on this time's thread.
    pub fn drive(&self, options: Options) -> Options {
        options.on_one_thread(self.runtime.handle().clone())
    }

    /// Sets the clocks forward.
    pub fn advance_ms(&self, ms: u64) {
        self.set_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Syncs, however long it waits on the way.
    ///
    /// # Errors
    /// The sync's; `unexpected` if it does not end.
    pub fn sync(&self, store: &Store) -> Result<Result<SyncReport, Error>, Failure> {
        let patience = Duration::from_secs(SYNC_S_MAX);
        let ended = self.runtime.block_on(async { tokio::time::timeout(patience, store.sync_now()).await });
        ended.map_err(|_| Failure::unexpected("a sync does not end"))
    }

    /// Lets a driver that was told to end do so.
    pub fn settle(&self) {
        self.runtime.block_on(async {
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
        });
    }
}

#[expect(clippy::disallowed_methods, reason = "the paused clock of a machine that is tested")]
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
