//! All client SQL: the database file, its one writer and few readers, the capture of writes.
//!
//! Holds I-01 to I-06: a write and its op are one SQLite transaction, what was acknowledged survives, and
//! `visible(row) = fold(ops of the row in the fold, base(row))` is true after every commit. Knows no network
//! and decides nothing about sync: `crate::sync` runs its steps inside [`SystemTx`].

mod account;
mod body;
mod capture;
mod changes;
mod check;
mod connect;
mod database;
mod define;
mod draft;
mod edit;
mod flush;
mod gate;
mod learn;
mod local;
mod lock;
mod log;
mod meta;
mod migrate;
mod numbers;
mod once;
mod open;
mod options;
mod pool;
mod reader;
mod seat;
mod sql;
pub(crate) mod states;
mod system;
mod tables;
#[cfg(test)]
mod tests;
mod touched;
mod transact;
mod tx;
mod value;
mod writer;

pub use account::Account;
pub use changes::{ChangeSet, RowIds};
pub use database::{Database, Written};
pub use options::{Durability, OpenOptions};
pub use reader::Reader;
pub use tx::Tx;

pub(crate) use open::stored_schema;
pub(crate) use {
    log::undone,
    meta::{Key, read as read_meta},
    system::{LoggedOp, Stored, SystemTx},
};
