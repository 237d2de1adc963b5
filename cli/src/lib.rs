//! The `turnstone` command as a library: its commands, the faulty link, and the demo.
//!
//! The binary is a thin shell around it. Tests of other crates use [`proxy`].

pub mod edge;
pub mod proxy;
