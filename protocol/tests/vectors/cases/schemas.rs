//! schema.json.

use serde_json::{Value as Json, json};
use turnstone_protocol::Schema;
use turnstone_protocol::schema::{self, Change, SchemaError};

use super::text;

fn refusal(error: &SchemaError) -> Json {
    json!({ "code": error.code, "at": format!("{}:{}", error.line, error.column), "message": error.message })
}

fn step(change: &Change) -> String {
    match change {
        Change::AddTable(table) => format!("add table {}", table.name),
        Change::AddField { table, field } => format!("add field {table}.{}", field.name),
        Change::DropIndex { table, name } => format!("drop index {name} of {table}"),
        Change::AddIndex { table, index } => format!("add index {} of {table}", index.name),
    }
}

pub(super) fn valid(case: &Json) -> Json {
    let parsed = Schema::parse(text(case, "toml")).unwrap_or_else(|error| panic!("{}: {error}", case["name"]));
    assert_eq!(Schema::parse(&parsed.to_toml()).unwrap(), parsed, "the document written says the same");
    let canonical = parsed.to_canonical_json();
    let stored = Schema::from_canonical_json(&canonical).unwrap();
    assert_eq!(stored.to_canonical_json(), canonical);
    assert_eq!(schema::changes(&stored, &parsed).unwrap(), []);
    json!({ "canonical": canonical, "hash": parsed.hash() })
}

pub(super) fn invalid(case: &Json) -> Json {
    refusal(&Schema::parse(text(case, "toml")).expect_err(text(case, "name")))
}

pub(super) fn unsupported(case: &Json) -> Json {
    refusal(&Schema::parse(text(case, "toml")).unwrap().check_supported().expect_err(text(case, "name")))
}

pub(super) fn changes(case: &Json) -> Json {
    let [old, new] = ["old", "new"].map(|key| Schema::parse(text(case, key)).unwrap());
    match schema::changes(&old, &new) {
        Ok(steps) => json!(steps.iter().map(step).collect::<Vec<_>>()),
        Err(error) => refusal(&error),
    }
}
