//! Values and changes, as apps hand them over.

use turnstone::{Error, Tx, Value};

use crate::error::FfiError;

/// The value of a field or of a query's parameter.
#[derive(Clone, PartialEq, uniffi::Enum)]
pub enum FfiValue {
    /// No value.
    Null,
    /// Yes or no.
    Bool {
        /// The value.
        value: bool,
    },
    /// A whole number; also a time, in milliseconds since 1970.
    Int {
        /// The value.
        value: i64,
    },
    /// A number.
    Real {
        /// The value.
        value: f64,
    },
    /// A text.
    Text {
        /// The value.
        value: String,
    },
    /// Bytes.
    Bytes {
        /// The value.
        value: Vec<u8>,
    },
    /// A JSON text.
    Json {
        /// The value.
        value: String,
    },
}

/// A field and its new value.
#[derive(Clone, PartialEq, uniffi::Record)]
pub struct FfiField {
    /// The field's name.
    pub name: String,
    /// Its new value.
    pub value: FfiValue,
}

/// One change. A list of them is one transaction: all of it is saved or nothing, here and on every other device.
#[derive(Clone, PartialEq, uniffi::Enum)]
pub enum FfiChange {
    /// Makes a row. Fields that are not named take their default.
    Insert {
        /// The table.
        table: String,
        /// The row's id; none: a new one is made.
        id: Option<String>,
        /// Its fields.
        fields: Vec<FfiField>,
    },
    /// Changes fields of a row that is there.
    Update {
        /// The table.
        table: String,
        /// The row's id.
        id: String,
        /// The fields that change.
        fields: Vec<FfiField>,
    },
    /// Changes fields of a row that is there, else makes it.
    Upsert {
        /// The table.
        table: String,
        /// The row's id.
        id: String,
        /// Its fields.
        fields: Vec<FfiField>,
    },
    /// Removes a row, if it is there.
    Delete {
        /// The table.
        table: String,
        /// The row's id.
        id: String,
    },
    /// Adds to a counter. Increments of several devices add up.
    Increment {
        /// The table.
        table: String,
        /// The row's id.
        id: String,
        /// The counter.
        field: String,
        /// How much; may be negative.
        by: i64,
    },
    /// Runs one SQL statement. What it changes is synced like everything else.
    Sql {
        /// The statement.
        sql: String,
        /// Its parameters.
        params: Vec<FfiValue>,
    },
}

impl From<FfiValue> for Value {
    fn from(value: FfiValue) -> Self {
        match value {
            FfiValue::Null => Self::Null,
            FfiValue::Bool { value } => Self::Bool(value),
            FfiValue::Int { value } => Self::Int(value),
            FfiValue::Real { value } => Self::Real(value),
            FfiValue::Text { value } => Self::Text(value),
            FfiValue::Bytes { value } => Self::Bytes(value),
            FfiValue::Json { value } => Self::Json(value),
        }
    }
}

/// Parameters of a query.
pub(crate) fn values(params: Vec<FfiValue>) -> Vec<Value> {
    params.into_iter().map(Value::from).collect()
}

/// Carries changes out, in order, and gives the ids of the rows that inserts made.
pub(crate) fn apply(tx: &mut Tx<'_>, changes: Vec<FfiChange>) -> Result<Vec<String>, Error> {
    let mut ids = Vec::new();
    for change in changes {
        match change {
            FfiChange::Insert { table, id: Some(id), fields } => {
                tx.insert_with_id(&table, &id, pairs(fields))?;
                ids.push(id);
            }
            FfiChange::Insert { table, id: None, fields } => ids.push(tx.insert(&table, pairs(fields))?),
            FfiChange::Update { table, id, fields } => tx.update(&table, &id, pairs(fields))?,
            FfiChange::Upsert { table, id, fields } => drop(tx.upsert(&table, &id, pairs(fields))?),
            FfiChange::Delete { table, id } => drop(tx.delete(&table, &id)?),
            FfiChange::Increment { table, id, field, by } => tx.increment(&table, &id, &field, by)?,
            FfiChange::Sql { sql, params } => drop(tx.execute(&sql, &values(params))?),
        }
    }
    Ok(ids)
}

fn pairs(fields: Vec<FfiField>) -> Vec<(String, Value)> {
    fields.into_iter().map(|field| (field.name, Value::from(field.value))).collect()
}

/// The ids a repeated write made the first time.
pub(crate) fn ids_from(result: Option<&str>) -> Result<Vec<String>, FfiError> {
    let Some(text) = result else { return Ok(Vec::new()) };
    serde_json::from_str(text).map_err(|_| FfiError::invalid("write_id_used", "the write id was used by another call"))
}

/// The ids as they are kept beside a write id.
pub(crate) fn ids_to(ids: &[String]) -> String {
    serde_json::Value::from(ids).to_string()
}
