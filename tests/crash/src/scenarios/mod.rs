//! The workloads.

pub mod bare;
