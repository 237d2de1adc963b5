//! `turnstone notes`: a notes app on the command line, over the schema `schemas/notes.toml`.

mod change;
mod import;
mod read;
pub(crate) mod sync;
mod watch;

use serde::Serialize;
use turnstone::{Fields, Store, Value};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::global::Global;
use crate::opening::SchemaChoice;
use crate::output::Output;

use super::status;

/// The table of notes.
pub(super) const TABLE: &str = "notes";

/// What to do with notes.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make the database.
    Init,
    /// Add a note.
    Add(change::Add),
    /// Change a note.
    Edit(change::Edit),
    /// List notes, pinned ones first, then the latest.
    List(read::List),
    /// Show a note. Counts as reading it, unless --peek.
    Show(read::Show),
    /// Delete a note.
    Rm(change::Rm),
    /// Import a folder of Markdown files, or a .jsonl or .jsonl.gz file.
    Import(import::Args),
    /// Show the notes now and whenever they change; syncs by itself where there is a server.
    Watch(watch::Args),
    /// Sync until nothing is left to send or to fetch.
    Sync(sync::Args),
    /// Show how much waits, what went wrong and what happens next.
    Status,
}

/// A note as `--json` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Note {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) tag: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<String>,
    pub(super) pinned: bool,
    pub(super) views: i64,
    pub(super) updated_at: i64,
}

#[derive(Serialize)]
struct Made {
    db: String,
    schema: String,
    schema_version: u32,
    schema_hash: String,
}

pub(crate) fn run(global: &Global, output: Output, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Init => init(global, output),
        Command::Add(args) => change::add(global, output, args),
        Command::Edit(args) => change::edit(global, output, args),
        Command::List(args) => read::list(global, output, &args),
        Command::Show(args) => read::show(global, output, &args),
        Command::Rm(args) => change::rm(global, output, args),
        Command::Import(args) => import::run(global, output, &args),
        Command::Watch(args) => watch::run(global, output, &args),
        Command::Sync(args) => sync::run(global, output, &args, SchemaChoice::Notes),
        Command::Status => status::run(global, output, SchemaChoice::Notes),
    }
}

fn init(global: &Global, output: Output) -> Result<Exit, Failure> {
    let store = global.open(SchemaChoice::Notes)?;
    let schema = store.schema();
    let made = Made {
        db: global.db_path().display().to_string(),
        schema: schema.name.clone(),
        schema_version: schema.version,
        schema_hash: schema.hash(),
    };
    output.result(&made, || format!("notes live in {}", made.db))?;
    Ok(Exit::Ok)
}

/// The full id of a note, given enough of its beginning.
pub(super) fn resolve(store: &Store, start: &str) -> Result<String, Failure> {
    let missing = || Failure::not_found("There is no such note.", "List them: `turnstone notes list`.");
    if store.get(TABLE, start)?.is_some() {
        return Ok(start.to_owned());
    }
    if start.chars().count() < 4 {
        return Err(missing());
    }
    let sql = "SELECT id FROM notes WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id LIMIT 2";
    let mut ids = store.query(sql, &[Value::from(start)])?.rows.into_iter().flatten();
    match (ids.next(), ids.next()) {
        (Some(Value::Text(id)), None) => Ok(id),
        (Some(_), Some(_)) => {
            Err(Failure::bad_input("ambiguous_id", "Several notes begin with this id.", "Give more of it."))
        }
        _ => Err(missing()),
    }
}

impl Note {
    pub(super) fn new(id: String, fields: Fields) -> Self {
        let text = |name: &str| match fields.get(name) {
            Some(Value::Text(text)) => text.clone(),
            _ => String::new(),
        };
        let int = |name: &str| match fields.get(name) {
            Some(Value::Int(int)) => *int,
            _ => 0,
        };
        let pinned = matches!(fields.get("pinned"), Some(Value::Bool(true) | Value::Int(1)));
        let body = fields.contains_key("body").then(|| text("body"));
        Self {
            title: text("title"),
            tag: text("tag"),
            body,
            pinned,
            views: int("views"),
            updated_at: int("updated_at"),
            id,
        }
    }
}
