//! The sync state machine: `(Event, Now) -> Vec<Command>`, and nothing else.
//!
//! The machine decides what to ask of the server and of the database, and when. It never sees a
//! payload: the driver keeps batches, answers and pages under the names the machine gave them.
//! That makes every decision printable, and a trace of events and commands a test.
//!
//! When anything may start is not decided here but in [`crate::scheduler`]: it holds every timer, and the machine asks it.
//!
//! Three parts stand beside each other:
//! - the **gate** (`gate.rs`): a token and one `hello` before anything else; sign-in and
//!   "the app is too old" stop both lanes there;
//! - the **push lane** (`push.rs`, `refusal.rs`): one batch in flight, the next one being prepared,
//!   bisecting when a batch is refused;
//! - the **pull lane** (`pull.rs`): one page downloading while another is applied.
//!
//! The pull lane never waits for the push lane's troubles (C11): it starts when pushing is quiet,
//! stuck, or simply takes longer than [`PULL_PATIENCE_MS`].
//!
//! Holds I-17 (no answer but a verdict consumes an op) and I-18 (never work pending, network up
//! and neither a command outstanding nor a timer armed; a property test over random event
//! sequences shows it).

mod classify;
mod command;
mod event;
mod gate;
mod machine;
mod pull;
mod push;
mod refusal;
mod repair;
mod sizing;
mod standing;

pub use crate::scheduler::{Wake, Why};
pub use command::{Command, Outcome, TokenReason, Trouble};
pub use event::{
    ApplyOutcome, Batch, BatchId, Event, Failure, Flight, Greeting, Lane, LocalWork, Now, Page, ResetCause, TokenResult,
};
pub use machine::{Config, Sync};
pub use standing::Phase;

/// How long a pull waits after a push left, in milliseconds.
pub const PULL_PATIENCE_MS: u64 = 1_000;
/// How long a pull waits for pushes that make progress, in milliseconds.
pub const PULL_PATIENCE_MS_MAX: u64 = 5_000;
/// How long to wait before asking again whether this app version is accepted, in milliseconds.
pub const UPGRADE_RECHECK_MS: u64 = 900_000;
/// Failures in a row after which a requested sync gives up.
pub const RUN_FAILURES_MAX: u32 = 3;
/// Server failures in a row, on one entry alone, after which it is set aside.
pub const SINGLE_TRIES_MAX: u32 = 5;
/// Pages that may wait to be applied, the one being applied included.
pub const PAGES_AHEAD_MAX: usize = 2;
