//! `docs/features.md`: each capability that is done, how a user reaches it, and the tests that show it.
//!
//! A test is named `folder::name` for a unit test (`protocol::merge::tests::later_stamp_wins`) and `folder/file::name`
//! for a test of `folder/tests/file.rs`. Every named test must exist and must have run.

use std::collections::BTreeSet;
use std::path::Path;

use crate::tally::Tally;

const PAGE: &str = "docs/features.md";

/// One row of the table.
#[derive(Debug, PartialEq)]
struct Feature {
    id: String,
    reached: String,
    tests: Vec<String>,
}

/// Rows without a way to reach them or without a test, and rows that stand twice.
pub(crate) fn shape_problems(root: &Path) -> Vec<String> {
    let Ok(text) = std::fs::read_to_string(root.join(PAGE)) else {
        return vec![format!("{PAGE} is missing")];
    };
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for feature in features(&text) {
        if feature.reached.is_empty() {
            problems.push(format!("{} does not say how a user reaches it", feature.id));
        }
        if feature.tests.is_empty() {
            problems.push(format!("{} names no test", feature.id));
        }
        if !seen.insert(feature.id.clone()) {
            problems.push(format!("{} stands twice", feature.id));
        }
    }
    problems
}

/// Counts one test for each row: it passes where every test it names ran.
pub(crate) fn check(root: &Path, ran: &Tally) -> Tally {
    let mut tally = Tally::default();
    let text = std::fs::read_to_string(root.join(PAGE)).unwrap_or_default();
    for feature in features(&text) {
        let name = format!("features::{}", feature.id);
        let (skipped, missing): (Vec<_>, Vec<_>) =
            feature.tests.iter().filter(|test| !ran.has_run(test)).partition(|test| ran.is_skipped(test));
        for test in &missing {
            println!("{PAGE}: {} names {test}, which did not run", feature.id);
        }
        match (missing.first(), skipped.first()) {
            (Some(_), _) => tally.fail(name),
            (None, Some(test)) => tally.skip(&name, &format!("{test} was skipped")),
            (None, None) => tally.pass(name),
        }
    }
    tally
}

/// Rows `| id | what | how | tests |` whose first cell is an id such as `A1`.
fn features(text: &str) -> Vec<Feature> {
    text.lines().filter_map(feature).collect()
}

fn feature(line: &str) -> Option<Feature> {
    let line = line.strip_prefix('|')?.trim_end().strip_suffix('|')?;
    let cells: Vec<_> = line.split('|').map(str::trim).collect();
    let [id, _what, reached, tests] = cells.as_slice() else { return None };
    let mut letters = id.chars();
    let is_id = letters.next().is_some_and(|c| c.is_ascii_uppercase()) && letters.as_str().parse::<u32>().is_ok();
    is_id.then(|| Feature {
        id: (*id).to_owned(),
        reached: (*reached).to_owned(),
        tests: tests.split('`').skip(1).step_by(2).map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "
| Id | Capability | How you reach it | Tests |
|---|---|---|---|
| A1 | Local reads | `store.query` | `core/store::reads`, `core::store::tests::x` |
| B2 | Writes | | |
";

    #[test]
    fn reads_the_table() {
        let found = features(PAGE);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].id, "A1");
        assert_eq!(found[0].tests, ["core/store::reads", "core::store::tests::x"]);
        assert!(found[1].reached.is_empty() && found[1].tests.is_empty());
    }

    #[test]
    fn a_named_test_must_have_run() {
        let mut ran = Tally::default();
        ran.pass("core/store::reads");
        let feature = &features(PAGE)[0];
        let missing: Vec<_> = feature.tests.iter().filter(|test| !ran.has_run(test)).collect();
        assert_eq!(missing, ["core::store::tests::x"]);
    }
}
