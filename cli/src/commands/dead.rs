//! `turnstone dead`: changes the server refused. Nothing is dropped silently.

use turnstone::{DeadLetter, Store};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::global::Global;
use crate::opening::SchemaChoice;
use crate::output::{Output, table};

/// What to do with dead letters.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List them, oldest first, without what they hold.
    List,
    /// Show one with everything it holds.
    Show {
        /// Its number.
        number: i64,
    },
    /// Send one again, based on the rows as they are now.
    Retry {
        /// Its number.
        number: i64,
    },
}

#[derive(serde::Serialize)]
struct Listed<'a> {
    dead_letters: Vec<Entry<'a>>,
}

#[derive(serde::Serialize)]
struct Entry<'a> {
    id: i64,
    gid: String,
    code: &'a str,
    fields: &'a [String],
    ops: usize,
    attempts: u32,
    at_ms: u64,
}

pub(crate) fn run(global: &Global, output: Output, command: &Command) -> Result<Exit, Failure> {
    let store = global.open_existing(SchemaChoice::Any)?;
    match command {
        Command::List => list(&store, output),
        Command::Show { number } => show(&store, output, *number),
        Command::Retry { number } => {
            store.retry_dead_letter(*number)?;
            output.result(&serde_json::json!({ "retried": number }), || {
                format!("dead letter {number} waits to be sent again")
            })?;
            Ok(Exit::Ok)
        }
    }
}

fn list(store: &Store, output: Output) -> Result<Exit, Failure> {
    let letters = store.dead_letters()?;
    let entries = letters.iter().map(|letter| Entry {
        id: letter.id,
        gid: letter.gid.to_string(),
        code: letter.code.as_str(),
        fields: &letter.fields,
        ops: letter.ops.len(),
        attempts: letter.attempts,
        at_ms: letter.at_ms,
    });
    let listed = Listed { dead_letters: entries.collect() };
    output.result(&listed, || {
        if listed.dead_letters.is_empty() {
            return "there are no dead letters".to_owned();
        }
        let rows = listed.dead_letters.iter().map(|entry| {
            vec![entry.id.to_string(), entry.code.to_owned(), entry.ops.to_string(), entry.fields.join(" ")]
        });
        table(&["number", "why", "changes", "fields"], rows)
    })?;
    Ok(Exit::Ok)
}

fn show(store: &Store, output: Output, number: i64) -> Result<Exit, Failure> {
    let letter = store.dead_letters()?.into_iter().find(|letter| letter.id == number).ok_or_else(|| {
        Failure::not_found("There is no dead letter with this number.", "List them: `turnstone dead list`.")
    })?;
    output.result(&letter, || human(&letter))?;
    Ok(Exit::Ok)
}

fn human(letter: &DeadLetter) -> String {
    let ops = serde_json::to_string_pretty(&letter.ops).unwrap_or_default();
    format!(
        "dead letter {} of group {}\nrefused: {} {}\nsent {} times\nwhat was meant:\n{ops}",
        letter.id,
        letter.gid,
        letter.code.as_str(),
        letter.fields.join(" "),
        letter.attempts,
    )
}
