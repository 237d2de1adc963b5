//! Writes the TOML document of a schema: only what differs from what a document may leave out.

use std::fmt::Write as _;

use super::model::{CreatePolicy, DeletePolicy, Field, Policy, RowMerge, Schema, Table};
use crate::value::{Value, bytes_to_base64};

pub(super) fn write(schema: &Schema) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "version = {}", schema.version);
    if !schema.name.is_empty() {
        let _ = writeln!(out, "name = {}", string(&schema.name));
    }
    for table in schema.tables.values() {
        write_table(&mut out, table);
    }
    out
}

fn write_table(out: &mut String, table: &Table) {
    let _ = writeln!(out, "\n[tables.{}]", table.name);
    if table.local_only {
        out.push_str("local_only = true\n");
    }
    if table.delete != DeletePolicy::default() {
        let _ = writeln!(out, "delete = \"{}\"", table.delete.as_str());
    }
    if table.create != CreatePolicy::default() {
        let _ = writeln!(out, "create = \"{}\"", table.create.as_str());
    }
    if table.merge != RowMerge::default() {
        let _ = writeln!(out, "merge = \"{}\"", table.merge.as_str());
    }
    if !table.fields.is_empty() {
        let _ = writeln!(out, "\n[tables.{}.fields]", table.name);
        for field in &table.fields {
            write_field(out, field);
        }
    }
    for index in &table.indexes {
        let fields: Vec<String> = index.fields.iter().map(|field| string(field)).collect();
        let _ = writeln!(
            out,
            "\n[[tables.{}.indexes]]\nname = {}\nfields = [{}]",
            table.name,
            string(&index.name),
            fields.join(", ")
        );
    }
}

fn write_field(out: &mut String, field: &Field) {
    let _ = write!(out, "{} = {{ type = \"{}\"", field.name, field.kind.as_str());
    if field.nullable {
        out.push_str(", nullable = true");
    }
    if let Some(default) = &field.default {
        let _ = write!(out, ", default = {}", value(default));
    }
    if field.merge != Policy::default() {
        let _ = write!(out, ", merge = \"{}\"", field.merge.as_str());
    }
    if let Some(target) = &field.references {
        let _ = write!(out, ", references = {}", string(target));
    }
    out.push_str(" }\n");
}

fn value(value: &Value) -> String {
    match value {
        // A default is never null: leaving it out says the same.
        Value::Null => "\"\"".to_owned(),
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        // Debug of a double always has a point or an exponent, as TOML wants.
        Value::Real(real) => format!("{real:?}"),
        Value::Text(text) | Value::Json(text) => string(text),
        Value::Bytes(bytes) => string(&bytes_to_base64(bytes)),
    }
}

/// A TOML basic string.
fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            char if char.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(char));
            }
            char => out.push(char),
        }
    }
    out.push('"');
    out
}
