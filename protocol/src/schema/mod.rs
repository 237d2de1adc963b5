//! The schema: declared once, read by client and server.
//!
//! It comes from a TOML document ([`Schema::parse`]) or from Rust ([`Schema::builder`]); both
//! pass the same checks and give the same value. Its canonical JSON text is what databases
//! store and what [`Schema::hash`] hashes. Schemas only grow: [`changes`] names what an update
//! adds and refuses everything else. `docs/schema.md` explains every key to app developers.

mod admit;
mod builder;
mod canonical;
mod changes;
mod check;
mod error;
mod model;
mod names;
mod toml_read;
mod toml_write;

pub use admit::ValueError;
pub(crate) use admit::admit_unknown;
pub use builder::{FieldBuilder, SchemaBuilder, TableBuilder};
pub use changes::{Change, changes};
pub(crate) use check::is_name;
pub use error::{Place, SchemaError};
pub use model::{CreatePolicy, DeletePolicy, Field, Index, Kind, Policy, RowMerge, Schema, Table};
