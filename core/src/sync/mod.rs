//! The sync side of the database: every function here is one step of a write transaction.
//!
//! Sealing what is sent, writing what the server said about it, applying what it has, and keeping the
//! promise that carries everything: `visible(row) = fold(ops of the row that its base lacks, base(row))`.
//! The decisions are pure and live in `turnstone_engine::{oplog, apply}`; this module reads what they need
//! and writes what they say. It never waits for a network and never opens a transaction of its own.

#![allow(dead_code, unused_imports, reason = "the driver comes next")]

mod report;
mod steps;

pub(crate) use report::{
    Batch, DeadLetter, Identity, PageOutcome, PageReport, Position, ResetWhy, RetryRefused, RowSync, SealInput,
    SealedGroup, Sent, StatusCounts, VerdictReport,
};
pub(crate) use steps::{
    apply_page, apply_verdicts, dead_letters, forget_stable, heard, identity, new_incarnation, position, quarantine,
    reset_cursor, retry_dead_letter, rewind, row_state, seal_batch, state_hash, status_counts,
};

/// What a step stands on: the open transaction and the schema. (Becomes `storage::Sys`.)
pub(crate) struct Ground<'a> {
    /// The connection, inside a write transaction with capture off.
    pub(crate) conn: &'a rusqlite::Connection,
    /// The schema the database was opened with.
    pub(crate) schema: &'a turnstone_protocol::Schema,
}

/// Why a step could not be taken. (Becomes `crate::Error`.)
pub(crate) type Error = rusqlite::Error;
