//! A row as merge sees it.

use serde::{Deserialize, Serialize};

use super::stamp::{Stamp, Stamps};
use crate::canonical;
use crate::catalogue::Code;
use crate::limits::ROW_BYTES_MAX;
use crate::value::{Fields, Value};
use crate::wire::Cause;

/// A row, or its tombstone, with the stamps merge needs. A field that is not in `fields` was
/// never written: its value is the default and its stamp is zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowState {
    /// The commit of the create that began this life; 0 where only a delete is known.
    pub born: u64,
    /// The last commit that touched the row.
    pub version: u64,
    /// The fields that were written. A tombstone keeps the last image.
    pub fields: Fields,
    /// Who wrote them.
    pub stamps: Stamps,
    /// Set where the row is a tombstone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Gone>,
}

/// Why and by whom a row is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// Why.
    pub cause: Cause,
    /// The op that deleted it.
    pub stamp: Stamp,
}

/// An op that refuses its whole group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why.
    pub code: Code,
    /// The fields at fault, as `table.field`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

impl Refusal {
    /// A refusal of the row as a whole.
    #[must_use]
    pub const fn of(code: Code) -> Self {
        Self { code, fields: Vec::new() }
    }

    /// A refusal for one field.
    #[must_use]
    pub fn field(code: Code, table: &str, field: &str) -> Self {
        Self { code, fields: vec![format!("{table}.{field}")] }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code.as_str())?;
        if !self.fields.is_empty() {
            write!(f, " ({})", self.fields.join(", "))?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// Whether fields fit into one row: at most `ROW_BYTES_MAX` bytes of canonical text, so that a row always fits into
/// one answer, whatever its text escapes to. Clients check it before they commit.
#[must_use]
pub fn row_fits(fields: &Fields) -> bool {
    /// A byte of text becomes at most six (`\u0001`).
    const ESCAPED_BYTES_MAX: usize = 6;
    /// The digits, quotes and separators of one field.
    const FIELD_BYTES_MAX: usize = 40;
    let bound = |(name, value): (&String, &Value)| name.len() + value.byte_len() * ESCAPED_BYTES_MAX + FIELD_BYTES_MAX;
    fields.iter().map(bound).sum::<usize>() <= ROW_BYTES_MAX || canonical::fields(fields).len() <= ROW_BYTES_MAX
}
