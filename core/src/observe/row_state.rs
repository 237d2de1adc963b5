//! Where a row stands, for the badge beside it.

use std::sync::Arc;

use turnstone_protocol::Code;

use super::live::Live;
use crate::Error;

/// Where a row stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowState {
    /// Saved on this device; not sent yet.
    Saved,
    /// Being sent.
    Sending,
    /// It was sent without success so far, or the server wants to see it again later.
    Retrying {
        /// How often it was sent.
        n: u32,
        /// When it is sent next, in milliseconds since 1970; none: when asked, or not known.
        at_ms: Option<u64>,
    },
    /// The server has it.
    Synced,
    /// Somebody must decide between two versions.
    Conflict,
    /// The server refused a change of it, which is now a dead letter.
    Failed {
        /// Why.
        reason: Code,
    },
}

/// The sync state of one row: now, and again whenever it changes.
#[derive(Clone)]
pub struct RowStateWatch {
    live: Arc<Live<RowState>>,
}

impl RowStateWatch {
    pub(crate) const fn new(live: Arc<Live<RowState>>) -> Self {
        Self { live }
    }

    /// Waits for the next state; the first one is there at once. None: closed, or [`RowStateWatch::error`] says why not.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the next call reads anew.
    pub async fn next(&self) -> Option<RowState> {
        self.live.next().await
    }

    /// Like [`RowStateWatch::next`], waiting on this thread.
    #[must_use]
    pub fn next_blocking(&self) -> Option<RowState> {
        self.live.next_blocking()
    }

    /// Waits until the server has decided every write of the row and what became of them is back here: synced, or failed.
    /// None: as [`RowStateWatch::next`].
    ///
    /// # Cancel safety
    /// Dropping the future stops waiting, nothing else.
    pub async fn decided(&self) -> Option<RowState> {
        loop {
            match self.next().await? {
                RowState::Saved | RowState::Sending | RowState::Retrying { .. } => {}
                decided => return Some(decided),
            }
        }
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
impl std::fmt::Debug for RowStateWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RowStateWatch")
    }
}
