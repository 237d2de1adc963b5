//! What the client scenarios share: a schema that grows, a store on a machine, what an app sees.

use turnstone::testing::inspect;
use turnstone::{Clock, Durability, Entropy, Options, Schema, Store, Value};
use turnstone_vfs::Mount;

use crate::dump;
use crate::scenario::Failure;

pub(super) const PATH: &str = "/client.db";
pub(super) const NOW_MS: u64 = 1_750_000_000_000;

pub(super) const SCHEMA: &str = r#"
name = "notes"
version = 1

[tables.notes]
delete = "edit_wins"
fields.title = { type = "text", default = "" }
fields.body = { type = "text", default = "" }
fields.views = { type = "integer", default = 0, merge = "counter" }
fields.best = { type = "integer", default = 0, merge = "max" }

[[tables.notes.indexes]]
name = "by_title"
fields = ["title"]

[tables.drafts]
local_only = true
fields.text = { type = "text", default = "" }
"#;

/// The same, one version on: a field, a table, an index more.
pub(super) const GROWN: &str = r#"
name = "notes"
version = 2

[tables.notes]
delete = "edit_wins"
fields.title = { type = "text", default = "" }
fields.body = { type = "text", default = "" }
fields.views = { type = "integer", default = 0, merge = "counter" }
fields.best = { type = "integer", default = 0, merge = "max" }
fields.pinned = { type = "boolean", default = false }

[[tables.notes.indexes]]
name = "by_title"
fields = ["title"]

[[tables.notes.indexes]]
name = "by_pinned"
fields = ["pinned"]

[tables.drafts]
local_only = true
fields.text = { type = "text", default = "" }

[tables.tags]
fields.name = { type = "text", default = "" }
"#;

/// Opens a store on a machine. `life` must differ between openings: two lives never draw the same ids.
pub(super) fn open(
    machine: &Mount,
    schema: &str,
    durability: Durability,
    time: (&Clock, u64),
) -> Result<Store, Failure> {
    open_with(machine, schema, durability, time, |options| options)
}

/// The same with more to say about how.
pub(super) fn open_with(
    machine: &Mount,
    schema: &str,
    durability: Durability,
    (clock, life): (&Clock, u64),
    more: impl FnOnce(Options) -> Options,
) -> Result<Store, Failure> {
    let schema = Schema::parse(schema).map_err(Failure::unexpected)?;
    let options = Options::new(PATH, schema)
        .durability(durability)
        .vfs(machine.name())
        .clock(clock.clone())
        .entropy(Entropy::seeded(life))
        .app_version("1.0");
    let store = Store::open(more(options)).map_err(failure)?;
    whole(&store)?;
    Ok(store)
}

/// Whether everything holds that must always hold in the file, first of all that every row is the fold of its ops
/// over its base (I-03).
pub(super) fn whole(store: &Store) -> Result<(), Failure> {
    let faults = inspect::faults(store).map_err(failure)?;
    if faults.is_empty() { Ok(()) } else { Err(Failure::unexpected(faults.join("; "))) }
}

/// Whether the database was brought to the grown schema already.
pub(super) fn has_grown(machine: &Mount) -> Result<bool, Failure> {
    if machine.disk().file_len(PATH).unwrap_or(0) == 0 {
        return Ok(false);
    }
    let db = dump::open(machine, PATH)?;
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'tags'";
    Ok(db.query_row(sql, [], |row| row.get::<_, i64>(0))? > 0)
}

pub(super) fn failure(error: turnstone::Error) -> Failure {
    Failure { code: error.code().to_owned(), message: error.to_string() }
}

/// Every row an app can see, without what Turnstone keeps beside it.
pub(super) fn rows(store: &Store, grown: bool) -> Result<String, Failure> {
    let mut tables =
        vec!["SELECT id, title, body, views, best FROM notes ORDER BY id", "SELECT id, text FROM drafts ORDER BY id"];
    if grown {
        tables.push("SELECT id, pinned FROM notes ORDER BY id");
        tables.push("SELECT id, name FROM tags ORDER BY id");
    }
    let mut seen = String::new();
    for sql in tables {
        for row in store.query(sql, &[]).map_err(failure)?.rows {
            for value in row {
                match value {
                    Value::Text(text) => seen.push_str(&text),
                    Value::Int(int) => seen.push_str(&int.to_string()),
                    other => seen.push_str(&format!("{other:?}")),
                }
                seen.push('|');
            }
            seen.push('\n');
        }
        seen.push_str("--\n");
    }
    Ok(seen)
}
