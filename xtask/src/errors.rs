//! `docs/errors.md`: every code an app can meet stands there once, and none that nothing says.

use std::collections::BTreeSet;
use std::path::Path;

use crate::commented::texts;

const PAGE: &str = "docs/errors.md";
/// Fewer would mean that the sources are written in another way than this reads them.
const CODES_MIN: usize = 40;
/// Where codes stand, and what stands before one.
const SOURCES: [(&str, &str, &[&str]); 4] = [
    ("core/src/error.rs", "rs", &["=>"]),
    ("bindings/ffi/src", "rs", &["FfiError::invalid(", "FfiError::internal(", " code:"]),
    (
        "bindings/kotlin/turnstone/src/main",
        "kt",
        &["TurnstoneException.InvalidArgument(", "TurnstoneException.Closed("],
    ),
    ("bindings/swift/Sources", "swift", &["(code:"]),
];
/// What only the suites build.
const FOR_TESTS: [&str; 2] = ["bindings/ffi/src/tests/", "bindings/ffi/src/testing/"];

/// What the page lacks or makes up, a line each.
pub(crate) fn problems(root: &Path) -> Vec<String> {
    let Ok(page) = std::fs::read_to_string(root.join(PAGE)) else { return vec![format!("{PAGE} is missing")] };
    let mut said = BTreeSet::new();
    for (place, extension, markers) in SOURCES {
        let files = match std::fs::read_to_string(root.join(place)) {
            Ok(text) => vec![(place.to_owned(), text)],
            Err(_) => texts(root, place, extension),
        };
        for (_, text) in files.iter().filter(|(path, _)| !FOR_TESTS.iter().any(|folder| path.starts_with(folder))) {
            said.extend(markers.iter().flat_map(|marker| codes(text, marker)).map(str::to_owned));
        }
    }
    compared(&page, &said.iter().map(String::as_str).collect())
}

fn compared(page: &str, said: &BTreeSet<&str>) -> Vec<String> {
    let words = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    // The types begin with a capital.
    let rows: Vec<&str> = words.filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase())).collect();
    let listed: BTreeSet<&str> = rows.iter().copied().collect();
    let mut problems: Vec<String> = said.difference(&listed).map(|code| format!("{code} is missing")).collect();
    problems.extend(listed.difference(said).map(|code| format!("no source says {code}")));
    if listed.len() < rows.len() {
        problems.push("a code stands twice".to_owned());
    }
    if said.len() < CODES_MIN {
        problems.push(format!("only {} codes were found in the sources", said.len()));
    }
    problems
}

/// The words in quotes right behind the marker.
fn codes<'a>(text: &'a str, marker: &str) -> Vec<&'a str> {
    let quoted = text.split(marker).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    quoted.filter(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_word_in_quotes_behind_its_marker() {
        let text = "Self::Lost => \"transaction_lost\",\nClass::Auth => \"sign in, then\",\ninvalid(\n    \"no_http\", \"a b\")";
        assert_eq!(codes(text, "=>"), ["transaction_lost"]);
        assert_eq!(codes(text, "invalid("), ["no_http"]);
    }

    #[test]
    fn a_code_that_is_missing_made_up_or_twice_is_a_problem() {
        let words: Vec<String> = (0..CODES_MIN).map(|n| format!("code{n}")).collect();
        let said: BTreeSet<&str> = words.iter().map(String::as_str).collect();
        let page: String = words.iter().map(|word| format!("| `{word}` | `Closed` | Wait. |\n")).collect();
        assert_eq!(compared(&page, &said), [""; 0]);
        let cut = page.split_once('\n').unwrap().1;
        assert_eq!(compared(cut, &said), ["code0 is missing"]);
        assert_eq!(compared(&format!("{page}| `new` | |"), &said), ["no source says new"]);
        assert_eq!(compared(&format!("{page}| `code1` | |"), &said), ["a code stands twice"]);
    }
}
