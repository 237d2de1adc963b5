//! The library as Kotlin and Swift call it, against the real server on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod background;
mod behaviours;
mod buffers;
mod golden;
mod hooks;
mod kit;
mod panics;
mod stores;
mod sync;
mod transactions;
mod watches;
