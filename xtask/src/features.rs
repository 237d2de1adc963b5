//! The pages whose rows name the tests that show what they say: `docs/features.md`, how a user reaches each capability that is
//! done, and `docs/invariants.md`, what must always hold.
//!
//! A test is named `folder::name` for a unit test (`protocol::merge::tests::later_stamp_wins`) and `folder/file::name`
//! for a test of `folder/tests/file.rs`. Every named test must exist and must have run.

use std::collections::BTreeSet;
use std::path::Path;

use crate::tally::Tally;

const FEATURES: &str = "docs/features.md";
const INVARIANTS: &str = "docs/invariants.md";
/// How many invariants there are.
const INVARIANTS_COUNT: u32 = 65;
/// How the limits of an invariant without a test begin.
const TO_COME: &str = "To come";

/// One row of a table.
#[derive(Debug, PartialEq)]
struct Row {
    id: String,
    /// How a user reaches a capability; the known limits of an invariant.
    note: String,
    tests: Vec<String>,
}

/// Rows without a way to reach them or without a test, and rows that stand twice.
pub(crate) fn shape_problems(root: &Path) -> Vec<String> {
    let Ok(text) = std::fs::read_to_string(root.join(FEATURES)) else {
        return vec![format!("{FEATURES} is missing")];
    };
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for row in rows(&text) {
        if row.note.is_empty() {
            problems.push(format!("{} does not say how a user reaches it", row.id));
        }
        if row.tests.is_empty() {
            problems.push(format!("{} names no test", row.id));
        }
        if !seen.insert(row.id.clone()) {
            problems.push(format!("{} stands twice", row.id));
        }
    }
    problems
}

/// Invariants that are missing or out of order, and those without a test that do not say what they wait for.
pub(crate) fn invariant_problems(root: &Path) -> Vec<String> {
    std::fs::read_to_string(root.join(INVARIANTS))
        .map_or_else(|_| vec![format!("{INVARIANTS} is missing")], |text| missing(&text))
}

fn missing(text: &str) -> Vec<String> {
    let found = rows(text);
    let mut problems: Vec<String> = found
        .iter()
        .filter(|row| row.tests.is_empty() && !row.note.starts_with(TO_COME))
        .map(|row| format!("{} names no test and does not say what it waits for", row.id))
        .collect();
    let ids: Vec<String> = found.into_iter().map(|row| row.id).collect();
    let wanted: Vec<String> = (1..=INVARIANTS_COUNT).map(|n| format!("I-{n:02}")).collect();
    problems.extend(wanted.iter().filter(|id| !ids.contains(id)).map(|id| format!("{id} is missing")));
    if problems.is_empty() && ids != wanted {
        problems.push("the invariants are not in order, or one stands twice".to_owned());
    }
    problems
}

/// Counts one test for each row that names some: it passes where every test it names ran.
pub(crate) fn check(root: &Path, ran: &Tally) -> Tally {
    let mut tally = Tally::default();
    for (page, kind) in [(FEATURES, "features"), (INVARIANTS, "invariants")] {
        let text = std::fs::read_to_string(root.join(page)).unwrap_or_default();
        for row in rows(&text).iter().filter(|row| !row.tests.is_empty()) {
            let name = format!("{kind}::{}", row.id);
            let (skipped, missing): (Vec<_>, Vec<_>) =
                row.tests.iter().filter(|test| !ran.has_run(test)).partition(|test| ran.is_skipped(test));
            for test in &missing {
                println!("{page}: {} names {test}, which did not run", row.id);
            }
            match (missing.first(), skipped.first()) {
                (Some(_), _) => tally.fail(name),
                (None, Some(test)) => tally.skip(&name, &format!("{test} was skipped")),
                (None, None) => tally.pass(name),
            }
        }
    }
    tally
}

/// Rows `| id | what | how | tests |` whose first cell is an id such as `A1` or `I-01`.
fn rows(text: &str) -> Vec<Row> {
    text.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Row> {
    let line = line.strip_prefix('|')?.trim_end().strip_suffix('|')?;
    let cells: Vec<_> = line.split('|').map(str::trim).collect();
    let [id, _what, note, tests] = cells.as_slice() else { return None };
    let mut letters = id.chars();
    let has_letter = letters.next().is_some_and(|c| c.is_ascii_uppercase());
    let number = letters.as_str();
    let is_id = has_letter && number.strip_prefix('-').unwrap_or(number).parse::<u32>().is_ok();
    is_id.then(|| Row {
        id: (*id).to_owned(),
        note: (*note).to_owned(),
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
        let found = rows(PAGE);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].id, "A1");
        assert_eq!(found[0].tests, ["core/store::reads", "core::store::tests::x"]);
        assert!(found[1].note.is_empty() && found[1].tests.is_empty());
    }

    #[test]
    fn a_named_test_must_have_run() {
        let mut ran = Tally::default();
        ran.pass("core/store::reads");
        let row = &rows(PAGE)[0];
        let missing: Vec<_> = row.tests.iter().filter(|test| !ran.has_run(test)).collect();
        assert_eq!(missing, ["core::store::tests::x"]);
    }

    #[test]
    fn every_invariant_has_a_test_or_says_what_it_waits_for() {
        let row = |n: u32, limits: &str, test: &str| format!("| I-{n:02} | It holds | {limits} | {test} |\n");
        let whole: String = (1..=INVARIANTS_COUNT).map(|n| row(n, "", "`core/store::reads`")).collect();
        assert_eq!(missing(&whole), [] as [&str; 0]);
        let waits = whole.replace(&row(7, "", "`core/store::reads`"), &row(7, "To come: sets", ""));
        assert_eq!(missing(&waits), [] as [&str; 0]);
        let bare = whole.replace(&row(7, "", "`core/store::reads`"), &row(7, "Linux only", ""));
        assert_eq!(missing(&bare), ["I-07 names no test and does not say what it waits for"]);
        let short = whole.replace(&row(65, "", "`core/store::reads`"), "");
        assert_eq!(missing(&short), ["I-65 is missing"]);
        assert_eq!(missing(&format!("{}{whole}", row(1, "", "`core/store::reads`"))).len(), 1);
    }
}
