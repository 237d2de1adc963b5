//! hash.json.

use serde_json::{Value as Json, json};
use turnstone_protocol::hash::{self, State, from_hex, hex};
use turnstone_protocol::{Fields, Gid, Hlc, Op};

use super::text;

pub(super) fn payload(case: &Json) -> Json {
    let ops: Vec<Op> = serde_json::from_str(text(case, "ops")).unwrap();
    let hlc = Hlc::parse(text(case, "hlc")).unwrap();
    let schema = u32::try_from(case["schema"].as_u64().unwrap()).unwrap();
    json!(hex(&hash::payload(hlc, schema, &ops)))
}

pub(super) fn row(case: &Json) -> Json {
    let fields: Fields = serde_json::from_value(case["fields"].clone()).unwrap();
    json!(hex(&hash::row(text(case, "table"), text(case, "id"), &fields)))
}

pub(super) fn chain(case: &Json) -> Json {
    let gid = Gid::parse(text(case, "gid")).unwrap();
    let [prev, payload] = ["prev", "payload"].map(|key| from_hex(text(case, key)).unwrap());
    json!(hex(&hash::chain(&prev, case["n"].as_u64().unwrap(), &gid, &payload)))
}

pub(super) fn gids(case: &Json) -> Json {
    let gids: Vec<Gid> = serde_json::from_value(case["gids"].clone()).unwrap();
    json!(hash::gids(&gids))
}

pub(super) fn state(case: &Json) -> Json {
    let mut state = State::default();
    for row in case["add"].as_array().unwrap() {
        state.add(&from_hex(row.as_str().unwrap()).unwrap());
    }
    for row in case["remove"].as_array().unwrap() {
        state.remove(&from_hex(row.as_str().unwrap()).unwrap());
    }
    assert_eq!(State::from_bytes(&state.to_bytes()), state);
    json!({ "rows": state.rows(), "sum": hex(&state.to_bytes()[..32]), "hash": state.finish() })
}
