//! `notes sync` and `sync`: until nothing is left to send or to fetch.

use serde::Serialize;
use turnstone::SyncReport;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::global::Global;
use crate::opening::SchemaChoice;
use crate::output::Output;

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
        let failure = match store.sync_blocking() {
            Ok(report) => break report,
            Err(error) => Failure::from(error),
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
