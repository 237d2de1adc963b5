//! Runs every golden vector of `protocol/vectors`. With `TURNSTONE_BLESS=1` it writes what it
//! computes into them instead; the difference is then read by a person.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod file;
mod hashes;
mod merging;
mod messages;
mod schemas;
mod texts;
