//! The app every simulated device runs: its schema, and what the model must know of it.

use std::collections::BTreeMap;

use turnstone::{Row, Value};
use turnstone_protocol::limits::WAS_BYTES_MAX;
use turnstone_protocol::schema::{CreatePolicy, DeletePolicy, Policy, RowMerge, Schema, TableBuilder};

use crate::model::{Rule, TableRule};

/// Tables whose rows come and go; an action's `table` picks one.
pub const TABLES: [&str; 3] = ["notes", "todos", "slots"];
/// A table whose rows are merged whole.
pub const WHOLE: &str = "cards";
/// Plain registers of every such table.
pub const REGISTERS: [&str; 2] = ["a", "b"];
/// Fields that `Set` may write: registers and their relatives.
pub const SETTABLE: [&str; 6] = ["a", "b", "hi", "lo", "srv", "cli"];
/// A register that only the second version of the app has.
pub const LATER: &str = "later";
/// The versions of the schema there are.
pub const VERSIONS: u32 = 2;
/// The two rows that one group always writes together.
pub const PAIR: [&str; 2] = ["left", "right"];
/// The row every device makes at its first launch.
pub const SETTINGS: &str = "settings";

fn fields(table: TableBuilder, version: u32) -> TableBuilder {
    let table = if version > 1 { table.integer(LATER).default(0_i64).end() } else { table };
    table
        .integer("a")
        .default(0_i64)
        .end()
        .text("b")
        .nullable()
        .default("0")
        .end()
        .integer("hi")
        .default(0_i64)
        .merge(Policy::Max)
        .end()
        .integer("lo")
        .default(0_i64)
        .merge(Policy::Min)
        .end()
        .integer("srv")
        .nullable()
        .default(0_i64)
        .merge(Policy::Server)
        .end()
        .integer("cli")
        .nullable()
        .default(0_i64)
        .merge(Policy::Client)
        .end()
        .integer("count")
        .default(0_i64)
        .merge(Policy::Counter)
        .end()
}

/// The same fields in a table that knows one policy only.
fn whole(table: TableBuilder) -> TableBuilder {
    let table = table.text("b").nullable().default("0").end();
    let table = ["srv", "cli"].iter().fold(table, |table, field| table.integer(field).nullable().default(0_i64).end());
    ["a", "hi", "lo", "count"].iter().fold(table, |table, field| table.integer(field).default(0_i64).end())
}

/// The schema of a version of the app.
pub fn schema(version: u32) -> Schema {
    let fields = |table| fields(table, version);
    Schema::builder(version)
        .name("sim")
        .table("notes", |t| fields(t).delete(DeletePolicy::EditWins))
        .table("todos", |t| fields(t).delete(DeletePolicy::DeleteWins))
        .table("slots", |t| fields(t).delete(DeletePolicy::EditWins).create(CreatePolicy::Reject))
        .table(WHOLE, |t| whole(t).delete(DeletePolicy::EditWins).merge(RowMerge::Lww))
        .table("pairs", |t| t.integer("v").default(0_i64).end())
        .build()
        .expect("the simulated app's schema is good")
}

/// What the app stores where the model has a number: some fields are texts, some are empty at times, and some texts are so
/// long that what was before them travels as a hash.
pub fn value(field: &str, number: i64) -> Value {
    match (field, number) {
        ("b", 2) | ("srv" | "cli", 3) => Value::Null,
        ("b", _) if number.rem_euclid(16) == 5 => Value::Text(format!("{number}{}", " ".repeat(WAS_BYTES_MAX))),
        ("b", _) => Value::Text(number.to_string()),
        _ => Value::Int(number),
    }
}

/// The model's number for what the app shows.
pub fn number(field: &str, value: &Value) -> Option<i64> {
    match (field, value) {
        ("b", Value::Null) => Some(2),
        ("srv" | "cli", Value::Null) => Some(3),
        ("b", Value::Text(text)) => text.trim_end().parse().ok(),
        (_, Value::Int(number)) if field != "b" => Some(*number),
        _ => None,
    }
}

/// What a field of a row shows.
pub fn shown(row: &Row, field: &str) -> Option<i64> {
    row.get(field).and_then(|value| number(field, value))
}

/// Whether a version of the app has a field of its own for this.
pub fn has(version: u32, field: &str) -> bool {
    version > 1 || field != LATER
}

/// Under which name the change stands that wrote a field last: one for all where rows are merged whole.
pub fn stamped<'a>(table: &str, field: &'a str) -> &'a str {
    if table == WHOLE { "" } else { field }
}

/// What a write of these fields says of a row that shows `row`: of one that is merged whole, everything.
pub fn written(table: &str, row: Option<&Row>, fields: BTreeMap<&'static str, i64>) -> BTreeMap<&'static str, i64> {
    if table != WHOLE {
        return fields;
    }
    let before = |field| row.and_then(|row| shown(row, field)).unwrap_or(0);
    let mut all: BTreeMap<_, _> = SETTABLE.into_iter().chain(["count"]).map(|field| (field, before(field))).collect();
    all.extend(fields);
    all
}

/// What the model must know of the newest schema.
pub fn rules() -> BTreeMap<&'static str, TableRule> {
    let fields = BTreeMap::from([
        ("a", Rule::Lww),
        ("b", Rule::Lww),
        ("hi", Rule::Max),
        ("lo", Rule::Min),
        ("srv", Rule::Server),
        ("cli", Rule::Client),
        ("count", Rule::Counter),
        (LATER, Rule::Lww),
    ]);
    let cards = SETTABLE.into_iter().chain(["count"]).map(|field| (field, Rule::Lww)).collect();
    let table = |edit_wins, create_rejects| TableRule { edit_wins, create_rejects, fields: fields.clone() };
    BTreeMap::from([
        ("notes", table(true, false)),
        ("todos", table(false, false)),
        ("slots", table(true, true)),
        (WHOLE, TableRule { edit_wins: true, create_rejects: false, fields: cards }),
        ("pairs", TableRule { edit_wins: false, create_rejects: false, fields: BTreeMap::from([("v", Rule::Lww)]) }),
    ])
}
