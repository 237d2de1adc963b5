//! How good the search is: every planted bug in its turn, and how many seeds it takes to find it.
//!
//! Each bug runs in a process of its own, because a wrong engine may run for ever; that is a find too. Every bug gets
//! some seeds before any gets all of them, so that a calibration cut short has something to say of each.

mod probe;
mod row;

use std::process::ExitCode;

use turnstone_protocol::plant::{Bug, THREADED};

use probe::{Probe, Seen};
use row::Row;

/// A bug is known well enough after this many finds.
const FINDS: usize = 10;
/// Seeds each bug gets before any gets more.
const SEEDS_FIRST: u64 = 60;
/// Seeds without any bug: none of them may find one.
const SEEDS_CONTROL: u64 = 200;
/// What the median of the seeds from one find to the next may be.
const MEDIAN_MAX: u64 = 20;

/// Calibrates, and prints the table.
pub fn run(seeds: u64, steps: usize, only: Option<&str>, commit: &str) -> ExitCode {
    let bugs = Bug::ALL.iter().filter(|(bug, _)| !THREADED.contains(bug));
    let mut rows: Vec<Row> = bugs
        .map(|(bug, what)| Row::new(&format!("{bug:?}"), what))
        .filter(|row| only.is_none_or(|only| only == row.name))
        .collect();
    if rows.is_empty() {
        eprintln!("the search is asked for no bug of this name");
        return ExitCode::from(2);
    }
    let mut control = Row::new("", "nothing is planted");
    if only.is_none() {
        hunt(&mut control, seeds.min(SEEDS_CONTROL), usize::MAX, steps);
    }
    for upto in [seeds.min(SEEDS_FIRST), seeds] {
        for row in &mut rows {
            hunt(row, upto, FINDS, steps);
            eprintln!("{}: {} of {} seeds", row.name, row.finds(), row.seeds);
        }
    }
    println!("| Bug | What it does | Found in | First seed | Share of seeds | Seeds for 95 % | Median | Seen as |");
    println!("|---|---|---:|---:|---:|---:|---:|---|");
    for row in (control.seeds > 0).then_some(&control).into_iter().chain(&rows) {
        println!("{row}");
    }
    let mut faults: Vec<String> = rows.iter().filter_map(|row| row.fault(MEDIAN_MAX)).collect();
    if control.finds() > 0 {
        faults.insert(0, format!("{} finds although nothing is planted", control.finds()));
    }
    println!();
    for fault in &faults {
        println!("{fault}");
    }
    println!("{} bugs, at most {seeds} seeds x {steps} steps each, at {commit}: {} faults", rows.len(), faults.len());
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Goes on with a bug until it has so many seeds, or so many finds.
fn hunt(row: &mut Row, seeds: u64, finds: usize, steps: usize) {
    while row.finds() < finds && row.seeds < seeds {
        let Some(mut probe) = Probe::start(&row.name, row.seeds + 1, steps) else { return };
        while row.finds() < finds && row.seeds < seeds {
            let (seen, is_alive) = match probe.next_seed() {
                Seen::Nothing => (None, true),
                Seen::Broken(promise) => (Some(promise), true),
                Seen::RunsForEver => (Some("runs for ever".to_owned()), false),
                Seen::Died => (Some("the process died".to_owned()), false),
            };
            row.take(seen.as_deref());
            if !is_alive {
                break;
            }
        }
    }
}
