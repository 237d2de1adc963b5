//! Values between Rust and SQLite: bound without copies, read by the type their field declares.

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use turnstone_protocol::Value;
use turnstone_protocol::schema::Kind;

use crate::error::Error;

/// A value as SQLite takes it: booleans as 0 and 1, json as its text.
pub(crate) struct Bound<'a>(pub(crate) &'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Bool(bool) => ValueRef::Integer(i64::from(*bool)),
            Value::Int(int) => ValueRef::Integer(*int),
            Value::Real(real) => ValueRef::Real(*real),
            Value::Text(text) | Value::Json(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// A column of a declared field. What does not fit the type comes back as it is, for the field to refuse.
pub(crate) fn typed(kind: Kind, raw: ValueRef<'_>) -> Result<Value, Error> {
    Ok(match (kind, crate::row::value_of(raw)?) {
        (Kind::Boolean, Value::Int(0)) => Value::Bool(false),
        (Kind::Boolean, Value::Int(1)) => Value::Bool(true),
        (Kind::Json, Value::Text(text)) => Value::Json(text),
        (_, value) => value,
    })
}

/// A name as SQL quotes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A value as an SQL literal, for `DEFAULT`.
pub(crate) fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Bool(bool) => i64::from(*bool).to_string(),
        // The lexer reads the digits before the sign, and one digit pattern does not fit without it.
        Value::Int(i64::MIN) => "(-9223372036854775807 - 1)".to_owned(),
        Value::Int(int) => int.to_string(),
        Value::Real(real) => format!("{real:?}"),
        Value::Text(text) | Value::Json(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Bytes(bytes) => format!("x'{}'", turnstone_protocol::hash::hex(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn literals_come_back_as_they_were() {
        let conn = Connection::open_in_memory().unwrap();
        let values = [
            Value::Null,
            Value::Int(i64::MIN),
            Value::Int(i64::MAX),
            Value::Real(1e300),
            Value::Real(-2.0),
            Value::Text("it's \"quoted\" 🐦".to_owned()),
            Value::Bytes(vec![0, 255, 39]),
        ];
        for value in values {
            let back = conn
                .query_row(&format!("SELECT {}", literal(&value)), [], |row| {
                    Ok(crate::row::value_of(row.get_ref(0)?).unwrap())
                })
                .unwrap();
            assert!(back == value);
        }
    }
}
