//! The workloads.

pub mod bare;
pub mod server;

use crate::scenario::Scenario;

/// Every scenario that must come through; the seed varies its values.
#[must_use]
pub fn all(seed: u64) -> Vec<Box<dyn Scenario>> {
    vec![Box::new(server::Pushes { seed })]
}
