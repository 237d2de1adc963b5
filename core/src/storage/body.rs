//! Op bodies as canonical wire JSON, written straight from the values: no tree is built on the way.
//!
//! What is written here is what is hashed and sent; it equals `canonical::write_op` of the op it says.

use std::fmt::Write as _;

use turnstone_protocol::limits::WAS_BYTES_MAX;
use turnstone_protocol::{Fields, Value, canonical, hash};

use super::tables::TableSql;

/// What an op says about one field.
#[derive(Clone, PartialEq)]
pub(crate) enum Change {
    /// Nothing.
    Keep,
    /// A new value over an old one; no old one in a create.
    Set {
        /// The new value.
        new: Value,
        /// What the writer saw.
        was: Option<Value>,
    },
    /// An amount.
    Inc(i64),
}

/// Appends the body of a create or an update. `changes` are by place of the field; `extra` are unknown fields that
/// a whole row carries along.
pub(crate) fn write_edit(
    out: &mut String,
    kind: &str,
    table: &TableSql,
    id: &str,
    base: u64,
    changes: &[Change],
    extra: &Fields,
) {
    head(out, id, base);
    // Most ops have one or two of these parts: looking once is less than walking the fields for each.
    let (mut inc, mut was, mut was_hash) = (false, false, false);
    for change in changes {
        match change {
            Change::Inc(_) => inc = true,
            Change::Set { was: Some(old), .. } if old.byte_len() > WAS_BYTES_MAX => was_hash = true,
            Change::Set { was: Some(_), .. } => was = true,
            Change::Keep | Change::Set { was: None, .. } => {}
        }
    }
    if inc {
        members(out, "inc", table, changes, |out, change| match change {
            Change::Inc(by) => {
                canonical::write_value(out, &Value::Int(*by));
                true
            }
            _ => false,
        });
    }
    out.push_str(",\"op\":\"");
    out.push_str(kind);
    out.push('"');
    write_set(out, table, changes, extra);
    tail(out, table);
    if was {
        write_was(out, table, changes);
    }
    if was_hash {
        write_was_hash(out, table, changes);
    }
    out.push('}');
}

fn write_was(out: &mut String, table: &TableSql, changes: &[Change]) {
    members(out, "was", table, changes, |out, change| match change {
        Change::Set { was: Some(was), .. } if was.byte_len() <= WAS_BYTES_MAX => {
            canonical::write_value(out, was);
            true
        }
        _ => false,
    });
}

fn write_was_hash(out: &mut String, table: &TableSql, changes: &[Change]) {
    members(out, "was_hash", table, changes, |out, change| match change {
        Change::Set { was: Some(was), .. } if was.byte_len() > WAS_BYTES_MAX => {
            write_hash(out, was);
            true
        }
        _ => false,
    });
}

/// Appends the body of a delete.
pub(crate) fn write_delete(out: &mut String, table: &TableSql, id: &str, base: u64) {
    head(out, id, base);
    out.push_str(",\"op\":\"delete\"");
    tail(out, table);
    out.push('}');
}

/// The old values that the body holds only as hashes: what undoing the op needs beside the body.
pub(crate) fn write_undo(table: &TableSql, changes: &[Change]) -> Option<String> {
    let large =
        |change: &Change| matches!(change, Change::Set { was: Some(was), .. } if was.byte_len() > WAS_BYTES_MAX);
    if !changes.iter().any(large) {
        return None;
    }
    let mut out = String::from("{");
    for (key, change) in ordered(table, changes) {
        if let (true, Change::Set { was: Some(was), .. }) = (large(change), change) {
            comma(&mut out);
            out.push_str(key);
            canonical::write_value(&mut out, was);
        }
    }
    out.push('}');
    Some(out)
}

/// A whole row as JSON: known and unknown fields together.
pub(crate) fn write_image(table: &TableSql, values: &[Value], extra: &Fields) -> String {
    let mut out = String::from("{");
    let known = table.sorted.iter().filter_map(|at| Some((table.keys.get(*at)?, values.get(*at)?)));
    for (key, value) in known {
        comma(&mut out);
        out.push_str(key);
        canonical::write_value(&mut out, value);
    }
    for (name, value) in extra {
        comma(&mut out);
        member(&mut out, name, value);
    }
    out.push('}');
    out
}

fn head(out: &mut String, id: &str, base: u64) {
    out.push_str("{\"base\":");
    // A commit number beyond 2^53 does not occur: a server would have to write a million a second for 285 years.
    let _ = write!(out, "{base}");
    out.push_str(",\"id\":");
    canonical::write_string(out, id);
}

fn tail(out: &mut String, table: &TableSql) {
    out.push_str(",\"table\":\"");
    out.push_str(&table.def.name);
    out.push('"');
}

fn ordered<'a>(table: &'a TableSql, changes: &'a [Change]) -> impl Iterator<Item = (&'a str, &'a Change)> {
    table.sorted.iter().filter_map(|at| Some((table.keys.get(*at)?.as_str(), changes.get(*at)?)))
}

/// Appends `,"name":{…}` with the members `write` writes; nothing if there are none.
fn members(
    out: &mut String,
    name: &str,
    table: &TableSql,
    changes: &[Change],
    write: impl Fn(&mut String, &Change) -> bool,
) {
    let start = out.len();
    out.push_str(",\"");
    out.push_str(name);
    out.push_str("\":{");
    let empty = out.len();
    for (key, change) in ordered(table, changes) {
        let before = out.len();
        comma(out);
        out.push_str(key);
        if !write(out, change) {
            out.truncate(before);
        }
    }
    if out.len() == empty {
        out.truncate(start);
    } else {
        out.push('}');
    }
}

fn write_set(out: &mut String, table: &TableSql, changes: &[Change], extra: &Fields) {
    if extra.is_empty() {
        return members(out, "set", table, changes, |out, change| match change {
            Change::Set { new, .. } => {
                canonical::write_value(out, new);
                true
            }
            _ => false,
        });
    }
    let known = table.def.fields.iter().zip(changes).filter_map(|(field, change)| match change {
        Change::Set { new, .. } => Some((&field.name, new)),
        _ => None,
    });
    let all: std::collections::BTreeMap<&String, &Value> = known.chain(extra).collect();
    out.push_str(",\"set\":{");
    for (name, value) in all {
        comma(out);
        member(out, name, value);
    }
    out.push('}');
}

fn member(out: &mut String, name: &str, value: &Value) {
    canonical::write_string(out, name);
    out.push(':');
    canonical::write_value(out, value);
}

fn comma(out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
}

fn write_hash(out: &mut String, value: &Value) {
    let mut text = String::new();
    canonical::write_value(&mut text, value);
    canonical::write_string(out, &hash::hex(&hash::sha256(text.as_bytes())));
}
