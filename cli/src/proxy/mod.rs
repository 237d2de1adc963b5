//! The faulty link: a proxy that treats a sync connection as badly as a train ride does.
//!
//! It understands HTTP/1.1 just well enough to know where a message ends, so that its faults fall where
//! they hurt: after the server committed and before the client hears of it, in the middle of a body,
//! twice in a row, or long after everybody gave up. What happens to exchange number *n* depends on the
//! seed and *n* alone ([`Faults::plan`]), so that a run which found a bug can be run again.
//!
//! Everything it holds is bounded: message sizes, waiting times, and the number of old requests it
//! keeps for a late replay. It logs kinds and sizes, never paths with queries, headers or bodies (I-61).

mod exchange;
mod faults;
mod link;
mod message;
mod tally;

pub use faults::{Direction, Fate, Faults, Plan, Rate, RateError};
pub use link::{Link, LinkConfig};
pub use tally::Summary;
