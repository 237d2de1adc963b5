//! What an app links: offline-first tables on SQLite that sync.

pub mod background;
mod cancel;
pub mod clock;
mod codec;
mod driver;
pub mod error;
pub mod observe;
mod options;
mod report;
pub mod row;
pub mod storage;
mod store;
mod sync;
pub mod testing;
pub mod transport;
mod witness;

pub use background::{BackgroundReport, Budget, Conditions, Decision, NextWake, RunOutcome, RunReason, Stopped};
pub use cancel::Cancel;
pub use clock::{Clock, Entropy};
pub use error::{Error, ErrorClass};
pub use observe::{NextWakeWatch, RowState, RowStateWatch, Status, StatusWatch, Watch};
pub use options::{Options, Remote};
pub use report::{DeadLetter, StateHash, SyncReport};
pub use row::{Row, Rows};
pub use storage::{Durability, Tx, Written};
pub use store::Store;
pub use transport::{TokenError, TokenProvider, TokenReason, Transport};
pub use turnstone_protocol::{Fields, Schema, Value};
pub use witness::{Origin, Witness, WitnessError};
