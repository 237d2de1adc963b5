//! The repository's own commands, behind `make check` and `make test`.
//!
//! They run cargo, count what it says, and check what no compiler checks: licences, links in the docs, the list of
//! decisions, that every feature called done names a test that ran. The last line they print is always
//! `N passed, N failed, N skipped`.

mod android;
mod behaviours;
mod bindings;
mod build;
mod features;
mod junit;
mod launch;
mod libtest;
mod licences;
mod markdown;
mod rules;
mod suites;
mod swift;
mod tally;

use std::path::PathBuf;
use std::process::ExitCode;

use suites::Scope;

const USAGE: &str = "usage: xtask check | test | rules | kotlin | swift";

fn main() -> ExitCode {
    let scope = match std::env::args().nth(1).as_deref() {
        Some("check") => Scope::Check,
        Some("test") => Scope::Everything,
        Some("rules") => Scope::Rules,
        Some("kotlin") => Scope::Suite("kotlin"),
        Some("swift") => Scope::Suite("swift"),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let require_all = std::env::var_os("REQUIRE_ALL").is_some_and(|value| value == "1");
    let tally = suites::run(scope, &root());
    tally.report();
    if tally.is_good(require_all) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The folder of the workspace: the one above this package.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}
