//! Merge: one pure function decides what an op does to a row.
//!
//! The server runs [`apply`] inside its commit transaction, so commit order is the only order
//! there is. Clients run [`fold`] for what they show before the server has decided: it compares
//! no stamps, a pending change simply stands over its base. [`admit_op`] is the door both use.
//!
//! What holds, and is property-tested: the result is the same everywhere for the same order;
//! it is the same in every order for `lww`, `max`, `min` and `counter`; registers hold only
//! values somebody wrote; saving and loading between two steps changes nothing. Overlap means
//! "not in the writer's causal past", never "older" (rules 1 to 9 of `docs/protocol.md`).

mod admit;
mod apply;
mod field;
mod fold;
mod row;
mod stamp;

pub use admit::{admit_op, check_id};
pub use apply::{Applied, Context, apply, causal_floor};
pub use fold::fold;
pub use row::{Gone, Refusal, RowState, row_fits};
pub use stamp::{Stamp, Stamps};
