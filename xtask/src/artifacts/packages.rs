//! The commands: what can be checked anywhere, and what needs the tools of a phone's maker.

use std::path::{Path, PathBuf};

use super::aar::{self, Parts};
use super::cross::Cross;
use super::desktop;
use super::elf::{self, Abi};
use super::functions;
use super::pom::Pom;
use super::slices;
use super::stand_in::Library;
use super::swift_package;
use super::zip::{self, Tree};
use crate::bindings::Places;
use crate::swift;
use crate::tally::Tally;

/// The goal without built-in HTTP, which is how the AAR and the XCFramework are built.
pub(crate) const GOAL: u64 = 2_500_000;
/// The goal with built-in HTTP, which is what computers get.
pub(crate) const GOAL_WITH_HTTP: u64 = 4_500_000;
/// What a library of the AAR may not pass: above the goal, which is not reached yet, so that it does not grow unseen.
pub(crate) const BYTES_MAX: u64 = 4_500_000;

const ANDROID: &str = "bindings/kotlin/android";
/// The folders of compiled classes, under `kotlin-build`; one that a checkout does not have yet is left out.
const MODULES: [&str; 3] = ["generated", "turnstone", "host"];
const ANDROID_MODULE: &str = "android";
const TESTING_MODULE: &str = "testing";
/// In the name of a file: nobody is to ship it.
const STAND_IN: &str = "turnstone-STAND-IN-not-for-apps.aar";

/// In the gate: the Rust of the library compiles for Android, a static library for iOS is what it must be, and SwiftPM reads
/// the package that apps will use.
pub(crate) fn compiled(root: &Path) -> Tally {
    const PACKAGE: &str = "artifacts::Swift package over the XCFramework";
    let mut tally = Tally::default();
    match slices::read(&Places::new(root).built.join("swift/TurnstoneFFI.swift")) {
        Ok(_) if !swift::is_there() => tally.skip(PACKAGE, "Swift is not installed"),
        Ok(generated) => count(&mut tally, PACKAGE, swift_package_check(root, generated)),
        Err(_) => tally.skip(PACKAGE, "no Swift was written: run `cargo run --package xtask -- swift` first"),
    }
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

/// The package of the real sources, over an XCFramework of which there is only the list.
fn swift_package_check(root: &Path, generated: Vec<u8>) -> Result<(), String> {
    let list = (format!("{}.xcframework/Info.plist", super::xcframework::MODULE), Vec::new());
    let files = swift_package::assemble(&swift_package::sources(root), generated, &[list].into());
    swift_package::write(root, &files, &Places::new(root).built.join("swift-package-CHECK"))
}

/// Assembles an AAR of everything but the library, and verifies it: only the stand-in may be found wanting. Then the jar with
/// a server for the tests of apps, of the classes and the library of the suites, in which two devices must sync.
pub(crate) fn aar_check(root: &Path) -> Tally {
    const AAR: &str = "artifacts::AAR of real classes, manifest and rules";
    const POM: &str = "artifacts::POMs name what Gradle builds with";
    const JAR: &str = "artifacts::jar for tests of apps has a server and two devices that sync";
    let mut tally = Tally::default();
    count(&mut tally, POM, poms(root).map(drop));
    let places = Places::new(root);
    let built = places.built.join("kotlin-build");
    if classes_for_computers(&built).is_empty() {
        for name in [AAR, JAR] {
            tally.skip(name, "no Kotlin was compiled: run `cargo run --package xtask -- kotlin` first");
        }
        return tally;
    }
    count(&mut tally, AAR, stand_in(root, classes(&built), &places.built.join(STAND_IN)));
    count(&mut tally, JAR, jar_of_suites(root, &places));
    tally
}

fn jar_of_suites(root: &Path, places: &Places) -> Result<(), String> {
    let library = slices::read(&places.cargo.join(desktop::library_here()?))?;
    let jar = desktop::assemble(classes_for_tests(&places.built.join("kotlin-build")), library)?;
    slices::told(&desktop::check(&jar))?;
    let pom = poms(root)?.1.testing();
    let to = places.built.join(pom.file(pom.packaging));
    std::fs::write(&to, &jar).map_err(|error| format!("{}: {error}", to.display()))?;
    desktop::load(&to, &pom)?;
    desktop::serve(&to, &pom)?;
    println!("{} has {} bytes, with the library of the test suites", to.display(), jar.len());
    Ok(())
}

/// The POMs of the AAR and of the jar for computers, as the build of Gradle has it, each read back.
///
/// # Errors
/// What is not understood, or the broken rules.
pub(crate) fn poms(root: &Path) -> Result<(Pom, Pom), String> {
    let text = |path: &str| slices::read(&root.join(path)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let build = text(&format!("{ANDROID}/build.gradle.kts"))?;
    let android = Pom::android(&build, &text(crate::android::CATALOGUE)?, env!("CARGO_PKG_VERSION"))?;
    let jvm = android.jvm();
    for pom in [&android, &jvm, &jvm.testing()] {
        slices::told(&pom.check(&pom.write()))?;
    }
    Ok((android, jvm))
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

/// The classes that Maven compiled, without those of tests, and what tells a compiler which functions are in them.
pub(crate) fn classes(built: &Path) -> Tree {
    let mut classes = classes_for_computers(built);
    classes.extend(compiled_classes(built, ANDROID_MODULE));
    classes
}

/// Those of them that a computer can run.
pub(crate) fn classes_for_computers(built: &Path) -> Tree {
    MODULES.iter().flat_map(|module| compiled_classes(built, module)).collect()
}

/// Those, and the server for tests.
pub(crate) fn classes_for_tests(built: &Path) -> Tree {
    let mut classes = classes_for_computers(built);
    classes.extend(compiled_classes(built, TESTING_MODULE));
    classes
}

fn compiled_classes(built: &Path, module: &str) -> impl Iterator<Item = (String, Vec<u8>)> + use<> {
    let belongs = |path: &str| [".class", functions::MODULE].iter().any(|end| path.ends_with(end));
    files(&built.join(module).join("classes")).into_iter().filter(move |(path, _)| belongs(path))
}

/// Every file under a folder, by its path in it.
pub(crate) fn files(folder: &Path) -> Tree {
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

/// Verifies an AAR, a jar for the tests of apps, or a zipped XCFramework that somebody has.
///
/// # Errors
/// The broken rules, a line each.
pub(crate) fn verify(file: &Path) -> Result<(), String> {
    let bytes = slices::read(file)?;
    println!("sha256 {}", zip::sha256(&bytes));
    match file.extension().and_then(std::ffi::OsStr::to_str) {
        Some("aar") => return slices::told(&aar::check(&bytes, BYTES_MAX)),
        Some("jar") => return slices::told(&desktop::check(&bytes)),
        _ => {}
    }
    slices::told(&zip::check(&bytes))?;
    slices::told(&super::xcframework::check(&zip::unpack(&bytes)?))
}
