//! canonical.json, values.json, hlc.json.

use serde_json::{Value as Json, json};
use turnstone_protocol::limits::VALUE_BYTES_MAX;
use turnstone_protocol::schema::Kind;
use turnstone_protocol::{Hlc, Schema, Value, canonical};

use super::text;

pub(super) fn canonical(case: &Json) -> Json {
    match canonical::json_text(text(case, "json")) {
        Ok(canonical) => {
            assert_eq!(canonical::json_text(&canonical).as_deref(), Ok(&*canonical), "canonical text is a fixed point");
            json!({ "canonical": canonical })
        }
        Err(_) => json!({ "refused": true }),
    }
}

pub(super) fn value(case: &Json) -> Json {
    let declared = &case["field"];
    let kind = Kind::from_word(declared["type"].as_str().unwrap()).unwrap();
    let builder = Schema::builder(1).table("t", |table| {
        let field = table.field("f", kind);
        if declared["nullable"] == true { field.nullable().end() } else { field.end() }
    });
    let schema = builder.build().unwrap();
    let field = schema.table("t").unwrap().field("f").unwrap();
    let max = case["value_bytes_max"].as_u64().map_or(VALUE_BYTES_MAX, |max| max as usize);
    let Ok(untyped) = serde_json::from_str::<Value>(text(case, "json")) else {
        return json!({ "refused": "malformed" });
    };
    match field.admit_within(untyped, max) {
        Ok(value) => {
            let mut canonical = String::new();
            canonical::write_value(&mut canonical, &value);
            // Whatever is written reads back as the same value, by both writers.
            let again: Value = serde_json::from_str(&canonical).unwrap();
            assert_eq!(field.admit_within(again, max).unwrap(), value);
            let again: Value = serde_json::from_str(&serde_json::to_string(&value).unwrap()).unwrap();
            assert_eq!(field.admit_within(again, max).unwrap(), value);
            json!({ "canonical": canonical })
        }
        Err(error) => json!({ "refused": error.code.as_str() }),
    }
}

pub(super) fn hlc(case: &Json) -> Json {
    match &case["text"] {
        Json::String(text) => Hlc::parse(text).map_or(json!({ "refused": true }), |hlc| json!({ "ms": hlc.ms() })),
        _ => {
            let last = Hlc::parse(text(case, "last")).unwrap();
            json!({ "tick": Hlc::tick(last, case["now_ms"].as_u64().unwrap()) })
        }
    }
}
