//! The life of a group: states, the clock it is stamped with, what a verdict does to it and to those after it.

mod clock;
mod dependents;
mod follow_up;
mod rebase;
mod room;
mod state;
mod verdict;

pub use clock::{Anchor, Moment, Stamper};
pub use dependents::builds_on;
pub use follow_up::follow_up;
pub use rebase::{rebase, seen_of};
pub use room::Room;
pub use state::GroupState;
pub use verdict::{DELETE_WINS, Settlement, lost_ops, settle};
