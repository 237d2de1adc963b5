//! The pure rules of a client: what to send, when to try again, how to apply what arrives.
//!
//! Nothing here does I/O, reads a clock, draws a random number or speaks SQL. Time and
//! randomness come in as arguments, decisions go out as data that a test can print.

pub mod apply;
pub mod backoff;
pub mod oplog;
pub mod scheduler;
pub mod sync;
