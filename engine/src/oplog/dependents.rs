//! Which later ops build on a refused one (rule 16: parking is narrow).

use turnstone_protocol::op::{Op, OpKind};

/// Whether `later`, an op on the same row, builds on `refused`: the row it needs was never made, or a value it
/// replaces was never there. Everything else goes on.
#[must_use]
pub fn builds_on(later: &Op, refused: &Op) -> bool {
    if later.table != refused.table || later.id != refused.id {
        return false;
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

        for later in [&set_x, &set_y, &inc, &delete] {
            assert!(builds_on(later, &create), "the row was never made");
        }
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
