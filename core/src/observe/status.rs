//! What a store shows of its syncing. Counts come from the database in one read, so they are true (I-64).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use turnstone_protocol::Class;

use super::live::Live;
use crate::{Error, NextWake};

pub use turnstone_engine::sync::{Phase, Why as WaitReason};

/// Where a store stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// Local transactions the server has not decided yet.
    pub pending_groups: u64,
    /// Their changes.
    pub pending_ops: u64,
    /// Of those transactions, ones held back because they build on a refused one.
    pub parked_groups: u64,
    /// When the oldest of them was written, in milliseconds since 1970.
    pub oldest_pending_at_ms: Option<u64>,
    /// Refused changes that wait for a person.
    pub dead_letters: u64,
    /// What went wrong last; none once everything was synced again.
    pub last_error: Option<LastError>,
    /// When everything was last pushed and pulled, in milliseconds since 1970.
    pub last_synced_at_ms: Option<u64>,
    /// When the next attempt is, and why then.
    pub next_attempt: Option<NextAttempt>,
    /// What happens now.
    pub phase: Phase,
    /// Whether the store has a server at all.
    pub has_remote: bool,
    /// What happens next, and why; times in milliseconds since 1970.
    pub next: crate::Decision,
}

/// What went wrong last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// A stable code.
    pub code: String,
    /// What can be done about it.
    pub class: Class,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// When the next attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NextAttempt {
    /// In milliseconds since 1970.
    pub at_ms: u64,
    /// Why then.
    pub why: WaitReason,
}

/// What happens next, and what the operating system is to hold: now, and again whenever it changes.
#[derive(Clone)]
pub struct NextWakeWatch {
    live: Arc<Live<NextWake>>,
}

impl NextWakeWatch {
    pub(crate) const fn new(live: Arc<Live<NextWake>>) -> Self {
        Self { live }
    }

    /// Waits for the next one; the first is there at once. None: closed.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the next call reads anew.
    pub async fn next(&self) -> Option<NextWake> {
        self.live.next().await
    }

    /// Like [`NextWakeWatch::next`], waiting on this thread.
    #[must_use]
    pub fn next_blocking(&self) -> Option<NextWake> {
        self.live.next_blocking()
    }

    /// Ends it: calls that wait, and later ones, give none.
    pub fn close(&self) {
        self.live.close();
    }
}

impl std::fmt::Debug for NextWakeWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NextWakeWatch")
    }
}

/// The status: now, and again whenever it changes.
#[derive(Clone)]
pub struct StatusWatch {
    live: Arc<Live<Status>>,
}

impl StatusWatch {
    pub(crate) const fn new(live: Arc<Live<Status>>) -> Self {
        Self { live }
    }

    /// Waits for the next status; the first one is there at once. None: closed, or [`StatusWatch::error`] says why not.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the next call reads anew.
    pub async fn next(&self) -> Option<Status> {
        self.live.next().await
    }

    /// Like [`StatusWatch::next`], waiting on this thread.
    #[must_use]
    pub fn next_blocking(&self) -> Option<Status> {
        self.live.next_blocking()
    }

    /// Why a call gave none although this was not closed; calling again tries again.
    #[must_use]
    pub fn error(&self) -> Option<Error> {
        self.live.error()
    }

    /// Ends it: calls that wait, and later ones, give none.
    pub fn close(&self) {
        self.live.close();
    }
}

/// Shows nothing of what is watched.
impl std::fmt::Debug for StatusWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StatusWatch")
    }
}
