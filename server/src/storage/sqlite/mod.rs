//! The store inside: one SQLite file in WAL mode, durable before it answers.
//!
//! Writes go through one seat that shares a commit among callers that wait together; reads have connections of their
//! own and never wait for a write. `0001_start.sql` and what follows it document every table.

mod codes;
mod db;
mod open;
mod readers;
mod seat;
mod statements;
mod view;

pub use open::{SqliteOptions, SqliteStorage, Synchronous};
