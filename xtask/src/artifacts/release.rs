//! Building what apps get. Each needs the tools of a phone's maker, and says in a sentence which are missing.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::aar;
use super::desktop;
use super::elf::{Abi, PAGE, SONAME};
use super::packages;
use super::pom::Pom;
use super::slices;
use super::xcframework::SLICES;
use super::zip::Tree;
use crate::bindings::Places;
use crate::build;
use crate::launch;

/// Where `make aar` builds, under the folder of cargo, and in it the libraries and the code over them: Gradle takes both from here.
pub(crate) const ANDROID: &str = "android";
pub(crate) const LIBRARIES: &str = "jni";
pub(crate) const CODE: &str = "kotlin";

/// What `make aar` needs and does not find.
///
/// # Errors
/// The sentence.
fn android_tools(has: &dyn Fn(&str) -> bool, ndk: Option<&str>) -> Result<(), String> {
    let missing = match (has("cargo-ndk"), ndk, has("mvn")) {
        (true, Some(_), true) => return Ok(()),
        (false, ..) => "cargo-ndk (`cargo install cargo-ndk`)",
        (_, None, _) => {
            "the Android NDK r28 or newer (Android Studio's SDK manager installs it) with ANDROID_NDK_HOME set to it"
        }
        _ => "Maven (`apt-get install maven` or `brew install maven`)",
    };
    Err(format!("make aar needs {missing}; make aar-check checks everything but the native libraries without it"))
}

/// What `make xcframework` needs and does not find.
///
/// # Errors
/// The sentence.
fn apple_tools(has: &dyn Fn(&str) -> bool) -> Result<(), String> {
    if has("xcodebuild") {
        return Ok(());
    }
    Err("make xcframework needs macOS with Xcode 16 or newer (the App Store installs it); \
         make xcframework-check builds and checks a proof of it on Linux"
        .to_owned())
}

fn has(program: &str) -> bool {
    let argument = if program == "xcodebuild" { "-version" } else { "--version" };
    launch::exists(program, &[argument])
}

/// Builds the AAR: libraries by cargo-ndk, Kotlin from what they say of themselves, one file of it all, verified.
///
/// # Errors
/// A sentence, or the broken rules.
pub(crate) fn build_aar(root: &Path) -> Result<(), String> {
    let ndk = std::env::var("ANDROID_NDK_HOME").ok();
    android_tools(&has, ndk.as_deref())?;
    let built = Places::new(root).built.with_file_name(ANDROID);
    let jni = built.join(LIBRARIES);
    let mut cargo = build::cargo(root);
    cargo.arg("ndk").args(Abi::ALL.iter().flat_map(|abi| ["--target", abi.folder()]));
    cargo.args(["--platform", &aar::OLDEST_ANDROID.to_string(), "--output-dir"]).arg(&jni);
    // Stripped below: what the library says of itself must be read first.
    cargo.args([
        "build",
        "--locked",
        "--package",
        "turnstone-ffi",
        "--profile",
        "ship",
        // OkHttp carries its requests (`OkHttpTransport`): rustls would need the JVM and a Context before its first handshake.
        "--no-default-features",
        "--config",
        "profile.ship.strip=false",
    ]);
    // Packed, relocations take a seventh; Android reads them so from API 23 on.
    let linker = [&format!("-z,max-page-size={PAGE}"), &format!("-soname,{SONAME}"), "--pack-dyn-relocs=android"];
    let flags = linker.map(|argument| format!("-Clink-arg=-Wl,{argument}")).join(" ");
    step(cargo.env("RUSTFLAGS", flags), "cargo ndk")?;

    let library = |abi: Abi| jni.join(abi.folder()).join(SONAME);
    compile_kotlin(root, &library(Abi::Arm64V8a), &built, "android")?;

    let strip = strip_of_ndk(Path::new(&ndk.unwrap_or_default()))?;
    let mut libraries = Vec::new();
    for abi in Abi::ALL {
        step(Command::new(&strip).arg("--strip-all").arg(library(abi)), "llvm-strip")?;
        libraries.push((abi, slices::read(&library(abi))?));
    }
    let parts = packages::parts(root, packages::classes(&built.join("kotlin-build")), libraries)?;
    let aar = aar::assemble(&parts)?;
    slices::told(&aar::check(&aar, packages::BYTES_MAX))?;
    let (pom, _) = packages::poms(root)?;
    publish(&built, &pom, &aar)
}

/// Builds the two jars for the tests of apps, one of them with a server: verified, loaded and tried.
///
/// # Errors
/// A sentence, or the broken rules.
pub(crate) fn build_jar(root: &Path) -> Result<(), String> {
    if !has("mvn") {
        return Err("make jar needs Maven (`apt-get install maven` or `brew install maven`)".to_owned());
    }
    let (_, pom) = packages::poms(root)?;
    let jar = jar(root, &pom, &[], "turnstone,host", packages::classes_for_computers)?;
    desktop::load(&jar, &pom)?;
    let pom = pom.testing();
    let jar = self::jar(root, &pom, &["--features", "testing"], "turnstone,host,testing", packages::classes_for_tests)?;
    desktop::serve(&jar, &pom)
}

/// One of them: the library for this machine, Kotlin from what it says of itself, one file of both.
fn jar(
    root: &Path,
    pom: &Pom,
    features: &[&str],
    modules: &str,
    classes: fn(&Path) -> Tree,
) -> Result<PathBuf, String> {
    let places = Places::new(root);
    let built = places.built.with_file_name(pom.artifact);
    let mut cargo = build::cargo(root);
    cargo.args(["build", "--locked", "--package", "turnstone-ffi", "--profile", "ship"]).args(features);
    // Stripped below: what the library says of itself must be read first.
    step(cargo.env("CARGO_PROFILE_SHIP_STRIP", "none"), "cargo build")?;
    let library = places.cargo.with_file_name("ship").join(desktop::library_here()?);
    compile_kotlin(root, &library, &built, modules)?;

    let stripped = built.join(desktop::library_here()?);
    std::fs::copy(&library, &stripped).map_err(|error| format!("{}: {error}", library.display()))?;
    // `-x` keeps what is exported, on Linux and on macOS.
    step(Command::new("strip").arg("-x").arg(&stripped), "strip")?;
    let jar = desktop::assemble(classes(&built.join("kotlin-build")), slices::read(&stripped)?)?;
    slices::told(&desktop::check(&jar))?;
    publish(&built, pom, &jar)?;
    Ok(built.join(pom.file(pom.packaging)))
}

/// Writes the code over a library and compiles these modules of it.
fn compile_kotlin(root: &Path, library: &Path, built: &Path, modules: &str) -> Result<(), String> {
    let mut bindgen = build::cargo(root);
    bindgen.args(["run", "--quiet", "--locked", "--profile", "ci", "--package", "turnstone-bindgen", "--", "kotlin"]);
    step(bindgen.arg(library).arg(built.join(CODE)), "turnstone-bindgen")?;
    let mut maven = Command::new("mvn");
    maven.current_dir(root.join("bindings/kotlin")).args(["-B", "-q", "-ntp", "-am", "-pl", modules, "compile"]);
    step(maven.arg(format!("-Dturnstone.built={}", built.display())), "mvn compile")
}

/// Writes a library and its POM as a repository of Maven names them.
fn publish(folder: &Path, pom: &Pom, library: &[u8]) -> Result<(), String> {
    for (extension, content) in [(pom.packaging, library), ("pom", pom.write().as_bytes())] {
        let to = folder.join(pom.file(extension));
        std::fs::write(&to, content).map_err(|error| format!("{}: {error}", to.display()))?;
        println!("{}: {} bytes, sha256 {}", to.display(), content.len(), super::zip::sha256(content));
    }
    Ok(())
}

fn strip_of_ndk(ndk: &Path) -> Result<PathBuf, String> {
    let hosts = std::fs::read_dir(ndk.join("toolchains/llvm/prebuilt"))
        .map_err(|error| format!("ANDROID_NDK_HOME: {error}"))?;
    let mut strips = hosts.flatten().map(|host| host.path().join("bin/llvm-strip"));
    strips.find(|strip| strip.is_file()).ok_or_else(|| "the NDK has no llvm-strip".to_owned())
}

/// Builds the XCFramework with Xcode's tools, verified.
///
/// # Errors
/// A sentence, or the broken rules.
pub(crate) fn build_xcframework(root: &Path) -> Result<(), String> {
    apple_tools(&has)?;
    let target_folder = Places::new(root).built.with_file_name("apple");
    let mut built = slices::Built::new();
    for target in SLICES.iter().flat_map(|slice| slice.targets) {
        let mut cargo = build::cargo(root);
        cargo.args([
            "rustc",
            "--locked",
            "--package",
            "turnstone-ffi",
            "--crate-type",
            "staticlib",
            "--profile",
            "ship",
        ]);
        cargo.args(["--no-default-features", "--target", target]).env("CARGO_TARGET_DIR", &target_folder);
        // With link-time optimisation, members would hold bitcode that other linkers refuse.
        cargo.env("CARGO_PROFILE_SHIP_LTO", "off").env("CARGO_PROFILE_SHIP_STRIP", "none");
        step(cargo.env("IPHONEOS_DEPLOYMENT_TARGET", super::macho::OLDEST_IOS), target)?;
        built.push((target, target_folder.join(target).join("ship/libturnstone_ffi.a")));
    }
    let to = target_folder.join("TurnstoneFFIHeaders.xcframework.zip");
    let packed = slices::package(root, &built, &to)?;
    println!("{}: {} bytes; checksum for Package.swift: {}", to.display(), packed.bytes, packed.sha256);
    Ok(())
}

fn step(command: &mut Command, name: &str) -> Result<(), String> {
    match launch::run_shown(command) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("{name} failed, see above")),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_in_a_sentence_that_says_what_to_install() {
        let everything = |_: &str| true;
        assert_eq!(android_tools(&everything, Some("/ndk")), Ok(()));
        let no_ndk = android_tools(&everything, None).unwrap_err();
        assert!(no_ndk.contains("NDK r28") && no_ndk.contains("ANDROID_NDK_HOME"), "{no_ndk}");
        for (program, install) in [("cargo-ndk", "cargo install cargo-ndk"), ("mvn", "apt-get install maven")] {
            let missing = android_tools(&|name| name != program, Some("/ndk")).unwrap_err();
            assert!(missing.contains(install), "{missing}");
            assert_eq!(missing.lines().count(), 1);
        }
        assert_eq!(apple_tools(&everything), Ok(()));
        let no_xcode = apple_tools(&|_| false).unwrap_err();
        assert!(no_xcode.contains("Xcode") && no_xcode.contains("xcframework-check"), "{no_xcode}");
        assert_eq!(no_xcode.lines().count(), 1);
    }
}
