//! The libraries for iOS, built and read on Linux.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::breach::Breach;
use super::cross::{Cross, Effort};
use super::macho::{self, Platform};
use super::swift_package;
use super::xcframework::{self, MODULE, Parts, SLICES};
use super::zip::{self, Tree};
use crate::build;
use crate::launch;

/// What stands beside the library, by the folder of the workspace.
const PRIVACY: &str = "bindings/swift/Framework/PrivacyInfo.xcprivacy";

/// The folder of the Swift package, beside the zipped XCFramework.
pub(crate) const PACKAGE: &str = "Turnstone-swift";

/// Builds the library for devices as fast as can be and reads it: platform, system, functions, privacy.
///
/// # Errors
/// What is missing or broken, a line each.
pub(crate) fn device(root: &Path, cross: &Cross) -> Result<(), String> {
    let library = cross.build_ios("aarch64-apple-ios", Effort::Compiles)?;
    let header = header(root, &library)?;
    let (contents, mut breaches) = macho::check(&read(&library)?, Platform::Device);
    let missing = xcframework::functions(&header);
    if missing.is_empty() {
        breaches.push(Breach::new("every function of the header is there", "it declares none"));
    }
    let missing = missing.iter().filter(|name| !contents.defined.contains(*name));
    breaches.extend(missing.map(|name| Breach::new("every function of the header is there", name)));
    breaches.extend(super::plist::check_privacy(&read(&root.join(PRIVACY))?, &contents.wanted));
    told(&breaches)
}

/// Where the library of each target was built.
pub(crate) type Built = Vec<(&'static str, PathBuf)>;

/// Builds the library for every target of iOS as it would be shipped.
///
/// # Errors
/// Where one does not compile.
pub(crate) fn build_all(cross: &Cross) -> Result<Built, String> {
    let targets = SLICES.iter().flat_map(|slice| slice.targets);
    targets.map(|target| Ok((*target, cross.build_ios(target, Effort::Ship)?))).collect()
}

/// Puts the libraries into an XCFramework, verifies it, packs it twice, and writes it to `to`, the Swift package over it beside.
///
/// # Errors
/// What is missing or broken, a line each.
pub(crate) fn package(root: &Path, built: &Built, to: &Path) -> Result<Packed, String> {
    let libraries = SLICES.each_ref().map(|slice| slice_library(slice.targets, built));
    let [device, simulator] = libraries;
    let (_, first) = built.first().ok_or("nothing was built")?;
    let parts = Parts {
        header: header(root, first)?.into_bytes(),
        privacy: read(&root.join(PRIVACY))?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let files = xcframework::assemble(&parts, [device?, simulator?])?;
    told(&xcframework::check(&files))?;
    let zip = zip::pack(&files)?;
    told(&zip::check(&zip))?;
    if zip::pack(&files)? != zip || zip::unpack(&zip)? != files {
        return Err("packing the same files again gives another zip".to_owned());
    }
    std::fs::write(to, &zip).map_err(|error| format!("{}: {error}", to.display()))?;
    let generated = read(&first.with_file_name("swift").join("TurnstoneFFI.swift"))?;
    let package = swift_package::assemble(&swift_package::sources(root), generated, &files);
    swift_package::write(root, &package, &to.with_file_name(PACKAGE))?;
    Ok(Packed { sha256: zip::sha256(&zip), bytes: zip.len(), files })
}

/// An XCFramework that was verified and written.
pub(crate) struct Packed {
    pub(crate) sha256: String,
    pub(crate) bytes: usize,
    pub(crate) files: Tree,
}

fn slice_library(targets: &[&str], built: &Built) -> Result<Vec<u8>, String> {
    let of = |target: &str| {
        let found = built.iter().find(|(name, _)| *name == target);
        found.map(|(_, path)| path.clone()).ok_or_else(|| format!("no library for {target}"))
    };
    let libraries: Vec<PathBuf> = targets.iter().map(|target| of(target)).collect::<Result<_, _>>()?;
    let [first, rest @ ..] = libraries.as_slice() else { return Err("a slice without a target".to_owned()) };
    if rest.is_empty() {
        return read(first);
    }
    let joined = first.with_file_name("joined.a");
    let mut lipo = Command::new(if cfg!(target_os = "macos") { "lipo" } else { "llvm-lipo-19" });
    lipo.arg("-create").args(&libraries).arg("-output").arg(&joined);
    match launch::run_shown(&mut lipo) {
        Ok(true) => read(&joined),
        _ => Err("the libraries of the simulator could not be joined".to_owned()),
    }
}

/// The header that goes with a library, written from what the library itself says.
///
/// # Errors
/// A sentence.
pub(crate) fn header(root: &Path, library: &Path) -> Result<String, String> {
    let to = library.with_file_name("swift");
    let mut bindgen = build::cargo(root);
    bindgen.args(["run", "--quiet", "--locked", "--profile", "ci", "--package", "turnstone-bindgen", "--", "swift"]);
    bindgen.arg(library).arg(&to);
    match launch::run_shown(&mut bindgen) {
        Ok(true) => {
            let header = read(&to.join(format!("{MODULE}.h")))?;
            String::from_utf8(header).map_err(|error| error.to_string())
        }
        _ => Err("the header could not be written: see above".to_owned()),
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// # Errors
/// The breaches, a line each.
pub(crate) fn told(breaches: &[Breach]) -> Result<(), String> {
    if breaches.is_empty() {
        return Ok(());
    }
    Err(breaches.iter().map(Breach::to_string).collect::<Vec<_>>().join("\n"))
}
