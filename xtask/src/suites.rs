//! Runs everything in order and counts it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::artifacts;
use crate::behaviours;
use crate::bench;
use crate::bindings;
use crate::build::{self, Targets, TestProgram};
use crate::features;
use crate::fuzz;
use crate::launch;
use crate::libtest;
use crate::rules;
use crate::tally::Tally;

/// How much to run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The repository's rules alone.
    Rules,
    /// Format, lints, rules, unit tests.
    Check,
    /// Everything there is.
    Everything,
    /// The suite of one language, with the library built for it.
    Suite(&'static str),
}

/// A test program that runs longer hangs. `SUITE_MINUTES_MAX` sets another limit.
const SUITE_MINUTES_MAX: u64 = 15;

/// Runs everything in scope. Nothing stops at a failure: the reader wants all of them.
pub(crate) fn run(scope: Scope, root: &Path) -> Tally {
    let mut tally = Tally::default();
    if let Scope::Suite(language) = scope {
        return timed(language, || bindings::alone(language, root));
    }
    if scope != Scope::Rules {
        tally.add(timed("format", || tool(root, "rustfmt", "format", &["fmt", "--all", "--check"])));
        tally.add(timed("lints", || tool(root, "cargo-clippy", "lints", &clippy())));
    }
    tally.add(timed("rules", || rules::check(root)));
    match scope {
        Scope::Rules | Scope::Suite(_) => {}
        Scope::Check => tally.add(test_programs(root, Targets::Unit)),
        Scope::Everything => {
            tally.add(test_programs(root, Targets::All));
            tally.add(timed("planted bugs", || planted_bugs(root)));
            tally.add(timed("fuzz lock", || fuzz::lock_is_current(root)));
            tally.add(behaviours::check(root, "bindings/ffi", &tally));
            tally.add(timed("kotlin", || bindings::suite("kotlin", root)));
            tally.add(timed("swift", || bindings::suite("swift", root)));
            tally.add(timed("benchmarks of both", || bench::small(root)));
            tally.add(timed("AAR", || artifacts::aar_check(root)));
            tally.add(timed("Android and iOS", || artifacts::compiled(root)));
            tally.add(timed("doc tests", || doc_tests(root)));
            tally.add(timed("features", || features::check(root, &tally)));
        }
    }
    tally
}

fn clippy() -> [&'static str; 9] {
    ["clippy", "--workspace", "--all-targets", "--locked", "--profile", "ci", "--", "-D", "warnings"]
}

/// A cargo command that passes or fails as a whole, and is skipped where its program is not installed.
fn tool(root: &Path, program: &str, name: &str, args: &[&str]) -> Tally {
    let mut tally = Tally::default();
    if !launch::exists(program, &["--version"]) {
        tally.skip(name, &format!("{program} is not installed (rustup component add rustfmt clippy)"));
    } else if launch::run_shown(build::cargo(root).args(args)).unwrap_or(false) {
        tally.pass(name);
    } else {
        tally.fail(name);
    }
    tally
}

fn test_programs(root: &Path, targets: Targets) -> Tally {
    let mut tally = Tally::default();
    match build::test_programs(root, targets) {
        Ok(programs) => programs.iter().for_each(|program| tally.add(test_program(program))),
        Err(reason) => tally.fail(format!("build ({reason})")),
    }
    tally
}

fn test_program(test: &TestProgram) -> Tally {
    timed(&test.suite, || {
        let mut command = Command::new(&test.program);
        command.current_dir(&test.folder).env("CARGO_MANIFEST_DIR", &test.folder);
        run_and_count(&test.suite, &mut command)
    })
}

/// The tests of the calibration build. Everything that knows of planted bugs is built once more; `--workspace` keeps
/// the dependencies as they are.
fn planted_bugs(root: &Path) -> Tally {
    let mut command = build::cargo(root);
    command.args(["test", "--workspace", "--locked", "--profile", "ci", "--test", "planted"]);
    command.args(["--features", "turnstone-simulation/planted-bugs,turnstone-fuzz-targets/planted-bugs"]);
    run_and_count("planted bugs", &mut command)
}

fn doc_tests(root: &Path) -> Tally {
    let mut command = build::cargo(root);
    command.args(["test", "--workspace", "--locked", "--profile", "ci", "--doc"]);
    run_and_count("doc tests", &mut command)
}

fn run_and_count(suite: &str, command: &mut Command) -> Tally {
    let minutes = std::env::var("SUITE_MINUTES_MAX").ok().and_then(|text| text.parse().ok());
    let limit = Duration::from_secs(60 * minutes.unwrap_or(SUITE_MINUTES_MAX));
    match launch::run(command, limit) {
        Ok(finished) => {
            let tally = libtest::count(suite, &finished.output, finished.success);
            if tally.failed > 0 {
                println!("{}", finished.output);
            }
            if finished.timed_out {
                println!("{suite} was ended after {} s", limit.as_secs());
            }
            tally
        }
        Err(error) => {
            let mut tally = Tally::default();
            tally.fail(format!("{suite} (does not start: {error})"));
            tally
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "tells a person how long a suite took")]
fn timed(name: &str, suite: impl FnOnce() -> Tally) -> Tally {
    let started = Instant::now();
    let tally = suite();
    tally.suite_line(name, started.elapsed());
    tally
}
