//! `turnstone row`: rows of any table of any schema.

use serde::Serialize;
use turnstone::{Fields, Row, RowState, Store, Value};
use turnstone_protocol::schema::Table;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::fields;
use crate::global::Global;
use crate::opening::SchemaChoice;
use crate::output::{Output, one_line, table as show_table};
use crate::writing::{Wrote, write};

/// What to do with rows.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a row.
    Create {
        /// The table.
        table: String,
        #[command(flatten)]
        given: Given,
        /// An id of your own; a new one is made otherwise.
        #[arg(long)]
        id: Option<String>,
        #[command(flatten)]
        once: Once,
    },
    /// Change fields of a row.
    Set {
        /// The table.
        table: String,
        /// The row id.
        id: String,
        #[command(flatten)]
        given: Given,
        /// Make the row if it is not there.
        #[arg(long)]
        upsert: bool,
        #[command(flatten)]
        once: Once,
    },
    /// Add to a counter.
    Inc {
        /// The table.
        table: String,
        /// The row id.
        id: String,
        /// The counter.
        field: String,
        /// How much to add.
        #[arg(default_value_t = 1, allow_negative_numbers = true)]
        by: i64,
        #[command(flatten)]
        once: Once,
    },
    /// Show a row and where it stands.
    Get {
        /// The table.
        table: String,
        /// The row id.
        id: String,
    },
    /// List rows in the order of their ids.
    List {
        /// The table.
        table: String,
        /// The most rows shown.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Only rows with a greater id: the last one of the page before.
        #[arg(long, value_name = "ID")]
        after: Option<String>,
    },
    /// Delete a row.
    Delete {
        /// The table.
        table: String,
        /// The row id.
        id: String,
        #[command(flatten)]
        once: Once,
    },
}

/// Fields and their values.
#[derive(Debug, clap::Args)]
pub(crate) struct Given {
    /// `field=value`, or `field:=JSON`.
    #[arg(value_name = "FIELD=VALUE")]
    pairs: Vec<String>,
    /// The fields as a JSON object; `-` reads stdin.
    #[arg(long, value_name = "JSON")]
    fields: Option<String>,
}

/// Once or every time.
#[derive(Debug, clap::Args)]
pub(crate) struct Once {
    /// A key of your own for this write: repeated with the same key it gives the first result and writes nothing.
    #[arg(long, value_name = "KEY")]
    write_id: Option<String>,
}

#[derive(Serialize)]
struct Changed<'a> {
    table: &'a str,
    id: &'a str,
    repeated: bool,
}

#[derive(Serialize)]
struct Shown {
    id: String,
    fields: Fields,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
}

#[derive(Serialize)]
struct Listed<'a> {
    table: &'a str,
    rows: Vec<Shown>,
    more: bool,
}

pub(crate) fn run(global: &Global, output: Output, command: Command) -> Result<Exit, Failure> {
    let writes = matches!(command, Command::Create { .. } | Command::Set { .. });
    let store = if writes { global.open(SchemaChoice::Any)? } else { global.open_existing(SchemaChoice::Any)? };
    match command {
        Command::Create { table, given, id, once } => {
            let set = given.read(&store, &table, global.now_ms())?;
            let (name, write_id) = (table.clone(), once.write_id);
            let wrote = write(&store, write_id.as_deref(), move |tx| match id {
                Some(id) => tx.insert_with_id(&name, &id, set).map(|()| id),
                None => tx.insert(&name, set),
            })?;
            changed(output, &table, &wrote, "created")
        }
        Command::Set { table, id, given, upsert, once } => {
            let set = given.read(&store, &table, global.now_ms())?;
            let (name, write_id) = (table.clone(), once.write_id);
            let wrote = write(&store, write_id.as_deref(), move |tx| {
                if upsert {
                    tx.upsert(&name, &id, set)?;
                } else {
                    tx.update(&name, &id, set)?;
                }
                Ok(id)
            })?;
            changed(output, &table, &wrote, "changed")
        }
        Command::Inc { table, id, field, by, once } => {
            let (name, write_id) = (table.clone(), once.write_id);
            let wrote = write(&store, write_id.as_deref(), move |tx| {
                tx.increment(&name, &id, &field, by)?;
                Ok(id)
            })?;
            changed(output, &table, &wrote, "incremented")
        }
        Command::Delete { table, id, once } => {
            let (name, write_id) = (table.clone(), once.write_id);
            let wrote = write(&store, write_id.as_deref(), move |tx| {
                if tx.delete(&name, &id)? { Ok(id) } else { Err(turnstone::Error::RowMissing { table: name.clone() }) }
            })?;
            changed(output, &table, &wrote, "deleted")
        }
        Command::Get { table, id } => get(&store, output, &table, &id),
        Command::List { table, limit, after } => list(&store, output, &table, limit, after.as_deref()),
    }
}

impl Given {
    fn read(&self, store: &Store, table: &str, now_ms: i64) -> Result<Fields, Failure> {
        fields::read(fields::table(&store.schema(), table)?, &self.pairs, self.fields.as_deref(), now_ms)
    }
}

fn changed(output: Output, table: &str, wrote: &Wrote, verb: &str) -> Result<Exit, Failure> {
    let changed = Changed { table, id: &wrote.result, repeated: wrote.repeated };
    output.result(&changed, || {
        let again = if wrote.repeated { " (by an earlier write with this key)" } else { "" };
        format!("{verb} {table} {}{again}", wrote.result)
    })?;
    Ok(Exit::Ok)
}

fn get(store: &Store, output: Output, table: &str, id: &str) -> Result<Exit, Failure> {
    let row = store.get(table, id)?.ok_or_else(|| {
        Failure::not_found(format!("Table {table:?} has no row with this id."), "List the rows: `turnstone row list`.")
    })?;
    let state = state_word(&store.row_state(table, id)?);
    let shown = Shown { id: row.id().to_owned(), fields: row.into_fields(), state: Some(state) };
    output.result(&shown, || human(&shown))?;
    Ok(Exit::Ok)
}

fn list(store: &Store, output: Output, name: &str, limit: u32, after: Option<&str>) -> Result<Exit, Failure> {
    let schema = store.schema();
    let table = fields::table(&schema, name)?;
    let names: Vec<String> = table.fields.iter().map(|field| quoted(&field.name)).collect();
    let columns = std::iter::once("id".to_owned()).chain(names).collect::<Vec<_>>().join(", ");
    let sql = format!("SELECT {columns} FROM {} WHERE id > ? ORDER BY id LIMIT ?", quoted(name));
    let most = i64::from(limit);
    let found = store.query(&sql, &[Value::from(after.unwrap_or_default()), Value::from(most + 1)])?;
    let more = i64::try_from(found.rows.len()).is_ok_and(|count| count > most);
    let kept = found.rows.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX));
    let rows: Vec<Shown> = kept.filter_map(|values| shown(table, values)).collect();
    let listed = Listed { table: name, rows, more };
    output.result(&listed, || {
        let header: Vec<&str> =
            std::iter::once("id").chain(table.fields.iter().map(|field| field.name.as_str())).collect();
        let rows = listed.rows.iter().map(|row| {
            let cells = table.fields.iter().map(|field| row.fields.get(&field.name).map(cell).unwrap_or_default());
            std::iter::once(row.id.clone()).chain(cells).collect()
        });
        let more = if listed.more { "\nthere are more: --after, --limit" } else { "" };
        format!("{}{more}", show_table(&header, rows))
    })?;
    Ok(Exit::Ok)
}

/// A row as SQLite holds it, as the schema means it.
fn shown(table: &Table, values: Vec<Value>) -> Option<Shown> {
    let mut values = values.into_iter();
    let Some(Value::Text(id)) = values.next() else { return None };
    let typed = |(field, value): (&turnstone_protocol::schema::Field, Value)| {
        let value = match value {
            Value::Text(text) if field.kind == turnstone_protocol::schema::Kind::Json => Value::Json(text),
            other => other,
        };
        Some((field.name.clone(), field.admit(value).ok()?))
    };
    Some(Shown { id, fields: table.fields.iter().zip(values).filter_map(typed).collect(), state: None })
}

fn human(shown: &Shown) -> String {
    let state = shown.state.as_deref().unwrap_or_default();
    let fields = shown.fields.iter().map(|(name, value)| format!("\n  {name}: {}", full(value)));
    format!("{} ({state}){}", shown.id, fields.collect::<String>())
}

fn full(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

/// A value in one cell of a table.
pub(crate) fn cell(value: &Value) -> String {
    one_line(&full(value), 40)
}

/// The word for where a row stands.
pub(crate) fn state_word(state: &RowState) -> String {
    match state {
        RowState::Saved => "saved".to_owned(),
        RowState::Sending => "sending".to_owned(),
        RowState::Retrying { n, .. } => format!("retrying {n}"),
        RowState::Synced => "synced".to_owned(),
        RowState::Conflict => "conflict".to_owned(),
        RowState::Failed { reason } => format!("failed {}", reason.as_str()),
        _ => "unknown".to_owned(),
    }
}

/// A name of the schema as SQL takes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The fields of a row that a reader of JSON wants beside its id.
pub(crate) fn into_pair(row: Row) -> (String, Fields) {
    (row.id().to_owned(), row.into_fields())
}
