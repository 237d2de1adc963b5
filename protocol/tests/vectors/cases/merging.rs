//! merge.json, fold.json, admit.json.

use serde_json::{Value as Json, json};
use turnstone_protocol::limits::VALUE_BYTES_MAX;
use turnstone_protocol::merge::{self, Context, RowState, Stamp, Stamps};
use turnstone_protocol::schema::Table;
use turnstone_protocol::{Fields, Gid, Hlc, Op, Schema, canonical};

use super::text;

fn read_op<'s>(schema: &'s Schema, case: &Json) -> (&'s Table, Op) {
    let op: Op = serde_json::from_value(case["op"].clone()).unwrap();
    let table = schema.table(&op.table).unwrap();
    (table, merge::admit_op(table, op, VALUE_BYTES_MAX).unwrap())
}

pub(super) fn merge(schema: &Schema, case: &Json) -> Json {
    let (table, op) = read_op(schema, case);
    let before = serde_json::from_value::<Option<RowState>>(case["row"].clone()).unwrap().map(|mut row| {
        row.fields = table.typed(row.fields);
        // What a database keeps of the stamps is all there is to them.
        row.stamps = Stamps::from_bytes(&row.stamps.to_bytes()).unwrap();
        row
    });
    let past = case["context"]["sees"].as_array().unwrap();
    let sees = |stamp: &Stamp| past.iter().any(|gid| gid == &stamp.gid.to_string());
    let number = |key: &str| case["context"][key].as_u64().unwrap();
    let ctx = Context {
        table,
        gid: Gid::parse(case["context"]["gid"].as_str().unwrap()).unwrap(),
        n: u32::try_from(number("n")).unwrap(),
        hlc: Hlc::parse(case["context"]["hlc"].as_str().unwrap()).unwrap(),
        commit: number("commit"),
        sees: &sees,
    };
    let floor = merge::causal_floor(before.as_ref(), &op, &sees);
    let image = before.as_ref().filter(|row| row.gone.is_none()).map(|row| row.fields.clone());
    match merge::apply(before, &op, &ctx) {
        Ok(applied) => {
            let folded = merge::fold(table, image, &op);
            let after = Some(applied.row.fields.clone()).filter(|_| applied.row.gone.is_none());
            assert!(!applied.as_sent || folded == after, "{}: as_sent promises what fold shows", case["name"]);
            json!({
                "row": applied.row, "explain": applied.explain, "merged": applied.merged,
                "as_sent": applied.as_sent, "lost": applied.lost, "floor": floor,
            })
        }
        Err(refusal) => json!({ "refused": refusal }),
    }
}

pub(super) fn fold(schema: &Schema, case: &Json) -> Json {
    let (table, op) = read_op(schema, case);
    let base: Option<Fields> = serde_json::from_value(case["base"].clone()).unwrap();
    json!(merge::fold(table, base.map(|fields| table.typed(fields)), &op))
}

pub(super) fn admission(schema: &Schema, case: &Json) -> Json {
    let Ok(op) = serde_json::from_str::<Op>(text(case, "op")) else {
        return json!({ "refused": { "code": "malformed" } });
    };
    let max = case["value_bytes_max"].as_u64().map_or(VALUE_BYTES_MAX, |max| max as usize);
    match merge::admit_op(schema.table(&op.table).unwrap(), op, max) {
        Ok(op) => {
            let mut canonical = String::new();
            canonical::write_op(&mut canonical, &op);
            json!({ "canonical": canonical })
        }
        Err(refusal) => json!({ "refused": refusal }),
    }
}
