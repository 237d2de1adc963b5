//! What happens to the machine: answers to its commands, the app, the network, time.

use serde::Serialize;
use turnstone_protocol::Code;

use crate::scheduler::Conditions;

/// When something happens. Time comes in from outside; the machine never reads a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Now {
    /// Milliseconds on a clock that only rises and counts while the device sleeps.
    pub mono_ms: u64,
    /// The wall clock, in milliseconds since 1970. Only shown to people, never compared.
    pub wall_ms: u64,
}

/// A request under way. Answers to flights the machine has given up are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Flight(pub u32);

/// A sealed batch the driver keeps until the machine forgets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct BatchId(pub u32);

/// One of the two directions. Neither waits for the other's troubles (C11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Lane {
    /// Uploads.
    Push,
    /// Downloads.
    Pull,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Event {
    /// The driver runs. What was left of each lane's `Retry-After` when the last process ended, in milliseconds.
    Started {
        /// Of the push lane.
        push_hold_ms: u64,
        /// Of the pull lane.
        pull_hold_ms: u64,
    },
    /// Whether the next pull brings everything there is: the database has no place in the feed yet.
    Bootstrap(bool),
    /// A local write committed.
    WorkPending,
    /// The app asks to sync until quiet.
    Requested,
    /// The server has something new, as far as somebody knows.
    Poked,
    /// The operating system gave time: syncs until quiet, one small push first.
    Granted,
    /// It took it back, or the time is spent: what was begun for it ends, and counts for nothing.
    Expired,
    /// What the device is like; a hint that can never stick.
    Conditions(Conditions),
    /// A hint about the network; it can never stick.
    Network {
        /// Whether there seems to be one.
        up: bool,
    },
    /// The app has a new token, or somebody signed in.
    TokenChanged,
    /// Time passed.
    Tick,
    /// Answers [`super::Command::Token`].
    Token {
        /// What came of it.
        result: TokenResult,
    },
    /// Answers [`super::Command::Hello`]: what the server said, compared with what the database holds.
    Hello {
        /// Which request.
        flight: Flight,
        /// What came of it.
        result: Result<Greeting, Failure>,
    },
    /// Answers [`super::Command::Seal`].
    Sealed {
        /// Which batch.
        batch: Batch,
    },
    /// Answers [`super::Command::Send`].
    Pushed {
        /// Which request.
        flight: Flight,
        /// Whether the answer brought a pull page, or why there is none.
        result: Result<Option<Page>, Failure>,
    },
    /// Answers [`super::Command::Settle`].
    Settled {
        /// Groups now decided for good.
        decided: usize,
        /// Groups the server wants to see again later (blocked, retry, schema behind).
        waiting: usize,
        /// The answer came from another history than the database's.
        reset: Option<ResetCause>,
    },
    /// Answers [`super::Command::SetAside`], [`super::Command::Rewind`], [`super::Command::Renew`] and
    /// [`super::Command::Reset`].
    Mended {
        /// Whether it could be done.
        done: bool,
    },
    /// Answers [`super::Command::Fetch`].
    Fetched {
        /// Which request.
        flight: Flight,
        /// What arrived.
        result: Result<Page, Failure>,
    },
    /// Answers [`super::Command::Apply`].
    Applied {
        /// Which page.
        flight: Flight,
        /// What came of it.
        outcome: ApplyOutcome,
    },
    /// A local command failed (disk full, I/O error): nothing was changed.
    StorageFailed {
        /// Which.
        work: LocalWork,
    },
}

/// A command that touches only the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum LocalWork {
    /// [`super::Command::Seal`].
    Seal(BatchId),
    /// [`super::Command::Settle`].
    Settle(Flight),
    /// [`super::Command::Apply`].
    Apply(Flight),
    /// [`super::Command::SetAside`], [`super::Command::Rewind`], [`super::Command::Renew`] or [`super::Command::Reset`].
    Mend,
}

/// What came of asking for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum TokenResult {
    /// There is one.
    Ready,
    /// Nobody is signed in.
    SignIn,
    /// It could not be had now.
    Later,
}

/// What hello means for this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Greeting {
    /// Go on.
    Fine,
    /// The token is for somebody else than the one whose database this is.
    OtherAccount,
    /// The server's history is not the one this database knows.
    EpochChanged,
    /// The server's history is shorter than what this database has pulled.
    EpochSuspect,
    /// The server knows a later seq of this incarnation than the device does: it was restored or cloned.
    Forked,
    /// The app is too old for this server.
    UpgradeRequired,
}

/// A sealed batch, as far as the machine needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Batch {
    /// Its name.
    pub id: BatchId,
    /// Groups and voids in it; none: there was nothing to send.
    pub entries: usize,
    /// How many of them are voids.
    pub voids: usize,
    /// Bytes of their bodies.
    pub bytes: usize,
    /// The seq of the last entry.
    pub last_seq: u64,
    /// Whether there was more to send when it was sealed.
    pub more: bool,
    /// Whether more can be sent once the voids of this round are answered.
    pub waits: bool,
}

/// A page that arrived and waits to be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Page {
    /// Whether the server has more.
    pub more: bool,
}

/// What came of applying a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ApplyOutcome {
    /// It is in the database, with its cursor.
    Done,
    /// The database has moved on since the page was asked for; nothing was changed.
    Stale,
    /// The page belongs to another history; nothing was changed.
    Reset(ResetCause),
    /// The page shows that a copy of this device used its seqs; the page was not applied.
    Forked,
}

/// Why the device must start again from a known point. Pending work is kept in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ResetCause {
    /// The cursor is behind the oldest commit still served.
    CursorExpired,
    /// The cursor is not valid here.
    CursorInvalid,
    /// The server's history is another one.
    EpochChanged,
    /// The server's history is shorter than the cursor: it was restored from a backup.
    EpochSuspect,
}

/// Why a request brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Failure {
    /// No server was reached.
    Offline,
    /// The server did not answer in time.
    Timeout,
    /// The connection broke before the answer was complete.
    Broken,
    /// What answered was not a Turnstone server (a captive portal, a proxy's page).
    NotTurnstone,
    /// The answer is larger than this client accepts.
    AnswerTooLarge,
    /// The server refused.
    Status {
        /// The HTTP status.
        status: u16,
        /// The code of its problem document, if it sent one.
        code: Option<Code>,
        /// What `Retry-After` asked for, in milliseconds.
        retry_after_ms: Option<u64>,
        /// `seq_gap`: the seq it expects next.
        expected: Option<u64>,
    },
}
