//! The commands: what can be checked anywhere, and what needs the tools of a phone's maker.

use std::path::{Path, PathBuf};

use super::aar::{self, Parts};
use super::cross::Cross;
use super::elf::{self, Abi};
use super::slices;
use super::stand_in::Library;
use super::zip::{self, Tree};
use crate::bindings::Places;
use crate::tally::Tally;

/// The goal without built-in HTTP, which is how the XCFramework is built.
pub(crate) const GOAL: u64 = 2_500_000;
/// The goal with built-in HTTP, which is what the AAR holds.
pub(crate) const GOAL_WITH_HTTP: u64 = 4_500_000;
/// What a library of the AAR may not pass: above the goal, which is not reached yet, so that it does not grow unseen.
pub(crate) const BYTES_MAX: u64 = 6_500_000;

const ANDROID: &str = "bindings/kotlin/android";
/// The folders of compiled classes, under `kotlin-build`; one that a checkout does not have yet is left out.
const MODULES: [&str; 4] = ["generated", "turnstone", "host", "android"];
/// In the name of the file: nobody is to ship it.
const STAND_IN: &str = "turnstone-STAND-IN-not-for-apps.aar";

/// In the gate: the Rust of the library compiles for Android, and a static library for iOS is what it must be.
pub(crate) fn compiled(root: &Path) -> Tally {
    let mut tally = Tally::default();
    let (android, ios) =
        ("artifacts::compiles for aarch64-linux-android", "artifacts::static library for aarch64-apple-ios");
    match Cross::find(root) {
        Ok(cross) => {
            count(&mut tally, android, cross.check_android(Abi::Arm64V8a.target()));
            count(&mut tally, ios, slices::device(root, &cross));
        }
        Err(reason) => {
            tally.skip(android, &reason);
            tally.skip(ios, &reason);
        }
    }
    tally
}

/// Assembles an AAR of everything but the library, and verifies it: only the stand-in may be found wanting.
pub(crate) fn aar_check(root: &Path) -> Tally {
    const NAME: &str = "artifacts::AAR of real classes, manifest and rules";
    let mut tally = Tally::default();
    let places = Places::new(root);
    let classes = classes(&places.built.join("kotlin-build"));
    if classes.is_empty() {
        tally.skip(NAME, "no Kotlin was compiled: run `cargo run --package xtask -- kotlin` first");
        return tally;
    }
    count(&mut tally, NAME, stand_in(root, classes, &places.built.join(STAND_IN)));
    tally
}

fn stand_in(root: &Path, classes: Tree, to: &Path) -> Result<(), String> {
    let libraries = Abi::ALL.map(|abi| Library::marked(abi).write().map(|library| (abi, library)));
    let libraries = libraries.into_iter().collect::<Result<_, _>>()?;
    let aar = aar::assemble(&parts(root, classes, libraries)?)?;
    // The classes come from the suite of tests, whose library has hooks that a shipped one has not.
    let expected = [elf::IS_REAL, aar::NO_HOOKS];
    let (known, breaches): (Vec<_>, Vec<_>) =
        aar::check(&aar, BYTES_MAX).into_iter().partition(|breach| expected.contains(&breach.rule));
    slices::told(&breaches)?;
    if known.iter().filter(|breach| breach.rule == elf::IS_REAL).count() != Abi::ALL.len() {
        return Err("the verifier took a stand-in for the library".to_owned());
    }
    std::fs::write(to, &aar).map_err(|error| format!("{}: {error}", to.display()))?;
    println!("{} has {} bytes; its libraries stand in", to.display(), aar.len());
    Ok(())
}

/// The parts of an AAR from the sources of this repository.
///
/// # Errors
/// Which file is missing.
pub(crate) fn parts(root: &Path, classes: Tree, libraries: Vec<(Abi, Vec<u8>)>) -> Result<Parts, String> {
    let folder = root.join(ANDROID);
    let text = |name: &str| slices::read(&folder.join(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok(Parts {
        manifest: text("src/main/AndroidManifest.xml")?,
        rules: text("consumer-rules.pro")?,
        resources: files(&folder.join("src/main/res")),
        classes,
        libraries,
    })
}

/// The classes that Maven compiled, without those of tests.
pub(crate) fn classes(built: &Path) -> Tree {
    let modules = MODULES.iter().map(|module| files(&built.join(module).join("classes")));
    // What each module says of itself has no place in a jar of all of them.
    modules.flatten().filter(|(path, _)| path.ends_with(".class")).collect()
}

fn files(folder: &Path) -> Tree {
    let mut found = Tree::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        for entry in std::fs::read_dir(folder.join(&inner)).into_iter().flatten().flatten() {
            let path = inner.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else if let (Some(name), Ok(content)) = (path.to_str(), std::fs::read(entry.path())) {
                found.insert(name.replace('\\', "/"), content);
            }
        }
    }
    found
}

/// Builds the libraries for iOS on Linux, assembles the XCFramework and verifies it.
pub(crate) fn xcframework_check(root: &Path) -> Tally {
    const NAME: &str = "artifacts::XCFramework built on Linux";
    let mut tally = Tally::default();
    let cross = match Cross::find(root) {
        Ok(cross) => cross,
        Err(reason) => {
            tally.skip(NAME, &reason);
            return tally;
        }
    };
    let to = Places::new(root).built.with_file_name("TurnstoneFFIHeaders-PROOF-not-for-apps.xcframework.zip");
    let packed = slices::build_all(&cross).and_then(|built| slices::package(root, &built, &to));
    if let Ok(packed) = &packed {
        println!("{} has {} bytes, sha256 {}", to.display(), packed.bytes, packed.sha256);
    }
    count(&mut tally, NAME, packed.map(drop));
    tally
}

/// Counts a result; what is wrong is shown.
pub(crate) fn count(tally: &mut Tally, name: &str, result: Result<(), String>) {
    match result {
        Ok(()) => tally.pass(name),
        Err(reason) => {
            println!("{name}: {reason}");
            tally.fail(name);
        }
    }
}

/// Verifies an AAR or a zipped XCFramework that somebody has.
///
/// # Errors
/// The broken rules, a line each.
pub(crate) fn verify(file: &Path) -> Result<(), String> {
    let bytes = slices::read(file)?;
    println!("sha256 {}", zip::sha256(&bytes));
    if file.extension().is_some_and(|extension| extension == "aar") {
        return slices::told(&aar::check(&bytes, BYTES_MAX));
    }
    slices::told(&zip::check(&bytes))?;
    slices::told(&super::xcframework::check(&zip::unpack(&bytes)?))
}
