//! `make bench-bindings`: W2 and W9 from Kotlin and Swift, with the library as it is released.

use std::path::Path;
use std::process::Command;

use crate::bindings::{self, Places};
use crate::tally::Tally;
use crate::{build, launch, swift};

/// Builds and runs both; what they print is what there is to see. A language without a toolchain says so.
pub(crate) fn run(root: &Path, options: &str) -> bool {
    let places = Places::released(root);
    let library = ["build", "--locked", "--release", "--package", "turnstone-ffi"];
    let bindgen = ["build", "--locked", "--profile=ci", "--package", "turnstone-bindgen"];
    let is_built = [&library[..], &bindgen[..]]
        .iter()
        .all(|args| launch::run_shown(build::cargo(root).args(*args)).unwrap_or(false));
    is_built && [kotlin(&places, options), swift::bench(&places, options, "release")].iter().all(|is_good| *is_good)
}

/// Whether both still work, in their small form and with the library that the suites use. No time is looked at.
pub(crate) fn small(root: &Path) -> Tally {
    let places = Places::new(root);
    let mut tally = Tally::default();
    let mut count = |name: &str, is_there: bool, bench: &dyn Fn() -> bool| match is_there {
        true if bench() => tally.pass(name),
        true => tally.fail(name),
        false => tally.skip(name, "its toolchain is not installed"),
    };
    count("bench from Kotlin", launch::exists("mvn", &["--version"]), &|| kotlin(&places, "--small"));
    count("bench from Swift", swift::is_there(), &|| swift::bench(&places, "--small", "debug"));
    tally
}

fn kotlin(places: &Places, options: &str) -> bool {
    if !launch::exists("mvn", &["--version"]) {
        println!("kotlin: Maven is not installed (Debian: apt-get install maven default-jdk-headless)");
        return false;
    }
    if let Err(reason) = bindings::generate(places, "kotlin") {
        println!("kotlin: {reason}");
        return false;
    }
    let mut command = Command::new("mvn");
    command.current_dir(places.root.join("bindings/kotlin"));
    command.args(["-B", "-q", "-ntp", "-P", "bench", "test", "-pl", "bench", "-am", "-Dmaven.test.skip=true"]);
    command.arg(format!("-Dbench={options}"));
    command.arg(format!("-Dturnstone.built={}", places.built.display()));
    command.arg(format!("-Dturnstone.cargo={}", places.cargo.display()));
    launch::run_shown(&mut command).unwrap_or(false)
}
