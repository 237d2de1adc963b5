//! `turnstone-sim`: searches seeds for broken promises, replays one, shrinks it, and measures how well it searches.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use turnstone_simulation::again::{Again, commit};
use turnstone_simulation::run::{Look, Outcome, Short};
use turnstone_simulation::swarm::Swarm;
use turnstone_simulation::{action, counters, run, trace::Trace};

/// A tenth of the time of a world went into asking for memory and giving it back.
#[global_allocator]
static MEMORY: turnstone_vfs::Memory = turnstone_vfs::Memory;

const USAGE: &str =
    "usage: turnstone-sim run [--seeds N] [--steps M] [--minutes T] [--from F] [--keep-going] [--only CLASS]
       turnstone-sim replay --seed N [--steps M] [--no-shrink] [--tell] [--save FILE]
       turnstone-sim replay --trace FILE [--tell]
       turnstone-sim calibrate [--seeds N] [--steps M] [--bug NAME]   (built with --features planted-bugs)
run, replay: --bug NAME plants a bug (built with --features planted-bugs)";

struct Args(Vec<String>);

impl Args {
    fn text(&self, name: &str) -> Option<&str> {
        let at = self.0.iter().position(|arg| arg == name)?;
        self.0.get(at + 1).map(String::as_str)
    }

    fn number(&self, name: &str, default: u64) -> u64 {
        self.text(name).and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|arg| arg == name)
    }
}

fn main() -> ExitCode {
    let args = Args(std::env::args().skip(1).collect());
    let Some(again) = Again::parse(&args.0) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    if args.0.first().is_some_and(|command| command != "calibrate")
        && let Some(name) = &again.bug
        && !plant(name)
    {
        eprintln!("there is no bug {name} in this build");
        return ExitCode::from(2);
    }
    match args.0.first().map(String::as_str) {
        Some("run") => search(&args, &again),
        Some("replay") => match args.text("--trace") {
            Some(file) => replay_trace(file, args.has("--tell")),
            None => replay(&args, &again),
        },
        Some("calibrate") => calibrate(&args, again.steps),
        #[cfg(feature = "planted-bugs")]
        Some("probe") => probe(&args, again.steps),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a time budget of the search, outside the worlds")]
fn search(args: &Args, again: &Again) -> ExitCode {
    let steps = again.steps;
    let begun = Instant::now();
    let budget = Duration::from_secs(60 * args.number("--minutes", 1_440));
    let from = args.number("--from", 1);
    let mut counted: BTreeMap<&'static str, u64> = BTreeMap::new();
    let (mut done, mut failed) = (0_u64, 0_u64);
    for seed in from..from.saturating_add(args.number("--seeds", 1_000)) {
        if begun.elapsed() > budget {
            break;
        }
        if args.text("--only").is_some_and(|class| !Swarm::draw(seed).has(class)) {
            continue;
        }
        let outcome = run::seed(seed, steps);
        done += 1;
        for (what, times) in outcome.counters {
            *counted.entry(what).or_default() += times;
        }
        if let Some(violation) = outcome.violations.first() {
            failed += 1;
            println!("seed {seed}: {} {}", violation.invariant, violation.what);
            println!("  {}", Again { seed, ..again.clone() }.command());
            if !args.has("--keep-going") {
                break;
            }
        }
    }
    for (what, times) in &counted {
        println!("{times:>10}  {what}");
    }
    let seconds = begun.elapsed().as_secs_f64().max(0.001);
    let (rate, minutes, faults) = (done as f64 / seconds, seconds / 60.0, counters::faults(&counted));
    println!(
        "{done} seeds from {from} x {steps} steps at {}: {failed} with violations, {faults} faults, {minutes:.1} min, {rate:.1} seeds/s",
        commit()
    );
    let never = counters::never(&counted, done, steps);
    if failed == 0 && !never.is_empty() {
        println!("never happened, so this run proves nothing about it: {}", never.join("; "));
    }
    if failed == 0 && never.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(args: &Args, again: &Again) -> ExitCode {
    let Again { seed, steps, .. } = *again;
    let outcome = run::exactly(seed, steps);
    say(&outcome);
    println!("trace {:016x}", outcome.trace);
    if outcome.violations.is_empty() {
        println!("seed {seed}: every promise holds");
        return ExitCode::SUCCESS;
    }
    if args.has("--no-shrink") {
        if args.has("--tell") {
            let swarm = Swarm::draw(seed);
            run::tell(seed, &swarm, &action::draw(seed, steps, &swarm), Look::Sampled);
        }
        return ExitCode::FAILURE;
    }
    let Some(Short { swarm, actions, looks, outcome }) = run::shrink(seed, steps, 1_500) else {
        println!("it does not fail a second time: nothing is shortened and nothing is saved");
        return ExitCode::FAILURE;
    };
    println!("{swarm:?}");
    println!("{} actions are enough:", actions.len());
    for action in &actions {
        println!("    {action:?}");
    }
    if args.has("--tell") {
        run::tell(seed, &swarm, &actions, looks);
    }
    say(&outcome);
    if let Some(file) = args.text("--save")
        && let Err(error) = (Trace { why: String::new(), seed, swarm, looks, actions }).save(file)
    {
        eprintln!("{file}: {error}");
    }
    ExitCode::FAILURE
}

fn replay_trace(file: &str, tells: bool) -> ExitCode {
    let trace = match Trace::load(file) {
        Ok(trace) => trace,
        Err(error) => {
            eprintln!("{file}: {error}");
            return ExitCode::from(2);
        }
    };
    let outcome = if tells { run::tell(trace.seed, &trace.swarm, &trace.actions, trace.looks) } else { trace.run() };
    say(&outcome);
    if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn say(outcome: &Outcome) {
    for violation in &outcome.violations {
        println!("{} {}", violation.invariant, violation.what);
    }
}

#[cfg(not(feature = "planted-bugs"))]
fn plant(_: &str) -> bool {
    false
}

#[cfg(not(feature = "planted-bugs"))]
fn calibrate(_: &Args, _: usize) -> ExitCode {
    eprintln!("calibrating needs the build with --features planted-bugs: make sim-calibrate");
    ExitCode::from(2)
}

#[cfg(feature = "planted-bugs")]
fn calibrate(args: &Args, steps: usize) -> ExitCode {
    turnstone_simulation::calibrate::run(args.number("--seeds", 2_000), steps, args.text("--bug"), &commit())
}

#[cfg(feature = "planted-bugs")]
fn plant(name: &str) -> bool {
    use turnstone_protocol::plant::{Bug, set};
    let found = Bug::ALL.iter().find(|(bug, _)| format!("{bug:?}") == name);
    set(found.map(|(bug, _)| *bug));
    found.is_some()
}

/// Runs seeds and says of each what came of it, for [`calibrate`], which watches from outside.
#[cfg(feature = "planted-bugs")]
fn probe(args: &Args, steps: usize) -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    for seed in args.number("--from", 1).. {
        match run::seed(seed, steps).violations.first() {
            Some(violation) => println!("{seed} {}", violation.invariant),
            None => println!("{seed}"),
        }
    }
    ExitCode::SUCCESS
}
