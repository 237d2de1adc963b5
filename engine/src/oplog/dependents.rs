//! Which later ops build on a refused one (rule 16: parking is narrow).

use turnstone_protocol::Schema;
use turnstone_protocol::op::{Op, OpKind};
use turnstone_protocol::value::Value;

/// Whether `later` builds on `refused`: the row it changes or refers to was never made, or a value it replaces was
/// never there. Everything else goes on.
#[must_use]
pub fn builds_on(schema: &Schema, later: &Op, refused: &Op) -> bool {
    if later.table != refused.table || later.id != refused.id {
        return refused.kind == OpKind::Create && refers_to(schema, later, refused);
    }
    match refused.kind {
        // Another create of the same id makes the row itself.
        OpKind::Create | OpKind::Undelete => later.kind != OpKind::Create,
        OpKind::Update => refused.set.iter().any(|(field, value)| match later.was.get(field) {
            Some(was) => was == value,
            // Larger values travel as a hash; the op that follows on such a field replaced this one.
            None => later.was_hash.contains_key(field),
        }),
        OpKind::Delete => false,
    }
}

/// Whether a field of `op` that is declared as a reference holds the id of the other's row.
fn refers_to(schema: &Schema, op: &Op, target: &Op) -> bool {
    let Some(table) = schema.table(&op.table) else { return false };
    let to_target = |field: &&turnstone_protocol::schema::Field| field.references.as_deref() == Some(&target.table);
    let mut fields = table.fields.iter().filter(to_target);
    fields.any(|field| matches!(op.set.get(&field.name), Some(Value::Text(id)) if *id == target.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(text: &str) -> Op {
        serde_json::from_str(text).unwrap()
    }

    /// I-16: the narrow rule, case by case.
    #[test]
    fn only_what_needs_the_refused_change_builds_on_it() {
        let create = op(r#"{"op":"create","table":"t","id":"a","set":{"x":"1"}}"#);
        let set_x = op(r#"{"op":"update","table":"t","id":"a","set":{"x":"2"},"was":{"x":"1"}}"#);
        let set_y = op(r#"{"op":"update","table":"t","id":"a","set":{"y":"2"},"was":{"y":""}}"#);
        let x_again = op(r#"{"op":"update","table":"t","id":"a","set":{"x":"3"},"was":{"x":"2"}}"#);
        let x_elsewhere = op(r#"{"op":"update","table":"t","id":"b","set":{"x":"3"},"was":{"x":"2"}}"#);
        let long_x = op(r#"{"op":"update","table":"t","id":"a","set":{"x":"3"},"was_hash":{"x":"00"}}"#);
        let inc = op(r#"{"op":"update","table":"t","id":"a","inc":{"n":1}}"#);
        let delete = op(r#"{"op":"delete","table":"t","id":"a"}"#);

        let child = op(r#"{"op":"create","table":"u","id":"c","set":{"of":"a"}}"#);
        let schema = Schema::builder(1)
            .name("t")
            .table("t", |table| table.text("x").default("").end().text("y").default("").end())
            .table("u", |table| table.text("of").default("").references("t").end())
            .build()
            .unwrap();
        let builds_on = |later, refused| builds_on(&schema, later, refused);

        for later in [&set_x, &set_y, &inc, &delete] {
            assert!(builds_on(later, &create), "the row was never made");
        }
        assert!(builds_on(&child, &create), "nor was the row it refers to");
        assert!(!builds_on(&child, &set_x) && !builds_on(&create, &child));
        assert!(!builds_on(&create, &create), "another create makes the row itself");
        assert!(builds_on(&x_again, &set_x), "it replaces the refused value");
        assert!(builds_on(&long_x, &set_x), "and so does one that travels as a hash");
        for later in [&set_y, &x_elsewhere, &inc, &delete] {
            assert!(!builds_on(later, &set_x));
        }
        assert!(!builds_on(&set_x, &delete), "a row that was not deleted can be edited");
        assert!(!builds_on(&inc, &inc), "amounts add up whatever was there");
    }
}
