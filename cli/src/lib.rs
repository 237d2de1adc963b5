//! The `turnstone` command as a library: its commands, the faulty link, and the demo.
//!
//! The binary is a thin shell around it. Tests of other crates use [`proxy`].

pub mod clock_offset;
pub mod demo;
pub mod edge;
pub mod exit;
pub mod failure;
pub mod import;
pub mod output;
pub mod proxy;
