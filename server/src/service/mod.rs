//! The rules of the protocol over a storage trait: no HTTP, no SQL, no clock, no randomness.
//!
//! A push is read and bounded before anything is locked ([`incoming`]); then one transaction checks it as a whole and
//! decides its groups in seq order ([`push`], [`group`]). A pull reads the log from the cursor and joins ready text
//! ([`pull`]). Rule numbers in comments are those of `docs/protocol.md`.

mod answers;
mod group;
mod images;
mod incoming;
mod open;
mod page;
mod position;
mod pull;
mod push;
mod rows;
mod said;
mod seqs;
mod tell;

pub use answers::{PullText, PushText};
pub use open::{OpenError, Service, Settings};
pub use tell::StateHash;

pub use crate::token::Principal;
