//! What both ends of Turnstone agree on.
//!
//! Schema, values, ops, the hybrid logical clock, merge, wire messages, limits,
//! the error catalogue and the state hash. Nothing here does I/O, reads a clock,
//! draws a random number or speaks SQL: a server in another language implements
//! exactly this crate, and `protocol/vectors` decides when the two differ.

pub mod canonical;
pub mod catalogue;
pub mod entry;
pub mod hash;
pub mod hlc;
pub mod id;
pub mod limits;
pub mod merge;
pub mod op;
pub mod plant;
pub mod schema;
pub mod value;
pub mod wire;
mod words;

pub use catalogue::{Class, Code, Problem};
pub use hlc::Hlc;
pub use id::{DeviceId, Epoch, Gid, Incarnation};
pub use op::{Entry, Group, Op, OpKind};
pub use schema::Schema;
pub use value::{Fields, Value};
