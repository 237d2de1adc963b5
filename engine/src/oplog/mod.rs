//! The life of a group: states, the clock it is stamped with, what a verdict does to it.

mod clock;
mod state;

pub use clock::{Anchor, Moment, Stamper};
pub use state::GroupState;
