//! The command as a person or a script uses it: one test program, so that it is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    unreachable_pub,
    dead_code
)]

mod bad_input;
mod clocks;
mod commands;
mod common;
mod demo;
mod demo_oracle;
mod docs;
mod kills;
mod link;
mod logs;
