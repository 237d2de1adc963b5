//! What is wrong with a schema, and where.

use std::fmt;

/// The document is not TOML, or the stored text is not JSON.
pub(super) const SYNTAX: &str = "schema_syntax";
/// A key the schema does not know.
pub(super) const UNKNOWN_KEY: &str = "schema_unknown_key";
/// A key that must be there is not.
pub(super) const MISSING_KEY: &str = "schema_missing_key";
/// A value of the wrong type, or not one of the words allowed there.
pub(super) const INVALID: &str = "schema_invalid";
/// A name that is not allowed, or is taken.
pub(super) const INVALID_NAME: &str = "schema_invalid_name";
/// A policy that does not fit its field or table.
pub(super) const INVALID_POLICY: &str = "schema_invalid_policy";
/// More tables, fields, indexes or bytes than a schema may have.
pub(super) const TOO_LARGE: &str = "schema_too_large";
/// A policy that has its name but is not built yet.
pub(super) const UNSUPPORTED: &str = "schema_unsupported";
/// A change of an existing schema that is not an addition.
pub(super) const CHANGE_REFUSED: &str = "schema_change_refused";
/// A schema older than the one the data was written with.
pub(super) const DOWNGRADE: &str = "schema_downgrade";

/// A schema that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaError {
    /// A stable code, listed in `docs/schema.md`.
    pub code: &'static str,
    /// The line in the TOML document, from 1; 0 where there is no document.
    pub line: usize,
    /// The column in characters, from 1; 0 where there is no document.
    pub column: usize,
    /// What is wrong and what to do, in a sentence.
    pub message: String,
}

impl SchemaError {
    pub(super) fn new(code: &'static str, place: Place, message: impl Into<String>) -> Self {
        Self { code, line: place.line, column: place.column, message: message.into() }
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for SchemaError {}

/// Where in its TOML document a table, field or index was declared.
///
/// Two places are always equal, so that schemas compare by what they say and not by how their
/// documents are laid out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    /// The line, from 1; 0 where there is no document.
    pub line: usize,
    /// The column in characters, from 1; 0 where there is no document.
    pub column: usize,
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}
