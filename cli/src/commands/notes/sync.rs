//! `notes sync` and `sync`: until nothing is left to send or to fetch.

use indicatif::ProgressBar;
use serde::Serialize;
use turnstone::{Store, SyncReport, Value};

use crate::edge;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::global::Global;
use crate::opening::SchemaChoice;
use crate::output::Output;

/// How often progress is shown, in milliseconds.
const SHOW_MS: u64 = 200;

/// Options of `sync`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Try so many times more where the network fails, at once.
    #[arg(long, default_value_t = 0, value_name = "TIMES")]
    retries: u32,
}

#[derive(Serialize)]
struct Synced<'a> {
    #[serde(flatten)]
    report: &'a SyncReport,
    pending_groups: u64,
    dead_letters: u64,
}

pub(crate) fn run(global: &Global, output: Output, args: &Args, choice: SchemaChoice) -> Result<Exit, Failure> {
    if global.server.is_none() {
        return Err(Failure::usage("There is no server to sync with.", "Give --server or set TURNSTONE_SERVER."));
    }
    let store = global.open(choice)?;
    let mut left = args.retries;
    let report = loop {
        let failure = match sync(&store, output) {
            Ok(report) => break report,
            Err(failure) => failure,
        };
        if left == 0 || failure.exit != Exit::Offline {
            return Err(failure);
        }
        left -= 1;
    };
    let status = store.status()?;
    let synced = Synced { report: &report, pending_groups: status.pending_groups, dead_letters: status.dead_letters };
    output.result(&synced, || human(&synced))?;
    Ok(if status.dead_letters > 0 { Exit::Conflict } else { Exit::Ok })
}

/// Syncs; at a terminal it shows meanwhile how much is left to send and how far it has read.
fn sync(store: &Store, output: Output) -> Result<SyncReport, Failure> {
    if !output.shows_progress() {
        return Ok(store.sync_blocking()?);
    }
    let bar = output.progress(0, "syncing");
    let synced = edge::block_on(async {
        let mut synced = std::pin::pin!(store.sync_now());
        loop {
            tokio::select! {
                synced = &mut synced => return synced,
                () = edge::sleep_ms(SHOW_MS) => show(store, &bar),
            }
        }
    })?;
    bar.finish_and_clear();
    Ok(synced?)
}

/// What cannot be read is not shown: the sync itself will say why.
fn show(store: &Store, bar: &ProgressBar) {
    let Ok(status) = store.status() else { return };
    let most = bar.length().unwrap_or(0).max(status.pending_groups);
    bar.set_length(most);
    bar.set_position(most - status.pending_groups);
    let at = store.query("SELECT value FROM _ts_meta WHERE key = 'applied_n'", &[]).ok();
    let at = at.and_then(|at| at.rows.into_iter().flatten().next());
    if let Some(Value::Int(at)) = at {
        bar.set_message(format!("read to commit {at}; sent"));
    }
}

fn human(synced: &Synced<'_>) -> String {
    let report = synced.report;
    let mut text = format!(
        "{} changes sent ({} merged), {} rows fetched; {} B up, {} B down, {} ms",
        report.groups_pushed, report.merged, report.rows_pulled, report.bytes_up, report.bytes_down, report.ms
    );
    if synced.pending_groups > 0 {
        text.push_str(&format!("\n{} changes still wait: `turnstone status`", synced.pending_groups));
    }
    if synced.dead_letters > 0 {
        text.push_str(&format!("\n{} changes were refused: `turnstone dead list`", synced.dead_letters));
    }
    text
}
