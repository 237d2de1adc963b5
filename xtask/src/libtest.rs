//! Reads what a Rust test program prints.
//!
//! The plain format is the only stable one, and it is enough: a line `test NAME ... ok|FAILED|ignored[, reason]` for
//! each test, and a `test result:` line for the whole. A program that dies before that line has failed, whatever it
//! printed before.

use crate::tally::Tally;

/// Counts one program's output. `suite` stands before the name of each test; `exited_well` is its exit status.
pub(crate) fn count(suite: &str, output: &str, exited_well: bool) -> Tally {
    let mut tally = Tally::default();
    let mut finished = false;
    for line in output.lines() {
        if line.starts_with("test result: ") {
            finished = true;
        } else if let Some((name, outcome)) = test_line(line) {
            let name = format!("{suite}::{name}");
            match outcome {
                Outcome::Ok => tally.pass(name),
                Outcome::Failed => tally.fail(name),
                Outcome::Ignored(reason) => tally.skip(&name, reason),
            }
        }
    }
    if !finished || (!exited_well && tally.failed == 0) {
        tally.fail(format!("{suite} (the test program died or did not finish)"));
    }
    tally
}

#[derive(Debug, PartialEq)]
enum Outcome<'a> {
    Ok,
    Failed,
    Ignored(&'a str),
}

fn test_line(line: &str) -> Option<(&str, Outcome<'_>)> {
    let (name, outcome) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let name = name.strip_suffix(" - should panic").unwrap_or(name);
    let outcome = match outcome {
        "ok" => Outcome::Ok,
        "FAILED" => Outcome::Failed,
        other => {
            let reason = other.strip_prefix("ignored")?;
            Outcome::Ignored(reason.strip_prefix(", ").unwrap_or("ignored without a reason"))
        }
    };
    Some((name, outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
running 4 tests
test merge::tests::later_stamp_wins ... ok
test merge::tests::panics - should panic ... ok
test slow ... ignored, needs a server
test broken ... FAILED

failures:

---- broken stdout ----
test result in the middle of a line is text

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
";

    #[test]
    fn counts_each_outcome() {
        let tally = count("protocol", OUTPUT, false);
        assert_eq!(tally.counts(), "2 passed, 1 failed, 1 skipped");
        assert!(tally.has_run("protocol::merge::tests::later_stamp_wins"));
        assert!(tally.has_run("protocol::merge::tests::panics"));
        assert!(!tally.has_run("protocol::slow"), "an ignored test did not run");
    }

    #[test]
    fn a_program_that_dies_has_failed() {
        let tally = count("core", "running 2 tests\ntest a ... ok\n", false);
        assert_eq!(tally.counts(), "1 passed, 1 failed, 0 skipped");
        let silent = count("core", "", true);
        assert_eq!(silent.counts(), "0 passed, 1 failed, 0 skipped");
    }

    #[test]
    fn a_bad_exit_after_good_tests_has_failed() {
        let output = "test a ... ok\ntest result: ok. 1 passed; 0 failed; 0 ignored\n";
        assert_eq!(count("core", output, false).failed, 1);
        assert_eq!(count("core", output, true).failed, 0);
    }
}
