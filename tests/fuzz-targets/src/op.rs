//! Ops and values: canonical text is a fixed point, and what is admitted keeps its payload hash.

use turnstone_protocol::{Fields, Op, Schema, canonical, hash, merge};

const TOML: &str = include_str!("notes.toml");

pub(crate) fn op(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(canonical) = canonical::json_text(text) {
        assert_eq!(canonical::json_text(&canonical).expect("canonical text reads"), canonical);
    }
    if let Ok(fields) = serde_json::from_str::<Fields>(text) {
        let written = canonical::fields(&fields);
        let again: Fields = serde_json::from_str(&written).expect("canonical fields read");
        assert_eq!(canonical::fields(&again), written);
        assert_eq!(hash::row("notes", "n", &again), hash::row("notes", "n", &fields));
    }
    let Ok(op) = serde_json::from_str::<Op>(text) else { return };
    let read = again(&op);
    assert_eq!(payload(&read), payload(&op));
    let schema = Schema::parse(TOML).expect("our own schema");
    for table in schema.tables.values() {
        if let Ok(admitted) = merge::admit_op(table, op.clone(), 1 << 16) {
            assert_eq!(payload(&again(&admitted)), payload(&admitted));
            let twice = merge::admit_op(table, admitted.clone(), 1 << 16).expect("what was admitted is admitted");
            assert!(twice == admitted, "admitting twice changes an op");
        }
    }
}

fn again(op: &Op) -> Op {
    let mut written = String::new();
    canonical::write_op(&mut written, op);
    let read: Op = serde_json::from_str(&written).expect("a canonical op reads");
    let mut twice = String::new();
    canonical::write_op(&mut twice, &read);
    assert_eq!(twice, written);
    read
}

fn payload(op: &Op) -> hash::Hash {
    hash::payload(turnstone_protocol::Hlc::at(7), 1, std::slice::from_ref(op))
}
