//! `bindings/behaviours.txt`: what an app in any language can rely on. Each suite must run a test of each name.

use std::collections::BTreeSet;
use std::path::Path;

use crate::tally::Tally;

const LIST: &str = "bindings/behaviours.txt";
/// A shorter list says that somebody cut it.
const NAMES_MIN: usize = 40;

/// Counts one check: the list is whole, and every behaviour of it ran in this suite.
pub(crate) fn check(root: &Path, suite: &str, ran: &Tally) -> Tally {
    let mut tally = Tally::default();
    let text = std::fs::read_to_string(root.join(LIST)).unwrap_or_default();
    let problems = problems(&text, suite, ran);
    problems.iter().for_each(|problem| println!("{LIST}: {problem}"));
    let name = format!("behaviours::{suite}");
    if problems.is_empty() {
        tally.pass(name)
    } else {
        tally.fail(name)
    }
    tally
}

fn problems(list: &str, suite: &str, ran: &Tally) -> Vec<String> {
    let named: BTreeSet<&str> = names(list).collect();
    let missing = named.iter().filter(|name| !ran.has_run_under(suite, name));
    let mut problems: Vec<String> = missing.map(|name| format!("no test of {suite} is called {name}")).collect();
    if named.len() < NAMES_MIN {
        problems.push(format!("{} different names stand there; {NAMES_MIN} are promised", named.len()));
    }
    problems
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

    #[test]
    fn a_list_that_was_cut_or_a_behaviour_that_did_not_run_is_a_problem() {
        let all: Vec<String> = (0..NAMES_MIN).map(|n| format!("b{n}")).collect();
        let mut ran = Tally::default();
        all.iter().for_each(|name| ran.pass(format!("kotlin/Test::{name}")));
        assert!(problems(&all.join("\n"), "kotlin", &ran).is_empty());
        assert_eq!(problems(&all[1..].join("\n"), "kotlin", &ran).len(), 1, "one name short");
        let twice = [&all[1..], &all[1..2]].concat();
        assert_eq!(problems(&twice.join("\n"), "kotlin", &ran).len(), 1, "the same name again is no other behaviour");
        assert_eq!(
            problems(&format!("{}\nmore", all.join("\n")), "kotlin", &ran),
            ["no test of kotlin is called more"]
        );
    }
}
