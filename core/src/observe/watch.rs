//! Live queries.

use std::sync::Arc;

use super::live::Live;
use crate::{Error, Rows};

/// A live query: its result now, and again after every commit that changes a table it reads.
///
/// Results are never older than the commit that caused them. A slow reader skips to the newest state; a commit
/// causes at most one result.
#[derive(Clone)]
pub struct Watch {
    live: Arc<Live<Rows>>,
}

impl Watch {
    pub(crate) const fn new(live: Arc<Live<Rows>>) -> Self {
        Self { live }
    }

    /// Waits for the next result; the first one is there at once. None: closed, or [`Watch::error`] says why not.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the next call reads anew.
    pub async fn next(&self) -> Option<Rows> {
        self.live.next().await
    }

    /// Like [`Watch::next`], waiting on this thread.
    #[must_use]
    pub fn next_blocking(&self) -> Option<Rows> {
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
impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}
