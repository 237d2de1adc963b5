//! `notes add`, `edit`, `rm`.

use std::io::Read;

use serde::Serialize;
use turnstone::{Fields, Value};

use super::{TABLE, resolve};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::global::Global;
use crate::opening::SchemaChoice;
use crate::output::Output;
use crate::writing::{Wrote, write};

/// The longest body read from stdin; the database says what it accepts.
const BODY_BYTES_MAX: u64 = 64 << 20;

/// Options of `notes add`.
#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    /// The title.
    title: String,
    /// The body; `-` reads it from stdin.
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    body: String,
    /// A tag.
    #[arg(long, default_value = "")]
    tag: String,
    /// Keep it at the top of the list.
    #[arg(long)]
    pin: bool,
    /// An id of your own; a new one is made otherwise.
    #[arg(long)]
    id: Option<String>,
    /// A key of your own for this write: repeated with the same key it gives the first result and writes nothing.
    #[arg(long, value_name = "KEY")]
    write_id: Option<String>,
}

/// Options of `notes edit`.
#[derive(Debug, clap::Args)]
pub(crate) struct Edit {
    /// The note's id, or enough of its beginning.
    id: String,
    /// A new title.
    #[arg(long)]
    title: Option<String>,
    /// A new body; `-` reads it from stdin.
    #[arg(long, allow_hyphen_values = true)]
    body: Option<String>,
    /// A new tag.
    #[arg(long)]
    tag: Option<String>,
    /// Keep it at the top of the list.
    #[arg(long, conflicts_with = "unpin")]
    pin: bool,
    /// Do not keep it at the top any more.
    #[arg(long)]
    unpin: bool,
    /// A key of your own for this write: repeated with the same key it gives the first result and writes nothing.
    #[arg(long, value_name = "KEY")]
    write_id: Option<String>,
}

/// Options of `notes rm`.
#[derive(Debug, clap::Args)]
pub(crate) struct Rm {
    /// The note's id, or enough of its beginning.
    id: String,
    /// A key of your own for this write: repeated with the same key it gives the first result and writes nothing.
    #[arg(long, value_name = "KEY")]
    write_id: Option<String>,
}

#[derive(Serialize)]
struct Changed<'a> {
    id: &'a str,
    repeated: bool,
}

pub(super) fn add(global: &Global, output: Output, args: Add) -> Result<Exit, Failure> {
    let store = global.open(SchemaChoice::Notes)?;
    let mut set = Fields::new();
    set.insert("title".to_owned(), Value::from(args.title));
    set.insert("body".to_owned(), Value::from(text(args.body)?));
    set.insert("tag".to_owned(), Value::from(args.tag));
    set.insert("pinned".to_owned(), Value::from(args.pin));
    set.insert("updated_at".to_owned(), Value::from(global.now_ms()));
    let wrote = write(&store, args.write_id.as_deref(), move |tx| match args.id {
        Some(id) => tx.insert_with_id(TABLE, &id, set).map(|()| id),
        None => tx.insert(TABLE, set),
    })?;
    changed(output, &wrote, "added")
}

pub(super) fn edit(global: &Global, output: Output, args: Edit) -> Result<Exit, Failure> {
    let mut set = Fields::new();
    let mut give = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            set.insert(name.to_owned(), value);
        }
    };
    give("title", args.title.map(Value::from));
    give("body", args.body.map(text).transpose()?.map(Value::from));
    give("tag", args.tag.map(Value::from));
    give("pinned", (args.pin || args.unpin).then(|| Value::from(args.pin)));
    if set.is_empty() {
        return Err(Failure::usage("Nothing to change.", "Give --title, --body, --tag, --pin or --unpin."));
    }
    set.insert("updated_at".to_owned(), Value::from(global.now_ms()));
    let store = global.open_existing(SchemaChoice::Notes)?;
    let id = resolve(&store, &args.id)?;
    let wrote = write(&store, args.write_id.as_deref(), move |tx| {
        tx.update(TABLE, &id, set)?;
        Ok(id)
    })?;
    changed(output, &wrote, "changed")
}

pub(super) fn rm(global: &Global, output: Output, args: Rm) -> Result<Exit, Failure> {
    let store = global.open_existing(SchemaChoice::Notes)?;
    // A repeated write finds the note gone already, and its key tells that this was its own doing.
    let id = match resolve(&store, &args.id) {
        Err(failure) if args.write_id.is_some() && failure.exit == Exit::NotFound => args.id,
        other => other?,
    };
    let wrote = write(&store, args.write_id.as_deref(), move |tx| {
        if tx.delete(TABLE, &id)? { Ok(id) } else { Err(turnstone::Error::RowMissing { table: TABLE.to_owned() }) }
    })?;
    changed(output, &wrote, "deleted")
}

fn changed(output: Output, wrote: &Wrote, verb: &str) -> Result<Exit, Failure> {
    let changed = Changed { id: &wrote.result, repeated: wrote.repeated };
    output.result(&changed, || format!("{verb} {}", wrote.result))?;
    Ok(Exit::Ok)
}

/// The text itself, or stdin for `-`.
fn text(given: String) -> Result<String, Failure> {
    if given != "-" {
        return Ok(given);
    }
    let mut text = String::new();
    std::io::stdin().take(BODY_BYTES_MAX).read_to_string(&mut text).map_err(|error| {
        Failure::bad_input("malformed", format!("Stdin cannot be read: {error}."), "Send UTF-8 text.")
    })?;
    Ok(text)
}
