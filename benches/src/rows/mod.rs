//! The rows of the table, a file each.

mod scale;
pub(crate) mod w1;
pub(crate) mod w2;
mod w3;
mod w4;
mod w5;
mod w6;
pub(crate) mod w7;
mod w8;

use crate::scenario::Scenario;

/// Every line that can be measured, in the order of the table.
pub(crate) fn all() -> Vec<Scenario> {
    let rows = [
        w1::scenarios,
        w2::scenarios,
        w3::scenarios,
        w4::scenarios,
        w5::scenarios,
        w6::scenarios,
        w7::scenarios,
        w8::scenarios,
        scale::scenarios,
    ];
    rows.into_iter().flat_map(|scenarios| scenarios()).collect()
}
