//! `bindings/behaviours.txt`: what an app in any language can rely on. Each suite must run a test of each name.

use std::path::Path;

use crate::tally::Tally;

const LIST: &str = "bindings/behaviours.txt";

/// Counts one check: every behaviour ran in this suite.
pub(crate) fn check(root: &Path, suite: &str, ran: &Tally) -> Tally {
    let mut tally = Tally::default();
    let text = std::fs::read_to_string(root.join(LIST)).unwrap_or_default();
    let missing: Vec<&str> = names(&text).filter(|name| !ran.has_run_under(suite, name)).collect();
    for name in &missing {
        println!("{LIST}: no test of {suite} is called {name}");
    }
    let name = format!("behaviours::{suite}");
    if missing.is_empty() && names(&text).next().is_some() {
        tally.pass(name)
    } else {
        tally.fail(name)
    }
    tally
}

/// One name a line; `#` begins a remark.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_where_the_suite_ran_it() {
        let mut ran = Tally::default();
        ran.pass("kotlin/SyncTest::edits_survive");
        assert!(ran.has_run_under("kotlin", "edits_survive"));
        assert!(!ran.has_run_under("swift", "edits_survive"));
        assert!(!ran.has_run_under("kotlin", "survive"));
        assert_eq!(names("# list\na # why\n\nb\n").collect::<Vec<_>>(), ["a", "b"]);
    }
}
