//! A refused op, meant again on the row as it is now.

use turnstone_protocol::limits::WAS_BYTES_MAX;
use turnstone_protocol::op::{Op, OpKind};
use turnstone_protocol::schema::Table;
use turnstone_protocol::value::{Fields, Value};

/// The op with the base and the `was` of the row as it is now; none where the row it changes is not there.
///
/// `row` is the visible row with its version, `at` the commit the device has pulled to.
#[must_use]
pub fn rebase(table: &Table, op: &Op, row: Option<(&Fields, u64)>, at: u64) -> Option<Op> {
    let mut again = op.clone();
    again.was.clear();
    again.was_hash.clear();
    match (op.kind, row) {
        (OpKind::Create | OpKind::Undelete, _) => again.base = at,
        (OpKind::Update | OpKind::Delete, None) => return None,
        (OpKind::Update | OpKind::Delete, Some((fields, version))) => {
            again.base = version;
            for name in op.set.keys() {
                let was = fields.get(name).cloned().unwrap_or_else(|| default_of(table, name));
                if was.byte_len() <= WAS_BYTES_MAX {
                    again.was.insert(name.clone(), was);
                }
            }
        }
    }
    Some(again)
}

fn default_of(table: &Table, name: &str) -> Value {
    table.field(name).map_or(Value::Null, |field| field.default_value())
}
