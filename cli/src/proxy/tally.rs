//! Counts what the link did.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

macro_rules! tally {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What a link did so far.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
        pub struct Summary {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// The running counts behind a [`Summary`].
        #[derive(Debug, Default)]
        pub(super) struct Tally {
            $(pub(super) $name: AtomicU64,)*
        }

        impl Summary {
            /// Adds what another link did.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }
        }

        impl Tally {
            pub(super) fn summary(&self) -> Summary {
                Summary { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

tally! {
    /// Connections accepted.
    connections,
    /// Connections closed at once because the link was offline.
    refused_offline,
    /// Requests read from clients.
    exchanges,
    /// Exchanges without a fault (delays not counted as one).
    passed,
    /// Exchanges that waited first.
    delayed,
    /// Requests dropped before the server saw them.
    dropped,
    /// Requests sent twice.
    duplicated,
    /// Requests sent once more after later ones.
    replayed_late,
    /// Answers withheld after the server gave them.
    cut_after_commit,
    /// Requests cut short by a reset.
    reset_up,
    /// Answers cut short by a reset.
    reset_down,
    /// Exchanges that were never answered.
    half_open,
    /// Exchanges answered by a login page.
    captive,
    /// Exchanges answered 503 by the link.
    unavailable,
    /// Exchanges that failed because the server could not be reached or broke off.
    server_failed,
    /// Bytes sent to the server.
    bytes_up,
    /// Bytes sent to clients.
    bytes_down,
}

impl Summary {
    /// How many exchanges went wrong on purpose.
    #[must_use]
    pub const fn faults(&self) -> u64 {
        self.dropped
            + self.duplicated
            + self.replayed_late
            + self.cut_after_commit
            + self.reset_up
            + self.reset_down
            + self.half_open
            + self.captive
            + self.unavailable
    }
}

/// Adds to a count.
pub(super) fn add(count: &AtomicU64, by: u64) {
    count.fetch_add(by, Ordering::Relaxed);
}
