//! Whether a base needs a copy of its own: not where undoing the ops on the visible row gives it back.
//!
//! That is so after most pages that meet pending ops, because two people seldom change the same field of a row at
//! once: what an op says it replaced (`was`) is what the new base still holds there, and everything else of the
//! visible row is the base's already. Says no where it is not sure; a copy is never wrong, it only costs a write.

use std::borrow::Cow;
use std::collections::BTreeMap;

use turnstone_protocol::op::{Op, OpKind};
use turnstone_protocol::schema::{Field, RowMerge, Table};
use turnstone_protocol::value::Value;

use super::base::{Base, Standing};

/// Whether undoing `ops`, oldest first here, on their fold over `base` gives `base` again.
pub(super) fn gives_back<'a>(table: &Table, base: &Base, mut ops: impl Iterator<Item = &'a Op>) -> bool {
    // Where whole rows compete, an op leaves nothing of the row below it.
    let Standing::Live(fields) = &base.standing else { return ops.next().is_none() };
    if table.merge == RowMerge::Lww {
        return ops.next().is_none();
    }
    let mut written: BTreeMap<&str, Cow<'_, Value>> = BTreeMap::new();
    for op in ops {
        // A create or a delete has no row below it or leaves none; a value kept as a hash cannot be put back.
        if op.kind != OpKind::Update || !op.was_hash.is_empty() || op.set.len() != op.was.len() {
            return false;
        }
        for ((name, new), (was_name, was)) in op.set.iter().zip(&op.was) {
            let now = written.get(name.as_str()).map(AsRef::as_ref).or_else(|| fields.get(name));
            if name != was_name || !now.map_or_else(|| is_default(table, name, was), |now| now == was) {
                return false;
            }
            written.insert(name, Cow::Borrowed(new));
        }
        for (name, by) in &op.inc {
            let now = written.get(name.as_str()).map(AsRef::as_ref).or_else(|| fields.get(name));
            let unwritten = table.field(name).map(Field::default_value);
            let Some(Value::Int(now)) = now.or(unwritten.as_ref()) else { return false };
            let Some(more) = now.checked_add(*by) else { return false };
            written.insert(name, Cow::Owned(Value::Int(more)));
        }
    }
    true
}

/// Whether a value is what a field is where nothing was written.
fn is_default(table: &Table, name: &str, value: &Value) -> bool {
    table.field(name).is_some_and(|field| field.default_value() == *value)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use turnstone_protocol::schema::Schema;
    use turnstone_protocol::value::Fields;

    use super::*;

    const SCHEMA: &str = r#"
        name = "test"
        version = 1
        [tables.notes.fields]
        title = { type = "text", default = "" }
        tag = { type = "text", nullable = true }
        views = { type = "integer", default = 0, merge = "counter" }
        [tables.places]
        merge = "lww"
        [tables.places.fields]
        title = { type = "text", default = "" }
        tag = { type = "text", nullable = true }
    "#;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
    }

    fn op(kind: OpKind, set: &[(&str, &str)], was: &[(&str, &str)], views: Option<i64>) -> Op {
        Op {
            kind,
            table: String::new(),
            id: "a".to_owned(),
            base: 1,
            set: fields(set),
            inc: views.map(|by| ("views".to_owned(), by)).into_iter().collect(),
            was: fields(was),
            was_hash: BTreeMap::new(),
        }
    }

    fn update(set: &[(&str, &str)], was: &[(&str, &str)]) -> Op {
        op(OpKind::Update, set, was, None)
    }

    fn says(table: &str, base: &[(&str, &str)], ops: &[Op]) -> bool {
        let schema = Schema::parse(SCHEMA).unwrap();
        let base = Base { version: 2, standing: Standing::Live(fields(base)) };
        gives_back(schema.table(table).unwrap(), &base, ops.iter())
    }

    #[test]
    fn what_an_op_replaced_must_be_what_the_base_holds() {
        let base = [("title", "A"), ("tag", "theirs")];
        assert!(says("notes", &base, &[update(&[("title", "B")], &[("title", "A")])]));
        assert!(!says("notes", &base, &[update(&[("tag", "mine")], &[("tag", "before")])]));
        assert!(says("notes", &[], &[update(&[("title", "B")], &[("title", "")])]), "left out is its default");
        assert!(!says("notes", &[], &[update(&[("title", "B")], &[("title", "A")])]));
    }

    #[test]
    fn each_op_stands_on_the_one_before_it() {
        let first = update(&[("title", "B")], &[("title", "A")]);
        let second = update(&[("title", "C")], &[("title", "B")]);
        assert!(says("notes", &[("title", "A")], &[first.clone(), second.clone()]));
        assert!(!says("notes", &[("title", "A")], &[second, first]), "one between them was refused, say");
    }

    #[test]
    fn an_amount_can_be_taken_back_unless_it_was_cut_off() {
        let more = |by| op(OpKind::Update, &[], &[], Some(by));
        assert!(says("notes", &[], &[more(2), more(-5)]));
        assert!(!says("notes", &[], &[more(i64::MAX), more(1)]));
    }

    #[test]
    fn what_cannot_be_taken_back_says_no() {
        let title = [("title", "A")];
        let mut hashed = update(&[("title", "B")], &[]);
        hashed.was_hash.insert("title".to_owned(), "0".repeat(64));
        assert!(!says("notes", &title, &[hashed]));
        assert!(!says("notes", &title, &[update(&[("title", "B")], &[])]), "it does not say what it replaced");
        assert!(!says("notes", &title, &[op(OpKind::Create, &title, &title, None)]));
        assert!(!says("notes", &title, &[op(OpKind::Delete, &[], &[], None)]));
        let whole = update(&[("tag", "t"), ("title", "A")], &[("tag", "t"), ("title", "A")]);
        assert!(!says("places", &[("tag", "t"), ("title", "A"), ("later", "x")], &[whole]), "whole rows leave nothing");
    }

    #[test]
    fn without_ops_or_without_a_row_there_is_nothing_to_take_back() {
        let schema = Schema::parse(SCHEMA).unwrap();
        let table = schema.table("notes").unwrap();
        let gone = Base { version: 2, standing: Standing::Gone { last: None } };
        assert!(gives_back(table, &gone, [].iter()));
        assert!(!gives_back(table, &gone, [update(&[], &[])].iter()));
        assert!(says("places", &[("title", "A")], &[]));
    }
}
