//! What an app adds in Xcode: the Swift sources of this repository as a package over the XCFramework, in place of the
//! library that the tests on Linux link.
//!
//! Only a Mac builds it. Its manifest is read by SwiftPM on Linux too, and compared with what lies in the folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::breach::Breach;
use super::xcframework::MODULE;
use super::zip::Tree;
use crate::{launch, swift};

const SOURCES: &str = "bindings/swift/Sources";
/// The targets of the package that an app may import, and the code that UniFFI wrote below them.
const PRODUCTS: [&str; 2] = ["Turnstone", "TurnstoneHost"];
const GENERATED: &str = "TurnstoneFFI";

const MANIFEST: &str = r#"// swift-tools-version: 6.0
// Turnstone for apps. Written by `make xcframework`.

import PackageDescription

let package = Package(
    name: "Turnstone",
    platforms: [.iOS(.v16)],
    products: [
        .library(name: "Turnstone", targets: ["Turnstone"]),
        .library(name: "TurnstoneHost", targets: ["TurnstoneHost"]),
    ],
    targets: [
        // To take it from a server instead: `url:` and `checksum:`, the sha256 that `make xcframework` printed.
        .binaryTarget(name: "TurnstoneFFIHeaders", path: "TurnstoneFFIHeaders.xcframework"),
        // UniFFI's async protocols do not compile in Swift 6 mode.
        .target(name: "TurnstoneFFI", dependencies: ["TurnstoneFFIHeaders"], swiftSettings: [.swiftLanguageMode(.v5)]),
        .target(name: "Turnstone", dependencies: ["TurnstoneFFI"]),
        .target(name: "TurnstoneHost", dependencies: ["Turnstone"], resources: [.copy("PrivacyInfo.xcprivacy")]),
    ],
    swiftLanguageModes: [.v6]
)
"#;

/// The files of the package: the manifest, the sources, what UniFFI wrote, the XCFramework.
pub(crate) fn assemble(sources: &Tree, generated: Vec<u8>, xcframework: &Tree) -> Tree {
    let mut files = xcframework.clone();
    files.insert("Package.swift".to_owned(), MANIFEST.as_bytes().to_vec());
    files.insert(format!("Sources/{GENERATED}/{GENERATED}.swift"), generated);
    let ours = |path: &str| PRODUCTS.iter().any(|target| path.starts_with(&format!("{target}/")));
    let sources = sources.iter().filter(|(path, _)| ours(path));
    files.extend(sources.map(|(path, content)| (format!("Sources/{path}"), content.clone())));
    files
}

/// The sources that go into it, by their path.
pub(crate) fn sources(root: &Path) -> Tree {
    super::packages::files(&root.join(SOURCES))
}

/// Writes the files into a new folder, has SwiftPM read the manifest, and compares.
///
/// # Errors
/// The broken rules, or that there is no Swift.
pub(crate) fn write(root: &Path, files: &Tree, folder: &Path) -> Result<(), String> {
    let _ = std::fs::remove_dir_all(folder);
    for (path, content) in files {
        let to = folder.join(path);
        let parent = to.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&to, content))
            .map_err(|error| format!("{path}: {error}"))?;
    }
    super::slices::told(&check(&read_by_swift(root, folder)?, files))
}

/// The manifest as SwiftPM understands it.
fn read_by_swift(root: &Path, folder: &Path) -> Result<Value, String> {
    let script =
        format!("cd '{}' && swift package --scratch-path /tmp/turnstone-package dump-package", folder.display());
    let finished = launch::run(&mut swift::toolchain()?.command(root, &script), crate::bindings::LIMIT);
    let output = finished.map_err(|error| format!("swift: {error}"))?.output;
    // SwiftPM may warn before it prints.
    let json = output.find('{').and_then(|at| output.get(at..)).unwrap_or_default();
    serde_json::from_str(json).map_err(|_| format!("SwiftPM does not read Package.swift: {output}"))
}

/// Every rule that the package breaks, its manifest as SwiftPM understands it.
pub(crate) fn check(manifest: &Value, files: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let list = |of: &Value, key: &str| of.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let products: BTreeSet<String> = list(manifest, "products").iter().map(|product| text(product, "name")).collect();
    if products != PRODUCTS.map(str::to_owned).into() {
        breaches.push(Breach::new("products that an app imports", format!("{products:?}")));
    }
    if !list(manifest, "dependencies").is_empty() {
        breaches.push(Breach::new("no packages of others", "it has dependencies"));
    }
    let targets = list(manifest, "targets");
    let names: BTreeSet<String> = targets.iter().map(|target| text(target, "name")).collect();
    let binaries: Vec<_> = targets.iter().filter(|target| text(target, "type") == "binary").collect();
    match binaries.as_slice() {
        [binary] if text(binary, "name") == MODULE => {
            let path = text(binary, "path");
            if !files.contains_key(&format!("{path}/Info.plist")) {
                breaches.push(Breach::new("the XCFramework where the manifest says", path));
            }
        }
        _ => {
            breaches.push(Breach::new("one binary target, by the name that is imported", format!("{}", binaries.len())))
        }
    }
    for target in &targets {
        let name = text(target, "name");
        let unsafe_flags = list(target, "settings").iter().any(|setting| setting.to_string().contains("unsafeFlags"));
        if unsafe_flags {
            breaches.push(Breach::new("no flags that SwiftPM refuses in a dependency", &name));
        }
        let folder = format!("Sources/{name}/");
        let is_source = |path: &&String| path.starts_with(&folder) && path.ends_with(".swift");
        if text(target, "type") == "regular" && files.keys().find(is_source).is_none() {
            breaches.push(Breach::new("sources of every target", &name));
        }
        for needed in list(target, "dependencies") {
            let needed = needed.pointer("/byName/0").and_then(Value::as_str).unwrap_or_default().to_owned();
            if !names.contains(&needed) {
                breaches.push(Breach::new("every dependency is a target", format!("{name} needs {needed:?}")));
            }
        }
        for resource in list(target, "resources") {
            let path = format!("{folder}{}", text(&resource, "path"));
            if !files.contains_key(&path) {
                breaches.push(Breach::new("every resource is there", path));
            }
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::breach::rules;
    use super::*;

    /// As SwiftPM 6.0 prints it, in part.
    fn manifest() -> Value {
        let target = |name: &str, needed: &str| {
            json!({ "name": name, "type": "regular", "settings": [], "resources": [],
            "dependencies": [{ "byName": [needed, null] }] })
        };
        let mut host = target("TurnstoneHost", "Turnstone");
        host["resources"] = json!([{ "path": "PrivacyInfo.xcprivacy", "rule": { "copy": {} } }]);
        json!({
            "name": "Turnstone", "dependencies": [],
            "products": [{ "name": "Turnstone" }, { "name": "TurnstoneHost" }],
            "targets": [
                { "name": MODULE, "type": "binary", "path": "TurnstoneFFIHeaders.xcframework", "dependencies": [] },
                target(GENERATED, MODULE), target("Turnstone", GENERATED), host,
            ],
        })
    }

    fn files() -> Tree {
        let file = |path: &str| (path.to_owned(), b"x".to_vec());
        let sources = [
            "Turnstone/Store.swift",
            "TurnstoneHost/Host.swift",
            "TurnstoneHost/PrivacyInfo.xcprivacy",
            "TurnstoneTesting/Kit.swift",
        ];
        let framework = [file("TurnstoneFFIHeaders.xcframework/Info.plist")].into();
        assemble(&sources.map(file).into(), b"generated".to_vec(), &framework)
    }

    #[test]
    fn what_is_assembled_fits_its_manifest_and_has_nothing_for_tests() {
        let files = files();
        assert_eq!(check(&manifest(), &files), []);
        assert!(files.contains_key("Sources/Turnstone/Store.swift") && files.contains_key("Package.swift"));
        assert!(!files.keys().any(|path| path.contains("Testing")), "{:?}", files.keys());
    }

    #[test]
    fn each_rule_turns_red_by_itself() {
        let without = |path: &str| {
            let mut files = files();
            assert!(files.remove(path).is_some());
            rules(&check(&manifest(), &files))
        };
        assert_eq!(without("TurnstoneFFIHeaders.xcframework/Info.plist"), ["the XCFramework where the manifest says"]);
        assert_eq!(without("Sources/TurnstoneFFI/TurnstoneFFI.swift"), ["sources of every target"]);
        assert_eq!(without("Sources/TurnstoneHost/PrivacyInfo.xcprivacy"), ["every resource is there"]);
        let with = |place: &str, value: Value| {
            let mut manifest = manifest();
            *manifest.pointer_mut(place).unwrap() = value;
            rules(&check(&manifest, &files()))
        };
        assert_eq!(with("/products/1", json!({ "name": "TurnstoneTesting" })), ["products that an app imports"]);
        assert_eq!(with("/dependencies", json!([{ "sourceControl": [] }])), ["no packages of others"]);
        assert_eq!(with("/targets/0/type", json!("system")), ["one binary target, by the name that is imported"]);
        assert_eq!(with("/targets/2/dependencies/0/byName/0", json!("Missing")), ["every dependency is a target"]);
        let flags = json!([{ "kind": { "unsafeFlags": { "_0": ["-Ounchecked"] } }, "tool": "swift" }]);
        assert_eq!(with("/targets/2/settings", flags), ["no flags that SwiftPM refuses in a dependency"]);
    }
}
