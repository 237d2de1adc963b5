//! What an app links: offline-first tables on SQLite that sync.

pub mod clock;
pub mod error;
pub mod row;
pub mod storage;
mod sync;

pub use clock::{Clock, Entropy};
pub use error::{Error, ErrorClass};
pub use row::{Row, Rows};
pub use storage::{Durability, Tx, Written};
pub use turnstone_protocol::{Fields, Schema, Value};
