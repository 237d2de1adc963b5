//! `turnstone-sim`: searches seeds for broken promises, replays one, shrinks it.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use turnstone_simulation::run;

const USAGE: &str = "usage: turnstone-sim run [--seeds N] [--steps M] [--seconds S] [--from F] [--keep-going]
       turnstone-sim replay --seed N [--steps M] [--no-shrink] [--tell]";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: u64| {
        let at = args.iter().position(|arg| arg == name);
        at.and_then(|at| args.get(at + 1)).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let has = |name: &str| args.iter().any(|arg| arg == name);
    let steps = usize::try_from(number("--steps", 300)).unwrap_or(300);
    match args.first().map(String::as_str) {
        Some("run") => {
            let seconds = Duration::from_secs(number("--seconds", 3_600));
            search(number("--from", 1), number("--seeds", 1_000), steps, seconds, has("--keep-going"))
        }
        Some("replay") => replay(number("--seed", 1), steps, !has("--no-shrink"), has("--tell")),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a time budget of the search, outside the worlds")]
fn search(from: u64, seeds: u64, steps: usize, budget: Duration, keep_going: bool) -> ExitCode {
    let begun = Instant::now();
    let mut counters: BTreeMap<&'static str, u64> = BTreeMap::new();
    let (mut done, mut failed) = (0_u64, 0_u64);
    for seed in from..from.saturating_add(seeds) {
        if begun.elapsed() > budget {
            break;
        }
        let outcome = run::seed(seed, steps);
        done += 1;
        for (what, times) in outcome.counters {
            *counters.entry(what).or_default() += times;
        }
        if let Some(violation) = outcome.violations.first() {
            failed += 1;
            println!("seed {seed}: {} {}", violation.invariant, violation.what);
            println!("  turnstone-sim replay --seed {seed} --steps {steps}");
            if !keep_going {
                break;
            }
        }
    }
    for (what, times) in &counters {
        println!("{times:>10}  {what}");
    }
    let rate = done as f64 / begun.elapsed().as_secs_f64().max(0.001);
    println!("{done} seeds x {steps} steps, {failed} with violations, {rate:.1} seeds/s");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(seed: u64, steps: usize, shrinks: bool, tells: bool) -> ExitCode {
    let outcome = run::seed(seed, steps);
    for violation in &outcome.violations {
        println!("{} {}", violation.invariant, violation.what);
    }
    println!("trace {:016x}", outcome.trace);
    if outcome.violations.is_empty() {
        println!("seed {seed}: every promise holds");
        return ExitCode::SUCCESS;
    }
    if shrinks {
        let (swarm, actions, short) = run::shrink(seed, steps, 600);
        println!("{swarm:?}");
        println!("{} actions are enough:", actions.len());
        for action in &actions {
            println!("    {action:?}");
        }
        if tells {
            run::tell(seed, &swarm, &actions);
        }
        for violation in &short.violations {
            println!("{} {}", violation.invariant, violation.what);
        }
    }
    ExitCode::FAILURE
}
