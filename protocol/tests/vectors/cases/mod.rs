//! What each case of the golden vectors gives. The suites of Kotlin and Swift run it too, through their library.

mod hashes;
mod merging;
mod messages;
mod schemas;
mod texts;

use serde_json::Value as Json;
use turnstone_protocol::Schema;

/// What a case of a file gives. `schema` is the one that all cases of the file share.
pub(crate) fn outcome(file: &str, list: &str, schema: Option<&str>, case: &Json) -> Json {
    let shared = || Schema::parse(schema.unwrap()).unwrap();
    match (file, list) {
        ("canonical.json", "cases") => texts::canonical(case),
        ("values.json", "cases") => texts::value(case),
        ("hlc.json", "cases") => texts::hlc(case),
        ("schema.json", "valid") => schemas::valid(case),
        ("schema.json", "invalid") => schemas::invalid(case),
        ("schema.json", "unsupported") => schemas::unsupported(case),
        ("schema.json", "changes") => schemas::changes(case),
        ("admit.json", "cases") => merging::admission(&shared(), case),
        ("merge.json", "cases") => merging::merge(&shared(), case),
        ("fold.json", "cases") => merging::fold(&shared(), case),
        ("hash.json", "payload") => hashes::payload(case),
        ("hash.json", "row") => hashes::row(case),
        ("hash.json", "chain") => hashes::chain(case),
        ("hash.json", "gids") => hashes::gids(case),
        ("hash.json", "state") => hashes::state(case),
        ("wire.json", "exact") => messages::exact(case),
        ("wire.json", "lenient") => messages::lenient(case),
        ("wire.json", "entries") => messages::entry(case),
        _ => panic!("nobody knows the list {list} of {file}"),
    }
}

pub(crate) fn text<'a>(case: &'a Json, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("{key} of {}", case["name"]))
}
