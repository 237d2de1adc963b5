//! Measures Turnstone beside its limits.
//!
//! Absolute times drift on shared machines; ratios taken in one run hold. So every line runs its limit and Turnstone in
//! turns (limit, ours, limit, ours …) and compares pair by pair. Each run is a process of its own: its memory and its
//! processor time are nobody else's. Nothing here passes or fails by time.

#![allow(
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a benchmark stops at a broken assumption, and its figures are rounded anyway"
)]

mod args;
mod limit;
mod notes;
mod ours;
mod report;
mod rows;
mod sample;
mod scenario;
mod serve;
mod turns;

use std::process::ExitCode;

use args::{Args, Mode};

/// What every part of the benchmarks fails with.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    // Several crates could choose; TLS itself is never measured here. A second installation changes nothing.
    drop(rustls::crypto::ring::default_provider().install_default());
    let args = Args::parse(std::env::args().skip(1))?;
    match &args.mode {
        Mode::Serve { kind, database } => serve::run(kind, database),
        Mode::One { key, side } => turns::one(&args, key, side),
        Mode::List => {
            rows::all().iter().for_each(|scenario| println!("{}", scenario.key()));
            Ok(())
        }
        Mode::Table => {
            let lines = turns::all(&args)?;
            report::print(&args, &lines)
        }
    }
}
