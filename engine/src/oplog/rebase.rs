//! A refused op, meant again on the row as it is now.

use turnstone_protocol::limits::WAS_BYTES_MAX;
use turnstone_protocol::op::{Op, OpKind};
use turnstone_protocol::schema::Table;
use turnstone_protocol::value::{Fields, Value};

/// What the writer of an update or a delete has seen of a row whose base has this version, with `at` the commit the device
/// has pulled to. A row that is only pending (0) has seen all that was pulled: no commit of it is on this side of its
/// create, but an earlier life of its id may be.
#[must_use]
pub const fn seen_of(version: u64, at: u64) -> u64 {
    if version == 0 { at } else { version }
}

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
            again.base = seen_of(version, at);
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

#[cfg(test)]
mod tests {
    use turnstone_protocol::Schema;

    use super::*;

    #[test]
    fn an_op_is_meant_again_on_what_is_there_now() {
        let schema = Schema::builder(1)
            .name("t")
            .table("t", |table| table.text("x").default("").end().text("big").default("").end())
            .build()
            .unwrap();
        let table = schema.table("t").unwrap();
        let text = r#"{"op":"update","table":"t","id":"a","base":3,"set":{"x":"mine","big":""},"was":{"x":"old"}}"#;
        let op: Op = serde_json::from_str(text).unwrap();
        let now: Fields =
            [("x".to_owned(), Value::from("theirs")), ("big".to_owned(), Value::from("b".repeat(5000)))].into();

        let again = rebase(table, &op, Some((&now, 8)), 9).unwrap();

        assert_eq!(again.base, 8);
        assert_eq!(rebase(table, &op, Some((&now, 0)), 9).unwrap().base, 9, "of a row that is only pending");
        assert_eq!(again.set, op.set, "what was meant stays");
        assert_eq!(again.was, [("x".to_owned(), Value::from("theirs"))].into(), "large values stay out");
        assert_eq!(rebase(table, &op, None, 9), None, "an update never makes a row");
    }

    #[test]
    fn a_create_is_based_on_what_was_pulled() {
        let schema =
            Schema::builder(1).name("t").table("t", |table| table.text("x").default("").end()).build().unwrap();
        let op: Op = serde_json::from_str(r#"{"op":"create","table":"t","id":"a","base":3,"set":{"x":"1"}}"#).unwrap();
        assert_eq!(rebase(schema.table("t").unwrap(), &op, None, 9).unwrap().base, 9);
    }
}
