//! `notes list`, `show`.

use serde::Serialize;
use turnstone::{Store, Value};

use super::{Note, TABLE, resolve};
use crate::commands::row::{into_pair, state_word};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::global::Global;
use crate::opening::SchemaChoice;
use crate::output::{Output, one_line, table};

/// The columns of a listed note, in the order [`note_of`] reads them.
const COLUMNS: &str = "id, title, tag, pinned, views, updated_at";

/// Which notes to list.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Only notes with this tag.
    #[arg(long)]
    tag: Option<String>,
    /// Only pinned notes.
    #[arg(long)]
    pinned: bool,
    /// Only notes with these words in title or body.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// The most notes shown.
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

/// Options of `notes show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// The note's id, or enough of its beginning.
    id: String,
    /// Do not count this as reading the note.
    #[arg(long)]
    peek: bool,
}

#[derive(Serialize)]
struct Listed {
    notes: Vec<Note>,
    total: i64,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    note: Note,
    state: String,
}

pub(super) fn list(global: &Global, output: Output, args: &List) -> Result<Exit, Failure> {
    let store = global.open_existing(SchemaChoice::Notes)?;
    let (sql, params) = args.query();
    let notes: Vec<Note> = store.query(&sql, &params)?.rows.into_iter().filter_map(note_of).collect();
    let listed = Listed { notes, total: total(&store)? };
    output.result(&listed, || {
        let shown = listed.notes.len();
        let of = if i64::try_from(shown) == Ok(listed.total) { String::new() } else { format!(" of {}", listed.total) };
        format!("{}\n{shown}{of} notes", rows(&listed.notes))
    })?;
    Ok(Exit::Ok)
}

pub(super) fn show(global: &Global, output: Output, args: &Show) -> Result<Exit, Failure> {
    let store = global.open_existing(SchemaChoice::Notes)?;
    let id = resolve(&store, &args.id)?;
    if !args.peek {
        let id = id.clone();
        store.write(move |tx| tx.increment(TABLE, &id, "views", 1))?;
    }
    let row = store.get(TABLE, &id)?.ok_or_else(|| Failure::not_found("There is no such note.", "List them."))?;
    let state = state_word(&store.row_state(TABLE, &id)?);
    let (id, fields) = into_pair(row);
    let shown = Shown { note: Note::new(id, fields), state };
    output.result(&shown, || human(&shown))?;
    Ok(Exit::Ok)
}

impl List {
    /// The query, for one look or for watching.
    pub(super) fn query(&self) -> (String, Vec<Value>) {
        let (mut conditions, mut params) = (Vec::new(), Vec::new());
        if let Some(tag) = &self.tag {
            conditions.push("tag = ?");
            params.push(Value::from(tag.clone()));
        }
        if self.pinned {
            conditions.push("pinned");
        }
        if let Some(words) = &self.search {
            conditions.push("(instr(lower(title), lower(?)) OR instr(lower(body), lower(?)))");
            params.extend([Value::from(words.clone()), Value::from(words.clone())]);
        }
        let conditions = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
        params.push(Value::from(i64::from(self.limit)));
        let order = "ORDER BY pinned DESC, updated_at DESC, id LIMIT ?";
        (format!("SELECT {COLUMNS} FROM notes WHERE {conditions} {order}"), params)
    }
}

/// A row of [`List::query`].
pub(super) fn note_of(values: Vec<Value>) -> Option<Note> {
    let names = COLUMNS.split(", ").map(str::to_owned);
    let mut fields: turnstone::Fields = names.zip(values).collect();
    match fields.remove("id") {
        Some(Value::Text(id)) => Some(Note::new(id, fields)),
        _ => None,
    }
}

/// Notes as a table for people.
pub(super) fn rows(notes: &[Note]) -> String {
    let rows = notes.iter().map(|note| {
        let pin = if note.pinned { "*" } else { "" };
        vec![
            note.id.clone(),
            pin.to_owned(),
            one_line(&note.title, 40),
            one_line(&note.tag, 16),
            note.views.to_string(),
        ]
    });
    table(&["id", "pin", "title", "tag", "views"], rows)
}

/// How many notes there are.
pub(super) fn total(store: &Store) -> Result<i64, Failure> {
    let mut count = store.query("SELECT count(*) FROM notes", &[])?.rows.into_iter().flatten();
    match count.next() {
        Some(Value::Int(count)) => Ok(count),
        _ => Ok(0),
    }
}

fn human(shown: &Shown) -> String {
    let note = &shown.note;
    let pin = if note.pinned { ", pinned" } else { "" };
    let tag = if note.tag.is_empty() { String::new() } else { format!(" [{}]", one_line(&note.tag, 40)) };
    format!(
        "{}{tag}\n{} ({}{pin}, read {} times)\n\n{}",
        note.title,
        note.id,
        shown.state,
        note.views,
        note.body.as_deref().unwrap_or_default()
    )
}
