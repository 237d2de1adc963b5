//! The repository's own commands, behind `make check` and `make test`.
//!
//! They run cargo, count what it says, and check what no compiler checks: licences, links in the docs, the list of
//! decisions, that every feature called done names a test that ran. The last line they print is always
//! `N passed, N failed, N skipped`.

mod android;
mod artifacts;
mod behaviours;
mod bench;
mod bindings;
mod build;
mod commented;
mod errors;
mod features;
mod fuzz;
mod ios;
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

const USAGE: &str = "usage: xtask check | test | rules | kotlin | swift | bench-bindings [options] | aar | aar-check | jar | \
                     xcframework | xcframework-check | cross | proofs | sizes | verify FILE";

fn main() -> ExitCode {
    let file = std::env::args().nth(2);
    let scope = match std::env::args().nth(1).as_deref() {
        Some("aar") => return told(artifacts::build_aar(&root())),
        Some("jar") => return told(artifacts::build_jar(&root())),
        Some("xcframework") => return told(artifacts::build_xcframework(&root())),
        Some("aar-check") => return reported(&artifacts::aar_check(&root())),
        Some("xcframework-check") => return reported(&artifacts::xcframework_check(&root())),
        Some("cross") => return reported(&artifacts::compiled(&root())),
        Some("proofs") => return reported(&artifacts::proofs(&root())),
        Some("sizes") => return told(artifacts::sizes(&root())),
        Some("verify") => return told(file.ok_or(USAGE.to_owned()).and_then(|file| artifacts::verify(file.as_ref()))),
        Some("check") => Scope::Check,
        Some("test") => Scope::Everything,
        Some("rules") => Scope::Rules,
        Some("kotlin") => Scope::Suite("kotlin"),
        Some("swift") => Scope::Suite("swift"),
        Some("bench-bindings") => {
            let options: Vec<String> = std::env::args().skip(2).collect();
            return if bench::run(&root(), &options.join(" ")) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    reported(&suites::run(scope, &root()))
}

fn reported(tally: &tally::Tally) -> ExitCode {
    let require_all = std::env::var_os("REQUIRE_ALL").is_some_and(|value| value == "1");
    tally.report();
    if tally.is_good(require_all) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Nothing to count: it was done, or a sentence says why not.
fn told(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace: the one above this package.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}
