//! `notes watch`: the list now, and again whenever it changes.

use std::time::Duration;

use serde::Serialize;
use turnstone::Store;

use super::Note;
use super::read::{List, note_of, rows};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::global::Global;
use crate::opening::SchemaChoice;
use crate::output::Output;

/// Options of `notes watch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    list: List,
    /// End after so many lists.
    #[arg(long, value_name = "TIMES")]
    count: Option<u64>,
    /// Look for news on the server every so many seconds.
    #[arg(long, default_value_t = 15, value_name = "SECONDS")]
    poll: u64,
}

#[derive(Serialize)]
struct Shown<'a> {
    notes: &'a [Note],
}

pub(super) fn run(global: &Global, output: Output, args: &Args) -> Result<Exit, Failure> {
    let poll = Duration::from_secs(args.poll.max(1));
    let options = global.options(SchemaChoice::Notes)?.auto_sync(global.server.is_some()).poll_every(Some(poll));
    let store = Store::open(options)?;
    let (sql, params) = args.list.query();
    let watch = store.watch(&sql, &params)?;
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        let Some(found) = watch.next_blocking() else {
            return watch.error().map_or(Ok(Exit::Ok), |error| Err(error.into()));
        };
        let notes: Vec<Note> = found.rows.into_iter().filter_map(note_of).collect();
        output.result(&Shown { notes: &notes }, || format!("{}\n{} notes\n", rows(&notes), notes.len()))?;
        left -= 1;
    }
    Ok(Exit::Ok)
}
