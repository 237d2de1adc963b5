//! The workloads.

pub mod bare;

use crate::scenario::Scenario;

/// Every scenario that must come through; the seed varies its values.
#[must_use]
pub fn all(_seed: u64) -> Vec<Box<dyn Scenario>> {
    vec![Box::new(bare::Bare(bare::Planted::Nothing))]
}
