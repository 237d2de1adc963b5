//! Worlds that ran once and showed something, and worlds of every weather. The search itself is `make sim`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeMap;
use std::process::Command;

use turnstone_simulation::again::Again;
use turnstone_simulation::trace::Trace;
use turnstone_simulation::{counters, run, swarm};

/// How often each kind of thing happened.
type Counted = BTreeMap<&'static str, u64>;

/// Runs seeds with their own weather; nothing may break.
fn hold(seeds: impl IntoIterator<Item = u64>, steps: usize) -> Counted {
    let mut counted = Counted::new();
    for seed in seeds {
        let outcome = run::seed(seed, steps);
        let again = Again { seed, steps, bug: None };
        assert!(outcome.violations.is_empty(), "{:?}; {}", outcome.violations, again.command());
        outcome.counters.into_iter().for_each(|(what, times)| *counted.entry(what).or_default() += times);
    }
    counted
}

/// I-01, I-03 to I-06, I-08 to I-10, I-12, I-14, I-16 to I-20, I-23, I-27, I-29 to I-32, I-36, I-38, I-54, I-56, I-64:
/// whatever the weather. A fixed share of the search, the same in every run of the gate: many short lives, and a few
/// long ones with many restarts. Green says nothing about what never happened, so the rare paths must have.
#[test]
#[expect(clippy::disallowed_methods, reason = "one half of the worlds beside the other")]
fn worlds_of_every_weather_keep_their_promises() {
    let long = std::thread::spawn(|| hold(10_001..=10_004, 2_000));
    let mut counted = hold(1..=60, 300);
    long.join().unwrap().into_iter().for_each(|(what, times)| *counted.entry(what).or_default() += times);
    let missing = counters::missing(counters::IN_THE_GATE, &counted);
    assert!(missing.is_empty(), "never happened: {missing:?}; what did: {counted:#?}");
}

/// I-40, I-62: a server that is put back, told of it or not, and again, gets back what devices still have to keep.
#[test]
fn a_server_that_is_put_back_gets_back_what_it_forgot() {
    let counted = hold((1..).filter(|seed| swarm::Swarm::draw(*seed).has("server_restore")).take(20), 300);
    let missing = counters::missing(counters::WITH_HISTORIES, &counted);
    assert!(missing.is_empty(), "never happened: {missing:?}; what did: {counted:#?}");
}

/// A seed gives the same run twice: same packets, same bytes on every disk, same end.
#[test]
fn a_seed_is_a_run() {
    for seed in [2, 5, 9, 17] {
        let (first, again) = (run::exactly(seed, 250), run::exactly(seed, 250));
        assert_eq!(first.trace, again.trace, "seed {seed}");
        assert_eq!(first.counters, again.counters, "seed {seed}");
    }
}

/// And the same on another thread, beside another run.
#[test]
#[expect(clippy::disallowed_methods, reason = "two threads at once are what is tested")]
fn a_seed_does_not_depend_on_its_thread() {
    let here = run::exactly(5, 200).trace;
    let there = std::thread::spawn(|| {
        let other = std::thread::spawn(|| run::exactly(9, 200).trace);
        let trace = run::exactly(5, 200).trace;
        other.join().unwrap();
        trace
    });
    assert_eq!(here, there.join().unwrap());
}

/// What another process finds of seeds.
fn told_by(command: impl Fn() -> Command) {
    for seed in ["5", "8"] {
        let here = format!("trace {:016x}", run::exactly(seed.parse().unwrap(), 300).trace);
        let told = command().args(["replay", "--no-shrink", "--seed", seed]).output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        assert_eq!(told.lines().find(|line| line.starts_with("trace ")), Some(here.as_str()), "seed {seed}");
    }
}

const SIM: &str = env!("CARGO_BIN_EXE_turnstone-sim");

/// And the same in other processes: nothing of the order of threads, of addresses or of a hasher's seed is in it. One of the
/// worlds makes its databases itself, the other copies them.
#[test]
fn a_seed_does_not_depend_on_its_process() {
    told_by(|| Command::new(SIM));
}

/// And on a single core.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs taskset")]
fn a_seed_does_not_depend_on_the_cores() {
    told_by(|| {
        let mut command = Command::new("taskset");
        command.args(["-c", "0", SIM]);
        command
    });
}

/// Without faults nothing is lost, doubled or late, and nothing is refused.
#[test]
fn a_calm_world_is_calm() {
    for seed in 1..=5 {
        let swarm = swarm::Swarm::calm(4);
        let actions = turnstone_simulation::action::draw(seed, 200, &swarm);
        let outcome = run::actions_of(seed, &swarm, &actions);
        assert_eq!(outcome.violations, Vec::new(), "seed {seed}");
        assert!(!outcome.counters.contains_key("request refused"));
    }
}

/// Every trace in `traces/` broke a promise once. None may again.
#[test]
fn what_broke_once_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/traces");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let trace = Trace::load(&file).unwrap();
        assert!(!trace.why.is_empty(), "{}: say what it showed", file.display());
        let violations = trace.run().violations;
        assert!(violations.is_empty(), "{}: {}: {violations:?}", file.display(), trace.why);
    }
}

/// The builds that are tested and shipped hold no planted bug.
#[test]
#[cfg(not(feature = "planted-bugs"))]
fn no_bug_is_planted_here() {
    use turnstone_protocol::plant::{Bug, POSSIBLE, on};
    assert!(!POSSIBLE && Bug::ALL.iter().all(|(bug, _)| !on(*bug)));
    assert!(Bug::ALL.len() >= 30, "issue 3 asks for at least 30");
}
