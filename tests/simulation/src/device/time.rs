//! What a device's clocks read, and its own time, which stands still until the world lets it live.

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::WallClock;

/// The wall clock of the world when it begins.
pub const EPOCH_MS: u64 = 1_750_000_000_000;

/// What the device's clocks read; shared with the store.
pub struct DeviceTime {
    /// The wall clock.
    pub wall: Mutex<WallClock>,
    /// Which boot this is.
    pub boot: AtomicU64,
    /// When it booted, in world time.
    pub booted_ms: AtomicU64,
}

impl DeviceTime {
    /// The wall clock, to read or to meddle with.
    pub fn wall(&self) -> MutexGuard<'_, WallClock> {
        self.wall.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "the paused clock of a simulated device")]
pub(super) async fn rest(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// Reads the paused clock of the runtime it was begun in.
#[derive(Clone, Copy)]
pub(super) struct Reading(Instant);

impl Reading {
    #[expect(clippy::disallowed_methods, reason = "the paused clock of a simulated device")]
    pub(super) fn begin() -> Self {
        Self(Instant::now())
    }

    pub(super) fn ms(self) -> u64 {
        if tokio::runtime::Handle::try_current().is_err() {
            // The process is being taken down: nothing that is written now is seen by anybody.
            return 0;
        }
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
