//! What passed, what failed, what was skipped and why.

use std::collections::BTreeSet;
use std::time::Duration;

/// Results of some suites, added up.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    /// One line for each failure, `suite::test`, and what it said if that is known.
    failures: Vec<String>,
    /// One line for each skip, with its reason.
    skips: Vec<String>,
    /// Every test that ran, as `docs/features.md` names it.
    ran: BTreeSet<String>,
}

impl Tally {
    pub(crate) fn pass(&mut self, name: impl Into<String>) {
        self.passed += 1;
        self.ran.insert(name.into());
    }

    pub(crate) fn fail(&mut self, name: impl Into<String>) {
        self.fail_saying(name.into(), "");
    }

    /// Like [`Tally::fail`], with what the test said.
    pub(crate) fn fail_saying(&mut self, name: String, why: &str) {
        self.failed += 1;
        self.failures.push(if why.is_empty() { name.clone() } else { format!("{name}: {why}") });
        self.ran.insert(name);
    }

    pub(crate) fn skip(&mut self, name: &str, reason: &str) {
        self.skipped += 1;
        self.skips.push(format!("{name}: {reason}"));
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.failures.extend(other.failures);
        self.skips.extend(other.skips);
        self.ran.extend(other.ran);
    }

    /// Whether a test of this name ran, whatever came of it.
    pub(crate) fn has_run(&self, name: &str) -> bool {
        self.ran.contains(name)
    }

    /// Whether a test of this name ran somewhere in a suite: `suite/File::name`, `suite::module::name`.
    pub(crate) fn has_run_under(&self, suite: &str, name: &str) -> bool {
        self.ran.iter().any(|test| {
            let inside = test.strip_prefix(suite).filter(|rest| rest.starts_with(['/', ':']));
            inside.is_some_and(|rest| rest.rsplit("::").next() == Some(name))
        })
    }

    /// Whether a test was skipped: it, or the suite before its slash.
    pub(crate) fn is_skipped(&self, test: &str) -> bool {
        let suite = test.split('/').next().unwrap_or(test);
        self.skips.iter().filter_map(|line| line.split_once(": ")).any(|(name, _)| name == test || name == suite)
    }

    pub(crate) fn is_good(&self, require_all: bool) -> bool {
        self.failed == 0 && self.passed > 0 && !(require_all && self.skipped > 0)
    }

    /// Prints skips, failures and, as the last line, the counts.
    pub(crate) fn report(&self) {
        println!();
        for skip in &self.skips {
            println!("skipped  {skip}");
        }
        for failure in &self.failures {
            println!("FAILED   {failure}");
        }
        println!("{}", self.counts());
    }

    pub(crate) fn counts(&self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }

    /// Prints how one suite went; one without tests is not worth a line.
    pub(crate) fn suite_line(&self, name: &str, took: Duration) {
        if self.passed + self.failed + self.skipped == 0 {
            return;
        }
        println!("{name:<38} {:<34} {:>7.1} s", self.counts(), took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_fails_only_where_all_is_required() {
        let mut tally = Tally::default();
        tally.pass("a");
        tally.skip("swift", "no swift on this machine");
        assert!(tally.is_good(false));
        assert!(!tally.is_good(true));
        assert_eq!(tally.counts(), "1 passed, 0 failed, 1 skipped");
    }

    #[test]
    fn a_skipped_suite_skips_its_tests_and_no_others() {
        let mut tally = Tally::default();
        tally.skip("android", "no Maven");
        tally.skip("swift/SyncTests::watch", "no network");
        assert!(tally.is_skipped("android/WorkPlanTest::constraints") && tally.is_skipped("swift/SyncTests::watch"));
        assert!(!tally.is_skipped("android-sample/ScreensTest::drawn") && !tally.is_skipped("swift/SyncTests::other"));
    }

    #[test]
    fn nothing_run_is_not_good() {
        assert!(!Tally::default().is_good(false));
    }

    #[test]
    fn a_failure_says_why_and_is_found_by_its_name() {
        let mut tally = Tally::default();
        tally.fail_saying("kotlin/SyncTest::edits".to_owned(), "timed out");
        assert_eq!(tally.failures, ["kotlin/SyncTest::edits: timed out"]);
        assert!(tally.has_run("kotlin/SyncTest::edits"));
    }

    #[test]
    fn sums_over_suites() {
        let mut one = Tally::default();
        one.pass("core::a");
        let mut two = Tally::default();
        two.fail("core::b");
        one.add(two);
        assert_eq!(one.counts(), "1 passed, 1 failed, 0 skipped");
        assert!(one.has_run("core::a") && one.has_run("core::b"));
        assert!(!one.is_good(false));
    }
}
