//! The `turnstone` command as a library: its commands, the faulty link, and the demo.
//!
//! The binary is a thin shell around [`command::run`]. Tests of other crates use [`proxy`].

pub mod clock_offset;
pub mod command;
mod commands;
pub mod demo;
pub mod device;
pub mod edge;
pub mod exit;
pub mod failure;
pub mod fields;
pub mod global;
pub mod import;
mod logging;
pub mod opening;
pub mod output;
pub mod proxy;
pub mod writing;
