//! The canonical JSON text of a schema: what databases store and what its hash covers.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::check;
use super::error::{INVALID, Place, SYNTAX, SchemaError, TOO_LARGE};
use super::model::{CreatePolicy, DeletePolicy, Field, Index, Kind, Policy, RowMerge, Schema, Table};
use crate::canonical::{write_string, write_value};
use crate::limits::SCHEMA_BYTES_MAX;
use crate::value::Value;

/// Writes the text: RFC 8785, every key spelled out except an absent `default` and `references`.
pub(super) fn write(schema: &Schema) -> String {
    let mut out = String::from("{\"name\":");
    write_string(&mut out, &schema.name);
    out.push_str(",\"tables\":{");
    members(&mut out, schema.tables.values(), |table| &table.name, write_table);
    out.push_str("},\"version\":");
    out.push_str(&schema.version.to_string());
    out.push('}');
    out
}

fn write_table(out: &mut String, table: &Table) {
    out.push_str("{\"create\":");
    write_string(out, table.create.as_str());
    out.push_str(",\"delete\":");
    write_string(out, table.delete.as_str());
    out.push_str(",\"fields\":{");
    members(out, table.fields.iter(), |field| &field.name, write_field);
    out.push_str("},\"indexes\":{");
    members(out, table.indexes.iter(), |index| &index.name, write_index);
    out.push_str(if table.local_only {
        "},\"local_only\":true,\"merge\":"
    } else {
        "},\"local_only\":false,\"merge\":"
    });
    write_string(out, table.merge.as_str());
    out.push('}');
}

fn write_field(out: &mut String, field: &Field) {
    out.push('{');
    if let Some(default) = &field.default {
        out.push_str("\"default\":");
        write_value(out, default);
        out.push(',');
    }
    out.push_str("\"merge\":");
    write_string(out, field.merge.as_str());
    out.push_str(if field.nullable { ",\"nullable\":true" } else { ",\"nullable\":false" });
    if let Some(target) = &field.references {
        out.push_str(",\"references\":");
        write_string(out, target);
    }
    out.push_str(",\"type\":");
    write_string(out, field.kind.as_str());
    out.push('}');
}

fn write_index(out: &mut String, index: &Index) {
    out.push('[');
    for (at, name) in index.fields.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_string(out, name);
    }
    out.push(']');
}

fn members<'a, T: 'a>(
    out: &mut String,
    items: impl Iterator<Item = &'a T>,
    name: impl Fn(&'a T) -> &'a String,
    write: impl Fn(&mut String, &'a T),
) {
    let mut sorted: Vec<&'a T> = items.collect();
    sorted.sort_by_key(|item| name(item));
    for (at, item) in sorted.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_string(out, name(item));
        out.push(':');
        write(out, item);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SchemaText {
    name: String,
    tables: BTreeMap<String, TableText>,
    version: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableText {
    create: String,
    delete: String,
    fields: BTreeMap<String, FieldText>,
    indexes: BTreeMap<String, Vec<String>>,
    local_only: bool,
    merge: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldText {
    #[serde(default, deserialize_with = "present")]
    default: Option<Value>,
    merge: String,
    nullable: bool,
    #[serde(default)]
    references: Option<String>,
    #[serde(rename = "type")]
    kind: String,
}

/// Tells a default of null, which is written only for json, from an absent one.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Reads the text and checks it like a document.
pub(super) fn read(json: &str) -> Result<Schema, SchemaError> {
    if json.len() > SCHEMA_BYTES_MAX {
        let message = format!("the schema's text is larger than {SCHEMA_BYTES_MAX} bytes");
        return Err(SchemaError::new(TOO_LARGE, Place::default(), message));
    }
    let text: SchemaText = serde_json::from_str(json).map_err(|error| {
        let message = format!(
            "the schema's JSON text cannot be read ({}): it was altered, or a newer version wrote it",
            error.classify_word()
        );
        SchemaError::new(SYNTAX, Place { line: error.line(), column: error.column() }, message)
    })?;
    let tables = text.tables.into_iter().map(|(name, table)| read_table(&name, table)).collect::<Result<_, _>>()?;
    check::finish(text.name, text.version, tables)
}

trait ClassifyWord {
    fn classify_word(&self) -> &'static str;
}

impl ClassifyWord for serde_json::Error {
    fn classify_word(&self) -> &'static str {
        match self.classify() {
            serde_json::error::Category::Data => "a member is missing, unknown or of the wrong type",
            serde_json::error::Category::Eof => "it ends too early",
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => "it is not JSON",
        }
    }
}

fn read_table(name: &str, text: TableText) -> Result<Table, SchemaError> {
    let mut table = check::empty_table(name, Place::default());
    table.create = word(&text.create, CreatePolicy::from_word)?;
    table.delete = word(&text.delete, DeletePolicy::from_word)?;
    table.merge = word(&text.merge, RowMerge::from_word)?;
    table.local_only = text.local_only;
    for (name, text) in text.fields {
        let mut field = check::empty_field(&name, word(&text.kind, Kind::from_word)?, Place::default());
        // In the text a json default is the value itself, not a string holding JSON.
        field.default = match (field.kind, text.default) {
            (Kind::Json, Some(value)) => {
                let mut json = String::new();
                write_value(&mut json, &value);
                Some(Value::Json(json))
            }
            (_, value) => value,
        };
        field.merge = word(&text.merge, Policy::from_word)?;
        field.nullable = text.nullable;
        field.references = text.references;
        table.fields.push(field);
    }
    for (name, fields) in text.indexes {
        table.indexes.push(Index { name, fields, place: Place::default() });
    }
    Ok(table)
}

fn word<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, SchemaError> {
    read(text).ok_or_else(|| {
        let message = "the schema's JSON text uses a word this version does not know: a newer version wrote it";
        SchemaError::new(INVALID, Place::default(), message)
    })
}
