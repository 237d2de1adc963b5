//! What a pull page, a verdict or a refusal does to a row: stage -> plan -> apply, and this is the plan.
//!
//! Holds, for every row at every moment, `visible = fold(ops its base does not contain, base)` (I-03), but for a delete
//! that waits, and what lies under it, where the base contains the row made after it (decision 0102). The plan is data: the caller reads a [`Row`], tells it what happened, and writes the [`RowPlan`] that comes out.
//! The road not taken: re-playing the whole log after each answer. A rival that does so is superlinear in
//! what is pending; here only the rows something happened to are folded again.

mod base;
mod row;
mod undo;

pub use base::{Base, Standing};
pub use row::{FoldOp, KeepBase, Relink, Row, RowPlan};

#[cfg(test)]
mod tests;
