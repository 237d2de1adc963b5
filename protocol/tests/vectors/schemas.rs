//! schema.json.

use serde_json::{Value as Json, json};
use turnstone_protocol::Schema;
use turnstone_protocol::schema::{Change, SchemaError, changes};

use crate::file::{File, text};

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

#[test]
fn schema_documents() {
    let mut file = File::open("schema.json");
    file.check("valid", |case| {
        let schema = Schema::parse(text(case, "toml")).unwrap_or_else(|error| panic!("{}: {error}", case["name"]));
        assert_eq!(Schema::parse(&schema.to_toml()).unwrap(), schema, "the document written says the same");
        let canonical = schema.to_canonical_json();
        let stored = Schema::from_canonical_json(&canonical).unwrap();
        assert_eq!(stored.to_canonical_json(), canonical);
        assert_eq!(changes(&stored, &schema).unwrap(), []);
        json!({ "canonical": canonical, "hash": schema.hash() })
    });
    file.check("invalid", |case| refusal(&Schema::parse(text(case, "toml")).expect_err(text(case, "name"))));
    file.check("unsupported", |case| {
        refusal(&Schema::parse(text(case, "toml")).unwrap().check_supported().expect_err(text(case, "name")))
    });
    file.check("changes", |case| {
        let [old, new] = ["old", "new"].map(|key| Schema::parse(text(case, key)).unwrap());
        match changes(&old, &new) {
            Ok(steps) => json!(steps.iter().map(step).collect::<Vec<_>>()),
            Err(error) => refusal(&error),
        }
    });
    file.finish();
}
