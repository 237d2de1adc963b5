//! How good the search is: every planted bug in its turn, and how many seeds it takes to find it.
//!
//! Each bug runs in a process of its own, because a wrong engine may run for ever; that is a find too.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use turnstone_protocol::plant::Bug;

/// A bug is known well enough after this many finds.
const FINDS: usize = 10;
/// A seed that takes longer than this runs for ever: a thousand times what one needs, the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the search made of one bug.
#[derive(Default)]
struct Row {
    seeds: u64,
    found_at: Vec<u64>,
    seen: BTreeMap<String, u64>,
}

/// Calibrates, and prints the table.
pub fn run(seeds: u64, steps: usize, only: Option<&str>, commit: &str) -> ExitCode {
    println!("| Bug | What it does | Found in | Share of seeds | Seeds for 95 % | Median seeds to find | Seen as |");
    println!("|---|---|---:|---:|---:|---:|---|");
    let (mut bugs, mut missed, mut slow) = (0, 0, 0);
    for (bug, what) in Bug::ALL {
        let name = format!("{bug:?}");
        if only.is_some_and(|only| only != name) {
            continue;
        }
        let row = hunt(&name, seeds, steps);
        println!("| `{name}` | {what} | {}", row.text());
        bugs += 1;
        missed += usize::from(row.found_at.is_empty());
        slow += usize::from(row.median().is_none_or(|median| median > 20));
    }
    println!();
    println!(
        "{bugs} bugs, {missed} missed, {slow} with a median above 20; at most {seeds} seeds x {steps} steps; {commit}"
    );
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn hunt(name: &str, seeds: u64, steps: usize) -> Row {
    let mut row = Row::default();
    while row.found_at.len() < FINDS && row.seeds < seeds {
        let Some((mut child, lines)) = probe(name, row.seeds + 1, steps) else { return row };
        while row.found_at.len() < FINDS && row.seeds < seeds {
            match lines.recv_timeout(PATIENCE) {
                Ok(line) => row.take(line.split_once(' ').map(|(_, seen)| seen)),
                Err(RecvTimeoutError::Timeout) => {
                    row.take(Some("runs for ever"));
                    break;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    row.take(Some("the process died"));
                    break;
                }
            }
        }
        // It may be gone already.
        let _ = child.kill();
        let _ = child.wait();
    }
    row
}

#[expect(clippy::disallowed_methods, reason = "a reader beside the process it watches")]
fn probe(name: &str, from: u64, steps: usize) -> Option<(Child, Receiver<String>)> {
    let (from, steps) = (from.to_string(), steps.to_string());
    let mut child = Command::new(std::env::current_exe().ok()?)
        .args(["probe", "--bug", name, "--from", &from, "--steps", &steps])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let output = child.stdout.take()?;
    let (send, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    Some((child, lines))
}

impl Row {
    fn take(&mut self, seen: Option<&str>) {
        self.seeds += 1;
        if let Some(seen) = seen {
            self.found_at.push(self.seeds);
            *self.seen.entry(seen.to_owned()).or_default() += 1;
        }
    }

    fn median(&self) -> Option<u64> {
        let before = std::iter::once(0).chain(self.found_at.iter().copied());
        let mut waits: Vec<u64> = self.found_at.iter().zip(before).map(|(at, before)| at - before).collect();
        waits.sort_unstable();
        waits.get(waits.len() / 2).copied()
    }

    fn text(&self) -> String {
        let seen: Vec<&str> = self.seen.keys().map(String::as_str).collect();
        let Some(median) = self.median() else { return format!("0 of {} | 0 % | - | - | - |", self.seeds) };
        let share = self.found_at.len() as f64 / self.seeds as f64;
        let surely = if share < 1.0 { (0.05_f64.ln() / (1.0 - share).ln()).ceil() } else { 1.0 };
        format!(
            "{} of {} | {:.1} % | {surely:.0} | {median} | {} |",
            self.found_at.len(),
            self.seeds,
            share * 100.0,
            seen.join(", ")
        )
    }
}
