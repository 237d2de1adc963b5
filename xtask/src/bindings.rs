//! The suites of Kotlin and Swift: against the library that was built for them and a real server.
//!
//! A machine without a toolchain skips its suite and says what is missing; `.ci/run` installs it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::launch::{self, Finished};
use crate::tally::Tally;
use crate::{behaviours, build, junit, swift};

/// A suite that takes longer hangs; a first run also fetches what it stands on.
pub(crate) const LIMIT: Duration = Duration::from_secs(15 * 60);

/// The library as the suites load it, with the hooks for tests, and the programs beside it.
pub(crate) const BUILD: [&str; 8] =
    ["build", "--workspace", "--locked", "--profile=ci", "--bins", "--lib", "--features", "turnstone-ffi/testing"];

/// Where things are.
pub(crate) struct Places {
    pub(crate) root: PathBuf,
    /// Where cargo put the library and the programs.
    pub(crate) cargo: PathBuf,
    /// Where the program that writes code for it is.
    tools: PathBuf,
    /// Where the generated code and everything built from it goes.
    pub(crate) built: PathBuf,
}

impl Places {
    pub(crate) fn new(root: &Path) -> Self {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        let tools = target.join("ci");
        Self { root: root.to_path_buf(), cargo: tools.clone(), tools, built: target.join("bindings") }
    }

    /// With the library as it is released, apart from everything the suites build.
    pub(crate) fn released(root: &Path) -> Self {
        let suites = Self::new(root);
        Self {
            cargo: suites.cargo.with_file_name("release"),
            built: suites.built.with_file_name("bindings-release"),
            ..suites
        }
    }
}

/// Builds the library and runs one language's suite.
pub(crate) fn alone(language: &str, root: &Path) -> Tally {
    if launch::run_shown(build::cargo(root).args(BUILD)).unwrap_or(false) {
        return suite(language, root);
    }
    let mut tally = Tally::default();
    tally.fail("build");
    tally
}

/// Runs one language's suite.
pub(crate) fn suite(language: &str, root: &Path) -> Tally {
    let places = Places::new(root);
    let mut tally = match language {
        "kotlin" => kotlin(&places),
        _ => swift::run(&places),
    };
    if tally.passed > 0 {
        tally.add(behaviours::check(root, language, &tally));
    }
    tally
}

/// Writes the code that calls the library.
///
/// # Errors
/// A sentence, where it cannot.
pub(crate) fn generate(places: &Places, language: &str) -> Result<(), String> {
    let mut command = Command::new(places.tools.join("turnstone-bindgen"));
    command.current_dir(&places.root).arg(language);
    command.arg(places.cargo.join("libturnstone_ffi.so")).arg(places.built.join(language));
    match launch::run_shown(&mut command) {
        Ok(true) => Ok(()),
        _ => Err(format!("the {language} code could not be written: see above")),
    }
}

/// The modules with tests: the suite they are counted in, and their folder.
const MODULES: [(&str, &str); 6] = [
    ("kotlin", "turnstone"),
    ("kotlin", "testing"),
    ("android", "host"),
    ("android", "android"),
    ("android-sample", "sample-state"),
    ("android-sample", "sample-screens"),
];

/// The modules that are compiled and never run, with a class of each.
const TYPE_CHECKED: [(&str, &str); 2] = [
    ("android", "dev/turnstone/android/TurnstoneWorker.class"),
    ("sample-app", "dev/turnstone/sample/MainActivity.class"),
];

/// Kotlin, and what of Android runs or compiles without it: one Maven build.
fn kotlin(places: &Places) -> Tally {
    let mut tally = maven(places);
    if tally.is_skipped("kotlin") {
        for suite in ["android", "android-sample"] {
            tally.skip(suite, "it is built with the Kotlin suite, which was skipped");
        }
    }
    tally
}

fn maven(places: &Places) -> Tally {
    let mut tally = Tally::default();
    if !launch::exists("mvn", &["--version"]) {
        tally.skip("kotlin", "Maven is not installed (Debian: apt-get install maven default-jdk-headless)");
        return tally;
    }
    if let Err(reason) = generate(places, "kotlin") {
        tally.fail(format!("kotlin ({reason})"));
        return tally;
    }
    let built = places.built.join("kotlin-build");
    for (_, module) in MODULES {
        // What an earlier run left would be counted as this one's.
        let _ = std::fs::remove_dir_all(built.join(module).join("surefire-reports"));
    }
    for (module, _) in TYPE_CHECKED {
        let _ = std::fs::remove_dir_all(built.join(module).join("classes"));
    }
    let mut command = Command::new("mvn");
    command.current_dir(places.root.join("bindings/kotlin")).args(["-B", "-q", "-ntp", "-fae", "test"]);
    command.arg(format!("-Dturnstone.built={}", places.built.display()));
    command.arg(format!("-Dturnstone.cargo={}", places.cargo.display()));
    let finished = launch::run(&mut command, LIMIT);
    let is_done = finished.as_ref().is_ok_and(|finished| finished.success);
    let mut tests = Tally::default();
    for (suite, module) in MODULES {
        let ran = junit::count(suite, &built.join(module).join("surefire-reports"));
        if is_done && ran.passed + ran.failed + ran.skipped == 0 {
            tests.fail(format!("{suite} ({module} ran no test)"));
        }
        tests.add(ran);
    }
    if is_done {
        for (module, class) in TYPE_CHECKED {
            let name = format!("android/typecheck::{module}");
            if built.join(module).join("classes").join(class).is_file() { tests.pass(name) } else { tests.fail(name) }
        }
    }
    counted("kotlin", finished, tests, &["Could not transfer artifact", "Could not find artifact", "UnknownHost"])
}

/// What a suite came to that reported this much. One that says it could not fetch what it stands on is skipped.
pub(crate) fn counted(suite: &str, run: std::io::Result<Finished>, mut tally: Tally, unfetched: &[&str]) -> Tally {
    let finished = match run {
        Ok(finished) => finished,
        Err(error) => {
            tally.fail(format!("{suite} (does not start: {error})"));
            return tally;
        }
    };
    if finished.success && tally.passed > 0 {
        return tally;
    }
    if tally.passed + tally.failed == 0 && unfetched.iter().any(|sign| finished.output.contains(sign)) {
        tally.skip(suite, "what it is built with could not be fetched");
        return tally;
    }
    println!("{}", finished.output);
    if tally.failed == 0 {
        let why = if finished.timed_out { "was ended: it took too long" } else { "did not finish" };
        tally.fail(format!("{suite} ({why})"));
    }
    tally
}
