//! The sync side of the database: every function here is one step of a write transaction.
//!
//! Sealing what is sent, writing what the server said about it, applying what it has, and keeping the
//! promise that carries everything: `visible(row) = fold(ops of the row that its base lacks, base(row))`.
//! The decisions are pure and live in `turnstone_engine::{oplog, apply}`; this module reads what they need
//! and writes what they say. It never waits for a network and never opens a transaction of its own.
//! `docs/sync-states.md` shows who moves what.

#![allow(dead_code, unused_imports, reason = "the driver comes next")]

mod after;
mod again;
mod forget;
mod hash;
mod incarnation;
mod letters;
mod log;
mod page;
mod park;
mod position;
mod quarantine;
mod report;
mod resync;
mod rows;
mod seal;
mod status;
mod verdicts;

pub(crate) use forget::{Forgotten, forget_stable};
pub(crate) use hash::{StateHash, state_hash};
pub(crate) use incarnation::{new_incarnation, rewind};
pub(crate) use letters::{dead_letters, retry_dead_letter};
pub(crate) use page::apply_page;
pub(crate) use position::{claim, heard, identity, position, principal};
pub(crate) use quarantine::quarantine;
pub(crate) use report::{
    Asked, Batch, DeadLetter, Identity, PageOutcome, PageReport, Position, ResetWhy, RetryRefused, RowSync, SealInput,
    SealedGroup, Sent, StatusCounts, VerdictReport,
};
pub(crate) use resync::reset_cursor;
pub(crate) use seal::seal_batch;
pub(crate) use status::{all_groups, row_state, status_counts};
pub(crate) use verdicts::apply_verdicts;

#[cfg(test)]
mod tests;
