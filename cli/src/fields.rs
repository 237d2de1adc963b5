//! `field=value` on the command line: the schema says what a value means.

use std::io::Read;

use turnstone::{Fields, Schema, Value};
use turnstone_protocol::schema::{Field, Kind, Table};

use crate::failure::Failure;

/// The most JSON read from stdin.
const STDIN_BYTES_MAX: u64 = 64 << 20;

/// The table of a schema, or a failure that names those there are.
///
/// # Errors
/// `unknown_table`.
pub fn table<'a>(schema: &'a Schema, name: &str) -> Result<&'a Table, Failure> {
    schema.table(name).ok_or_else(|| {
        let names: Vec<&str> = schema.tables.keys().map(String::as_str).collect();
        let next = if names.is_empty() {
            "The schema has no tables.".to_owned()
        } else {
            format!("Its tables: {}.", names.join(", "))
        };
        Failure::bad_input("unknown_table", format!("There is no table {name:?} in the schema."), &next)
    })
}

/// Reads `field=value` (typed by the schema, text as it stands) and `field:=json` pairs, and an object of JSON.
///
/// # Errors
/// `unknown_field`, `invalid_value`, `malformed`; never with the value in it.
pub fn read(table: &Table, pairs: &[String], json: Option<&str>, now_ms: i64) -> Result<Fields, Failure> {
    let mut fields = json.map_or_else(|| Ok(Fields::new()), |json| object(table, json))?;
    for pair in pairs {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            Failure::bad_input(
                "malformed",
                "A field is not written as field=value.",
                "Write field=value or field:=JSON.",
            )
        })?;
        let (name, value) = match name.strip_suffix(':') {
            Some(name) => {
                let value = serde_json::from_str(value).map_err(|_| not_json(&table.name, name))?;
                (name, admit(field(table, name)?, table, value)?)
            }
            None => (name, typed(table, field(table, name)?, value, now_ms)?),
        };
        fields.insert(name.to_owned(), value);
    }
    Ok(fields)
}

fn object(table: &Table, json: &str) -> Result<Fields, Failure> {
    let text = if json == "-" { stdin()? } else { json.to_owned() };
    let given: Fields = serde_json::from_str(&text).map_err(|error| {
        Failure::bad_input(
            "malformed",
            format!("The fields are not a JSON object (line {}, column {}).", error.line(), error.column()),
            "Write {\"field\": value, …}.",
        )
    })?;
    given.into_iter().map(|(name, value)| Ok((name.clone(), admit(field(table, &name)?, table, value)?))).collect()
}

fn stdin() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().take(STDIN_BYTES_MAX).read_to_string(&mut text).map_err(|error| {
        Failure::bad_input("malformed", format!("Stdin cannot be read: {error}."), "Send UTF-8 text.")
    })?;
    Ok(text)
}

fn field<'a>(table: &'a Table, name: &str) -> Result<&'a Field, Failure> {
    table.field(name).ok_or_else(|| {
        let names: Vec<&str> = table.fields.iter().map(|field| field.name.as_str()).collect();
        let message = format!("Table {:?} has no field {name:?}.", table.name);
        Failure::bad_input("unknown_field", message, &format!("Its fields: {}.", names.join(", ")))
    })
}

/// Text that stands for a value of the field's type.
fn typed(table: &Table, field: &Field, text: &str, now_ms: i64) -> Result<Value, Failure> {
    let value = match field.kind {
        Kind::Text | Kind::Bytes => Some(Value::from(text)),
        Kind::Timestamp if text == "now" => Some(Value::from(now_ms)),
        Kind::Integer | Kind::Timestamp => text.parse::<i64>().ok().map(Value::from),
        Kind::Real => text.parse::<f64>().ok().map(Value::from),
        Kind::Boolean => match text {
            "true" | "yes" | "1" => Some(Value::from(true)),
            "false" | "no" | "0" => Some(Value::from(false)),
            _ => None,
        },
        Kind::Json => Some(Value::Json(text.to_owned())),
    };
    let value = value.ok_or_else(|| invalid(table, field, "it cannot be read as the field's type"))?;
    admit(field, table, value)
}

fn admit(field: &Field, table: &Table, value: Value) -> Result<Value, Failure> {
    field.admit(value).map_err(|error| {
        let mut failure = invalid(table, field, error.reason);
        failure.code = error.code.as_str().to_owned();
        failure
    })
}

fn invalid(table: &Table, field: &Field, reason: &str) -> Failure {
    let kind = format!("{:?}", field.kind).to_lowercase();
    let message = format!("The value for {}.{} does not fit: {reason}.", table.name, field.name);
    Failure::bad_input("invalid_value", message, &format!("{} is of type {kind}.", field.name))
}

fn not_json(table: &str, field: &str) -> Failure {
    Failure::bad_input("malformed", format!("The value for {table}.{field} is not JSON."), "After := write JSON.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes() -> Schema {
        crate::opening::notes_schema().unwrap()
    }

    fn one(pair: &str) -> Result<Fields, Failure> {
        read(table(&notes(), "notes").unwrap(), &[pair.to_owned()], None, 77)
    }

    #[test]
    fn the_schema_types_what_is_written() {
        assert_eq!(one("title=a=b").unwrap()["title"], Value::from("a=b"));
        assert_eq!(one("title=42").unwrap()["title"], Value::from("42"));
        assert_eq!(one("pinned=yes").unwrap()["pinned"], Value::from(true));
        assert_eq!(one("views=-3").unwrap()["views"], Value::from(-3));
        assert_eq!(one("updated_at=now").unwrap()["updated_at"], Value::from(77));
        assert_eq!(one("title:=\"x\"").unwrap()["title"], Value::from("x"));
    }

    #[test]
    fn what_does_not_fit_is_named_and_not_quoted() {
        for (pair, code) in [
            ("titel=secret", "unknown_field"),
            ("views=secret", "invalid_value"),
            ("pinned:=\"secret\"", "invalid_value"),
            ("title:=secret", "malformed"),
            ("secret", "malformed"),
            ("title=sec\0ret", "invalid_value"),
        ] {
            let failure = one(pair).unwrap_err();
            assert_eq!(failure.code, code, "{pair}");
            assert!(!failure.to_string().contains("secret"), "{failure}");
        }
        let schema = notes();
        let failure = read(table(&schema, "notes").unwrap(), &[], Some("{\"title\":"), 0).unwrap_err();
        assert_eq!(failure.code, "malformed");
        assert_eq!(table(&schema, "nope").unwrap_err().code, "unknown_table");
    }
}
