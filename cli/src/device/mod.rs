//! One device as a process of its own: JSON lines in, JSON lines out.
//!
//! The demo and the kill tests drive devices with it. A line is answered after what it asked for is done and,
//! for a write, saved: an answer that was read is a promise that was made. Lines are answered in order, so a
//! driver may send many before it reads.

mod session;
mod wire;

pub use session::run;
pub use wire::{Act, Answer, Counted, Failed, Request, RowWrite, Synced, Write, Wrote};
