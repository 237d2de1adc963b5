//! The XCFramework: the library for devices and for simulators, as static frameworks.
//!
//! Static frameworks and not bare libraries with headers: two packages of the latter kind in one app put their module maps
//! in the same folder, and one is lost.

use std::collections::BTreeSet;

use plist::Value;

use super::breach::Breach;
use super::macho::{self, Architecture, Platform};
use super::plist as lists;
use super::zip::Tree;

/// What the generated Swift code imports; UniFFI takes it from `uniffi.toml`.
pub(crate) const MODULE: &str = "TurnstoneFFIHeaders";

/// One library of the XCFramework.
pub(crate) struct Slice {
    /// Its folder, which by custom names what it is for.
    pub(crate) folder: &'static str,
    pub(crate) platform: Platform,
    pub(crate) architectures: &'static [Architecture],
    /// What Rust calls them, in the same order.
    pub(crate) targets: &'static [&'static str],
    /// What a framework's `Info.plist` calls the platform.
    system: &'static str,
}

pub(crate) const SLICES: [Slice; 2] = [
    Slice {
        folder: "ios-arm64",
        platform: Platform::Device,
        architectures: &[Architecture::Arm64],
        targets: &["aarch64-apple-ios"],
        system: "iPhoneOS",
    },
    Slice {
        folder: "ios-arm64_x86_64-simulator",
        platform: Platform::Simulator,
        architectures: &[Architecture::Arm64, Architecture::X86_64],
        targets: &["aarch64-apple-ios-sim", "x86_64-apple-ios"],
        system: "iPhoneSimulator",
    },
];

/// What stands in each of the frameworks alike.
pub(crate) struct Parts {
    pub(crate) header: Vec<u8>,
    pub(crate) privacy: Vec<u8>,
    pub(crate) version: String,
}

/// Puts the libraries, one for each slice, and the rest together.
///
/// # Errors
/// A sentence.
pub(crate) fn assemble(parts: &Parts, libraries: [Vec<u8>; 2]) -> Result<Tree, String> {
    let mut files = Tree::new();
    let root = format!("{MODULE}.xcframework");
    files.insert(format!("{root}/Info.plist"), lists::write(&contents())?);
    for (slice, library) in SLICES.iter().zip(libraries) {
        let framework = format!("{root}/{}/{MODULE}.framework", slice.folder);
        let information = lists::framework(MODULE, &parts.version, slice.system);
        files.insert(format!("{framework}/{MODULE}"), library);
        files.insert(format!("{framework}/Info.plist"), lists::write(&information)?);
        files.insert(format!("{framework}/Headers/{MODULE}.h"), parts.header.clone());
        files.insert(format!("{framework}/Modules/module.modulemap"), module_map().into_bytes());
        files.insert(format!("{framework}/PrivacyInfo.xcprivacy"), parts.privacy.clone());
    }
    Ok(files)
}

fn contents() -> Value {
    let libraries = SLICES.iter().map(|slice| {
        let architectures = lists::list(slice.architectures.iter().map(|architecture| architecture.name()));
        let library = lists::dictionary([
            ("BinaryPath", format!("{MODULE}.framework/{MODULE}").into()),
            ("LibraryIdentifier", slice.folder.into()),
            ("LibraryPath", format!("{MODULE}.framework").into()),
            ("SupportedArchitectures", architectures),
            ("SupportedPlatform", "ios".into()),
        ]);
        let Value::Dictionary(mut library) = library else { return library };
        if slice.platform == Platform::Simulator {
            library.insert("SupportedPlatformVariant".to_owned(), "simulator".into());
        }
        Value::Dictionary(library)
    });
    lists::dictionary([
        ("AvailableLibraries", Value::Array(libraries.collect())),
        ("CFBundlePackageType", "XFWK".into()),
        ("XCFrameworkFormatVersion", "1.0".into()),
    ])
}

fn module_map() -> String {
    format!(
        "framework module {MODULE} {{\n    umbrella header \"{MODULE}.h\"\n    export *\n    module * {{ export * }}\n}}\n"
    )
}

/// Every rule that the files break.
pub(crate) fn check(files: &Tree) -> Vec<Breach> {
    let root = format!("{MODULE}.xcframework");
    let mut breaches = Vec::new();
    let mut expected = BTreeSet::from([format!("{root}/Info.plist")]);
    match files.get(&format!("{root}/Info.plist")).map(|bytes| lists::read(bytes)) {
        Some(Ok(found)) => breaches.extend(contents_breaches(&found)),
        Some(Err(breach)) => breaches.push(breach),
        None => breaches.push(Breach::new("Info.plist lists the libraries", "there is none")),
    }
    for slice in &SLICES {
        let folder = format!("{root}/{}/{MODULE}.framework", slice.folder);
        breaches.extend(slice_breaches(files, slice, &folder).into_iter().map(|breach| breach.inside(slice.folder)));
        let parts = [MODULE, "Info.plist", "PrivacyInfo.xcprivacy", "Modules/module.modulemap"];
        expected.extend(parts.map(|part| format!("{folder}/{part}")));
        expected.insert(format!("{folder}/Headers/{MODULE}.h"));
    }
    let extra = files.keys().filter(|path| !expected.contains(*path));
    breaches.extend(extra.map(|path| Breach::new("nothing that does not belong there", path)));
    breaches
}

fn contents_breaches(found: &plist::Dictionary) -> Vec<Breach> {
    const RULE: &str = "Info.plist lists the libraries";
    let Value::Dictionary(expected) = contents() else { return Vec::new() };
    let mut breaches = Vec::new();
    for key in ["CFBundlePackageType", "XCFrameworkFormatVersion"] {
        if found.get(key) != expected.get(key) {
            breaches.push(Breach::new(RULE, format!("{key} is {:?}", found.get(key))));
        }
    }
    let libraries =
        |of: &plist::Dictionary| of.get("AvailableLibraries").and_then(Value::as_array).cloned().unwrap_or_default();
    let (found, expected) = (libraries(found), libraries(&expected));
    let identifier = |library: &Value| {
        let name = library.as_dictionary().and_then(|library| lists::text(library, "LibraryIdentifier"));
        name.unwrap_or("one without a name").to_owned()
    };
    let missing = expected.iter().filter(|library| !found.contains(library));
    breaches.extend(missing.map(|library| Breach::new(RULE, format!("{} is missing or wrong", identifier(library)))));
    let extra = found.iter().filter(|library| expected.iter().all(|known| identifier(known) != identifier(library)));
    breaches.extend(extra.map(|library| Breach::new(RULE, format!("{} is too many", identifier(library)))));
    breaches
}

fn slice_breaches(files: &Tree, slice: &Slice, folder: &str) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mut file = |name: &str| {
        let found = files.get(&format!("{folder}/{name}"));
        if found.is_none() {
            breaches.push(Breach::new("every part is there", name));
        }
        found.map(Vec::as_slice)
    };
    let header = file(&format!("Headers/{MODULE}.h"));
    let (library, information) = (file(MODULE), file("Info.plist"));
    let (modules, privacy) = (file("Modules/module.modulemap"), file("PrivacyInfo.xcprivacy"));

    let contents = library.map(|library| {
        let (contents, found) = macho::check(library, slice.platform);
        breaches.extend(found);
        let wanted = BTreeSet::from_iter(slice.architectures.iter().copied());
        if contents.architectures != wanted {
            breaches.push(Breach::new("the architectures it names", format!("{:?}", contents.architectures)));
        }
        contents
    });
    if let Some(information) = information {
        breaches.extend(lists::check_framework(information, MODULE, slice.system));
    }
    if let Some(modules) = modules
        && !is_framework_module(&String::from_utf8_lossy(modules))
    {
        breaches.push(Breach::new("module.modulemap is a framework module", "it does not begin so"));
    }
    if let (Some(header), Some(contents)) = (header, &contents) {
        let promised = functions(&String::from_utf8_lossy(header));
        let missing = promised.iter().filter(|name| !contents.defined.contains(*name));
        breaches.extend(missing.map(|name| Breach::new("every function of the header is there", name)));
        if promised.is_empty() {
            breaches.push(Breach::new("every function of the header is there", "it declares none"));
        }
    }
    if let (Some(privacy), Some(contents)) = (privacy, &contents) {
        breaches.extend(lists::check_privacy(privacy, &contents.wanted));
    }
    breaches
}

fn is_framework_module(map: &str) -> bool {
    let header = format!("header \"{MODULE}.h\"");
    map.trim_start().starts_with(&format!("framework module {MODULE} ")) && map.contains(&header)
}

/// The functions that a header of UniFFI declares.
pub(crate) fn functions(header: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let before_brackets = header.match_indices('(').filter_map(|(at, _)| {
        let before = header.get(..at)?;
        let name = before.rsplit(|letter| !is_part(letter)).next()?;
        // A type of a callback stands in brackets of its own, a macro begins its line.
        (name.starts_with("uniffi_") || name.starts_with("ffi_")).then(|| name.to_owned())
    });
    before_brackets.collect()
}

#[cfg(test)]
mod tests;
