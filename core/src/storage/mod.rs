//! All client SQL: the database file, its one writer and few readers, the capture of writes.
//!
//! Holds I-01 to I-06: a write and its op are one SQLite transaction, what was acknowledged survives, and
//! `visible(row) = fold(ops of the row in the fold, base(row))` is true after every commit. Knows no network
//! and decides nothing about sync: `crate::sync` runs its steps inside [`SystemTx`].

#![allow(dead_code, reason = "signatures first, bodies follow")]

mod changes;
mod database;
mod meta;
mod options;
mod reader;
mod system;
mod tx;

pub use changes::{ChangeSet, RowIds};
pub use database::{Database, Written};
pub use options::{Durability, OpenOptions};
pub use reader::Reader;
pub use tx::Tx;

#[allow(unused_imports, reason = "the sync steps come to use all of it")]
pub(crate) use {
    meta::Key,
    system::{Base, LoggedOp, Stored, SystemTx},
};
