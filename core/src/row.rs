//! Rows as apps read them.

use std::sync::Arc;

use rusqlite::types::ValueRef;
use turnstone_protocol::{Fields, Value};

/// A row of a table: its id and its fields, in declared order.
#[derive(Clone, PartialEq)]
pub struct Row {
    pub(crate) id: String,
    pub(crate) columns: Arc<[Box<str>]>,
    pub(crate) values: Vec<Value>,
}

impl Row {
    /// The row id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The value of a field; none if the table has no such field.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.iter().find_map(|(name, value)| (name == field).then_some(value))
    }

    /// The text of a text or json field; none for anything else.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&str> {
        match self.get(field) {
            Some(Value::Text(text) | Value::Json(text)) => Some(text),
            _ => None,
        }
    }

    /// The number of an integer or timestamp field; none for anything else.
    #[must_use]
    pub fn int(&self, field: &str) -> Option<i64> {
        match self.get(field) {
            Some(Value::Int(int)) => Some(*int),
            _ => None,
        }
    }

    /// The value of a boolean field; none for anything else.
    #[must_use]
    pub fn bool(&self, field: &str) -> Option<bool> {
        match self.get(field) {
            Some(Value::Bool(bool)) => Some(*bool),
            _ => None,
        }
    }

    /// Every field with its value, in declared order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.columns.iter().map(AsRef::as_ref).zip(&self.values)
    }

    /// The fields by name.
    #[must_use]
    pub fn into_fields(self) -> Fields {
        self.columns.iter().map(ToString::to_string).zip(self.values).collect()
    }
}

/// Shows the shape of a row and never its content.
impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// What a query returned. Columns hold what SQLite stores: booleans are 0 and 1, json is text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows, each as long as `columns`.
    pub rows: Vec<Vec<Value>>,
}

/// A value of SQLite, as it is.
pub(crate) fn value_of(raw: ValueRef<'_>) -> Result<Value, crate::Error> {
    Ok(match raw {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(int) => Value::Int(int),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(text) => Value::Text(
            std::str::from_utf8(text)
                .map_err(|_| crate::Error::Sql { message: "a text is not UTF-8".to_owned() })?
                .to_owned(),
        ),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    })
}
