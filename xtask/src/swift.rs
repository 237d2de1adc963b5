//! The Swift suite: with the machine's own Swift, or with one in a root file system that `.ci/run` makes where the
//! distribution has none.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bindings::{self, Places};
use crate::tally::Tally;
use crate::{junit, launch};

pub(crate) fn run(places: &Places) -> Tally {
    let mut tally = Tally::default();
    let toolchain = match toolchain() {
        Ok(toolchain) => toolchain,
        Err(reason) => {
            tally.skip("swift", &reason);
            return tally;
        }
    };
    if let Err(reason) = bindings::generate(places, "swift").and_then(|()| place_generated(places)) {
        tally.fail(format!("swift ({reason})"));
        return tally;
    }
    let reports = places.built.join("swift-reports");
    let _ = std::fs::remove_dir_all(&reports);
    // SwiftPM does not notice that the library changed: nothing of an earlier run is used.
    let _ = std::fs::remove_dir_all(scratch(places));
    for (package, suite) in PACKAGES {
        let reports = reports.join(suite);
        let finished =
            launch::run(&mut toolchain.command(&places.root, &test(places, package, &reports)), bindings::LIMIT);
        tally.add(bindings::counted(suite, finished, junit::count(suite, &reports), &[]));
    }
    tally.add(typecheck(places, &toolchain));
    tally
}

/// The library and its hosts; the sample app without its screens, which finds them built.
const PACKAGES: [(&str, &str); 2] = [("bindings/swift", "swift"), ("ios-sample/Model", "ios-sample")];

fn scratch(places: &Places) -> PathBuf {
    places.built.join("swift-build")
}

/// The command that runs the tests of one package.
fn test(places: &Places, package: &str, reports: &Path) -> String {
    // Swift 6.0's libraries for Linux name a symbol that none of them has: Observation needs it ignored.
    format!(
        "mkdir -p '{reports}' && cd '{root}/{package}' && \
         TURNSTONE_BUILT='{built}' TURNSTONE_CARGO='{cargo}' LD_LIBRARY_PATH='{cargo}' \
         swift test -q --scratch-path '{scratch}' --xunit-output '{reports}/swift.xml' -Xlinker -L'{cargo}' \
         -Xlinker --allow-shlib-undefined 2>&1",
        reports = reports.display(),
        root = places.root.display(),
        built = places.built.display(),
        cargo = places.cargo.display(),
        scratch = scratch(places).display(),
    )
}

/// The files that need Apple's frameworks, against stand-ins for them.
fn typecheck(places: &Places, toolchain: &Toolchain) -> Tally {
    let script = format!(
        "bash '{root}/bindings/swift/Typecheck/check.sh' '{scratch}/debug/Modules' '{built}/swift-shims' 2>&1",
        root = places.root.display(),
        scratch = scratch(places).display(),
        built = places.built.display(),
    );
    match launch::run(&mut toolchain.command(&places.root, &script), bindings::LIMIT) {
        Ok(finished) => checked(&finished.output, finished.success),
        Err(error) => {
            let mut tally = Tally::default();
            tally.fail(format!("ios-typecheck (does not start: {error})"));
            tally
        }
    }
}

/// Counts the lines `ok NAME` and `not ok NAME`.
fn checked(output: &str, success: bool) -> Tally {
    let mut tally = Tally::default();
    for line in output.lines() {
        if let Some(name) = line.strip_prefix("ok ") {
            tally.pass(format!("ios-typecheck::{name}"));
        } else if let Some(name) = line.strip_prefix("not ok ") {
            tally.fail(format!("ios-typecheck::{name}"));
        }
    }
    if tally.passed == 0 || success != (tally.failed == 0) {
        tally.fail("ios-typecheck (did not finish)");
    }
    if tally.failed > 0 {
        println!("{output}");
    }
    tally
}

/// Builds the benchmarks in this configuration and runs them.
pub(crate) fn bench(places: &Places, options: &str, configuration: &str) -> bool {
    let toolchain = match toolchain() {
        Ok(toolchain) => toolchain,
        Err(reason) => {
            println!("swift: {reason}");
            return false;
        }
    };
    if let Err(reason) = bindings::generate(places, "swift").and_then(|()| place_generated(places)) {
        println!("swift: {reason}");
        return false;
    }
    let scratch = places.built.join("swift-bench");
    // SwiftPM does not notice that the library changed: nothing of an earlier run is used.
    let _ = std::fs::remove_dir_all(&scratch);
    let script = format!(
        "cd '{root}/bindings/swift/Bench' && LD_LIBRARY_PATH='{cargo}' \
         swift run -q -c {configuration} --scratch-path '{scratch}' -Xlinker -L'{cargo}' Bench {options}",
        root = places.root.display(),
        cargo = places.cargo.display(),
        scratch = scratch.display(),
    );
    launch::run_shown(&mut toolchain.command(&places.root, &script)).unwrap_or(false)
}

/// How Swift is reached.
pub(crate) enum Toolchain {
    /// It is installed.
    Own,
    /// It stands in a root file system of its own.
    Rooted(PathBuf),
}

/// Whether tests can use Swift.
pub(crate) fn is_there() -> bool {
    toolchain().is_ok()
}

/// # Errors
/// That there is none, and why.
pub(crate) fn toolchain() -> Result<Toolchain, String> {
    if launch::exists("swift", &["--version"]) {
        return Ok(Toolchain::Own);
    }
    let cache = std::env::var_os("TURNSTONE_CACHE").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/turnstone")));
    let root = cache.unwrap_or_default().join("swift-root");
    // A link whose target is only there inside.
    if std::fs::symlink_metadata(root.join("usr/bin/swift")).is_err() {
        return Err("Swift is not installed, and .ci/run made no root file system with it".to_owned());
    }
    if !launch::exists("unshare", &["--mount", "true"]) {
        return Err("Swift stands in a root file system that only root can enter".to_owned());
    }
    Ok(Toolchain::Rooted(root))
}

impl Toolchain {
    /// A command of the shell in which Swift is found.
    pub(crate) fn command(&self, checkout: &Path, script: &str) -> Command {
        let Self::Rooted(root) = self else {
            let mut command = Command::new("bash");
            command.args(["-c", script]);
            return command;
        };
        let (root, checkout) = (root.display(), checkout.display());
        // Swift finds its own libraries through /proc; the checkout stands at the same path inside.
        let enter = format!(
            "set -e; mount -t proc proc '{root}/proc'; mount --rbind /dev '{root}/dev'; mount -t tmpfs tmpfs '{root}/tmp'; \
             mkdir -p '{root}{checkout}'; mount --bind '{checkout}' '{root}{checkout}'; \
             exec chroot '{root}' /usr/bin/env -i HOME=/tmp PATH=/usr/bin:/bin LANG=C.UTF-8 bash -c \"$1\""
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "bash", "-c"]);
        command.args([enter.as_str(), "swift", script]);
        command
    }
}

/// Puts what was generated where the package expects it.
fn place_generated(places: &Places) -> Result<(), String> {
    let from = places.built.join("swift");
    let to = places.root.join("bindings/swift/Generated");
    let copy = |name: &str, folder: &str, as_name: &str| {
        let folder = to.join(folder);
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::copy(from.join(name), folder.join(as_name)).map(drop))
            .map_err(|error| format!("{name}: {error}"))
    };
    copy("TurnstoneFFI.swift", "TurnstoneFFI", "TurnstoneFFI.swift")?;
    copy("TurnstoneFFIHeaders.h", "TurnstoneFFIHeaders/include", "TurnstoneFFIHeaders.h")?;
    copy("TurnstoneFFIHeaders.modulemap", "TurnstoneFFIHeaders/include", "module.modulemap")?;
    // SwiftPM wants a source file in a C target.
    std::fs::write(to.join("TurnstoneFFIHeaders/empty.c"), "").map_err(|error| format!("empty.c: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_checked_thing_counts_and_an_end_without_them_fails() {
        assert_eq!(checked("ok UIKit\nwarning: x\nok Notes\n", true).counts(), "2 passed, 0 failed, 0 skipped");
        assert_eq!(checked("ok UIKit\nnot ok Notes\n", false).counts(), "1 passed, 1 failed, 0 skipped");
        assert_eq!(checked("", true).failed, 1);
        assert_eq!(checked("ok UIKit\n", false).failed, 1);
    }
}
