//! The app every simulated device runs: its schema, and what the model must know of it.

use std::collections::BTreeMap;

use turnstone_protocol::schema::{CreatePolicy, DeletePolicy, Policy, Schema, TableBuilder};

use crate::model::{Rule, TableRule};

/// Tables whose rows come and go; an action's `table` picks one.
pub const TABLES: [&str; 3] = ["notes", "todos", "slots"];
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
        .integer("b")
        .default(0_i64)
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
        .default(0_i64)
        .merge(Policy::Server)
        .end()
        .integer("cli")
        .default(0_i64)
        .merge(Policy::Client)
        .end()
        .integer("count")
        .default(0_i64)
        .merge(Policy::Counter)
        .end()
}

/// The schema of a version of the app.
pub fn schema(version: u32) -> Schema {
    let fields = |table| fields(table, version);
    Schema::builder(version)
        .name("sim")
        .table("notes", |t| fields(t).delete(DeletePolicy::EditWins))
        .table("todos", |t| fields(t).delete(DeletePolicy::DeleteWins))
        .table("slots", |t| fields(t).delete(DeletePolicy::EditWins).create(CreatePolicy::Reject))
        .table("pairs", |t| t.integer("v").default(0_i64).end())
        .build()
        .expect("the simulated app's schema is good")
}

/// Whether a version of the app has a field of its own for this.
pub fn has(version: u32, field: &str) -> bool {
    version > 1 || field != LATER
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
    let table = |edit_wins, create_rejects| TableRule { edit_wins, create_rejects, fields: fields.clone() };
    BTreeMap::from([
        ("notes", table(true, false)),
        ("todos", table(false, false)),
        ("slots", table(true, true)),
        ("pairs", TableRule { edit_wins: false, create_rejects: false, fields: BTreeMap::from([("v", Rule::Lww)]) }),
    ])
}
