//! `crash`: the loops over all scenarios, round after round with new seeds, for as long as there is time.
//!
//! Prints one line per loop, every violation with what it takes to see it again, and one last line over all.
//! Ends with failure if there was a violation.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use turnstone_crash_tests::faults::{Kind, fault_at_every_step};
use turnstone_crash_tests::power::{Share, power_and_kill};
use turnstone_crash_tests::report::{Report, Summary};
use turnstone_crash_tests::scenario::{Failure, Scenario};
use turnstone_crash_tests::scenarios;

/// Power loss, kills, I/O errors, read errors and full disks at every step of Turnstone's client and server.
#[derive(Debug, Clone, PartialEq, Parser)]
struct Args {
    /// Ends soon after this time; at least one round.
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Ends with one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// The seed of the first round; each further round adds one.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Different damages per step.
    #[arg(long, default_value_t = 4)]
    damages: u64,
    /// Takes one step in so many, others in each round.
    #[arg(long, default_value_t = 1)]
    every: u64,
    /// Only scenarios whose name contains this.
    #[arg(long, default_value = "")]
    scenario: String,
    /// Only accidents whose name contains this: power loss (with kill), I/O error, read error, sync error, no space,
    /// nothing left.
    #[arg(long, default_value = "")]
    accident: String,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let started = now();
    let deadline = started + Duration::try_from_secs_f64(60.0 * args.minutes).unwrap_or_default();
    let mut totals: Vec<Report> = Vec::new();
    let mut seed = args.seed;
    say(&args, &Report::heading());
    loop {
        for scenario in scenarios::all(seed) {
            if scenario.name().contains(&args.scenario) && (now() < deadline || seed == args.seed) {
                round(scenario.as_ref(), &args, seed, &mut totals);
            }
        }
        seed = seed.wrapping_add(1);
        if now() >= deadline {
            break;
        }
    }
    let seconds = started.elapsed().as_secs();
    let summary = Summary { loops: &totals, seed: args.seed, rounds: seed.wrapping_sub(args.seed), seconds };
    say(&args, &format!("\n{}", Report::heading()));
    for total in &totals {
        say(&args, &total.to_string());
    }
    if args.json {
        println!("{}", summary.json());
    } else {
        println!("{summary}");
    }
    if summary.violations() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is said on the way: for people on the standard output, beside JSON on the other one.
fn say(args: &Args, line: &str) {
    if args.json {
        eprintln!("{line}");
    } else {
        println!("{line}");
    }
}

fn round(scenario: &dyn Scenario, args: &Args, seed: u64, totals: &mut Vec<Report>) {
    let share = Share { every: args.every, resume_every: 2, ..Share::all(seed, args.damages) };
    if "power loss, kill".contains(&args.accident) {
        note(power_and_kill(scenario, share).map(Vec::from), scenario, (args, seed), totals);
    }
    for kind in Kind::ALL.into_iter().filter(|kind| kind.name().contains(&args.accident)) {
        note(fault_at_every_step(scenario, kind, share).map(|report| vec![report]), scenario, (args, seed), totals);
    }
}

fn note(
    reports: Result<Vec<Report>, Failure>,
    scenario: &dyn Scenario,
    (args, seed): (&Args, u64),
    totals: &mut Vec<Report>,
) {
    let reports = reports.unwrap_or_else(|failure| {
        let mut report = Report::new(scenario.name(), "none");
        report.violation(format!("undisturbed, it fails: {failure}"));
        vec![report]
    });
    for report in reports {
        say(args, &report.to_string());
        for violation in &report.violations {
            say(args, &format!("    {violation}; again: {}", again(args, &report, seed)));
        }
        match totals.iter_mut().find(|t| t.scenario == report.scenario && t.accident == report.accident) {
            Some(total) => total.add(report),
            None => totals.push(report),
        }
    }
}

/// What to type in the repository's folder to run one loop of one round again.
fn again(args: &Args, report: &Report, seed: u64) -> String {
    // What failed undisturbed met no accident.
    let accident = if report.accident == "none" { &args.accident } else { report.accident };
    let Args { damages, every, .. } = args;
    format!(
        "make crash MINUTES=0 CRASH=\"--scenario '{}' --accident '{accident}' --seed {seed} --damages {damages} --every {every}\"",
        report.scenario
    )
}

#[expect(clippy::disallowed_methods, reason = "the budget is the reader's own time; nothing under test sees it")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of a printed command, as a shell reads them.
    fn words(text: &str) -> Vec<String> {
        let outside = |(at, part): (usize, &str)| match at % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        };
        text.split('\'').enumerate().flat_map(outside).collect()
    }

    #[test]
    fn the_command_that_is_printed_runs_the_same_loop_again() {
        let args =
            Args::parse_from(["crash", "--minutes", "30", "--seed", "5", "--damages", "10", "--every", "3", "--json"]);
        for (accident, asked) in [("I/O error", "I/O error"), ("kill", "kill"), ("none", "")] {
            let printed = again(&args, &Report::new("sync, client hit", accident), 7);
            let options = printed.strip_prefix("make crash MINUTES=0 CRASH=\"").and_then(|text| text.strip_suffix('"'));
            let words = ["crash", "--minutes", "0"].map(str::to_owned).into_iter().chain(words(options.unwrap()));
            let expected = Args {
                minutes: 0.0,
                json: false,
                seed: 7,
                damages: 10,
                every: 3,
                scenario: "sync, client hit".to_owned(),
                accident: asked.to_owned(),
            };
            assert_eq!(Args::try_parse_from(words).unwrap(), expected);
        }
    }
}
