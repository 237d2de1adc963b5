//! The client's optimistic view: what a row looks like while its ops wait for the server.

use crate::op::{Op, OpKind};
use crate::schema::{RowMerge, Table};
use crate::value::{Fields, Value};

/// Puts one op over its base. A pending change always shows; no stamps are compared. An update
/// never makes a row: over nothing it stays nothing.
///
/// `None` stands for a row that is not there.
#[must_use]
pub fn fold(table: &Table, base: Option<Fields>, op: &Op) -> Option<Fields> {
    match (op.kind, base) {
        (OpKind::Delete, _) | (OpKind::Update, None) => None,
        (_, base) => Some(put(table, base.unwrap_or_default(), op)),
    }
}

fn put(table: &Table, mut fields: Fields, op: &Op) -> Fields {
    if table.merge == RowMerge::Lww {
        fields.clear();
    }
    for (name, value) in &op.set {
        fields.insert(name.clone(), value.clone());
    }
    for (name, by) in &op.inc {
        let now = count(table, &fields, name).saturating_add(*by);
        fields.insert(name.clone(), Value::Int(now));
    }
    fields
}

/// The present value of a counter: its default where it was never written.
pub(super) fn count(table: &Table, fields: &Fields, name: &str) -> i64 {
    match fields.get(name) {
        Some(Value::Int(count)) => *count,
        _ => match table.field(name).and_then(|field| field.default.as_ref()) {
            Some(Value::Int(count)) => *count,
            _ => 0,
        },
    }
}
