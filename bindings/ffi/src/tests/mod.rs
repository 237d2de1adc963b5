//! The library as Kotlin and Swift call it, against the real server on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod accounts;
mod alone;
mod background;
mod behaviours;
mod buffers;
mod flight;
mod golden;
mod hooks;
mod kill;
mod kit;
mod logs;
mod panics;
mod reentry;
mod starts;
mod stores;
mod sync;
mod threads;
mod transactions;
mod watches;
