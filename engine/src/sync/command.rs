//! What the machine asks of the driver.

use serde::Serialize;
use turnstone_protocol::{Class, Code};

use super::event::{BatchId, Flight, Lane, ResetCause};

/// What to do. Commands that name an answer stay outstanding until that event comes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Command {
    /// Get a token. Answer: `Token`.
    Token {
        /// Why one is needed.
        reason: TokenReason,
    },
    /// Ask the server what it is, and compare with the database. Answer: `Hello`.
    Hello {
        /// Names the request.
        flight: Flight,
    },
    /// Take the next groups in seq order, sealing those that are new. Answer: `Sealed`, or `StorageFailed`.
    Seal {
        /// Names the batch.
        batch: BatchId,
        /// Only entries with a greater seq, and new ones.
        after_seq: u64,
        /// The most entries.
        entries_max: usize,
        /// The most bytes of bodies, except that one entry always fits.
        bytes_max: usize,
    },
    /// Send a batch. Answer: `Pushed`.
    Send {
        /// Names the request.
        flight: Flight,
        /// Which batch.
        batch: BatchId,
        /// Whether to ask for the pull half in the same answer.
        pull: bool,
    },
    /// Write the verdicts of a push answer. Answer: `Settled`, or `StorageFailed`.
    Settle {
        /// The push.
        flight: Flight,
    },
    /// Move the one group of this batch to the dead letters and give up its seq with a void. Answer: `Mended`.
    SetAside {
        /// The batch; it has one entry.
        batch: BatchId,
        /// Why.
        code: Code,
    },
    /// Make what was sent from this seq on sendable again. Answer: `Mended`; `done: false` where the log no longer holds it.
    Rewind {
        /// The seq the server expects next.
        expected: u64,
    },
    /// Take a new incarnation and send what is undecided again under it, with the same gids. Answer: `Mended`.
    Renew,
    /// Free a batch.
    Forget {
        /// Which.
        batch: BatchId,
    },
    /// Download a page. Answer: `Fetched`.
    Fetch {
        /// Names the request and its page.
        flight: Flight,
        /// Goes on where that page ends; none: at the database's cursor.
        after: Option<Flight>,
        /// The most rows.
        rows_max: usize,
    },
    /// Apply a page. Answer: `Applied`, or `StorageFailed`.
    Apply {
        /// Which.
        flight: Flight,
    },
    /// Give up a request: end it if it is under way, free its page if it came. Verdicts being settled are not touched.
    Discard {
        /// Which.
        flight: Flight,
    },
    /// Bring the database to a known point, keeping pending work. Answer: `Mended`, or `StorageFailed`.
    Reset {
        /// Why.
        cause: ResetCause,
    },
    /// Remember what is left of a `Retry-After`, so that a restart obeys it too.
    Hold {
        /// Of which lane.
        lane: Lane,
        /// Milliseconds left; 0: it is over.
        ms: u64,
    },
    /// Remember what went wrong, for the status.
    Trouble(Trouble),
    /// Everything was pushed and pulled: remember when.
    Synced,
    /// The sync calls that wait may return.
    Finish {
        /// What to tell them.
        outcome: Outcome,
    },
}

/// Why a token is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum TokenReason {
    /// There was none yet.
    First,
    /// The server says the last one is over.
    Expired,
    /// The server does not accept the last one.
    Rejected,
}

/// What went wrong, as a status shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// A stable code.
    pub code: String,
    /// What can be done about it.
    pub class: Class,
}

/// How a requested sync ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// Everything was pulled and nothing more can be pushed now.
    Quiet {
        /// Groups the server wants to see again later.
        waiting: usize,
    },
    /// A lane could not go on.
    Failed(Trouble),
}
