//! What an app sees change: live queries, the sync state of a row, the status of the store.
//!
//! After every commit the storage says which tables it changed. The hub notes it and wakes those who
//! wait; each of them reads anew when it is asked for the next value. So an emission is never older
//! than the commit that caused it, a slow reader skips to the newest state, and a commit causes at
//! most one emission.

mod hub;
mod live;
mod row_state;
mod status;
mod view;
mod watch;

pub(crate) use hub::{Hub, Interest, Offload, block_on};
pub(crate) use live::Live;
pub use row_state::{RowState, RowStateWatch};
pub use status::{LastError, NextAttempt, NextWakeWatch, Phase, Status, StatusWatch, WaitReason};
pub(crate) use view::View;
pub use watch::Watch;
