//! The AAR: everything that Android needs of Turnstone in one file.

use std::collections::BTreeSet;

use super::breach::Breach;
use super::elf::{self, Abi, SONAME};
use super::functions;
use super::zip::{self, Tree};

/// The oldest Android that is supported.
pub(crate) const OLDEST_ANDROID: u32 = 24;
/// What an app must be compiled against, at least.
const COMPILE_SDK: u32 = 35;
const PACKAGE: &str = "dev.turnstone.android";
const METADATA: &str = "META-INF/com/android/build/gradle/aar-metadata.properties";
/// A class of each layer: what an app sees, and what calls the library.
pub(crate) const CLASSES: [&str; 2] = ["dev/turnstone/Turnstone.class", "dev/turnstone/internal/UniffiLib.class"];
/// What only the AAR has: what an app calls first, and what WorkManager runs.
const CLASSES_OF_ANDROID: [&str; 2] =
    ["dev/turnstone/android/InitAndroidKt.class", "dev/turnstone/android/TurnstoneWorker.class"];
const LAYERS: &str = "the classes of every layer";
/// JNA finds these by name; R8 would rename or drop them.
const KEPT: [&str; 6] = [
    "-keep class com.sun.jna.** { *; }",
    "-keep class * extends com.sun.jna.** { *; }",
    "-keep class * implements com.sun.jna.** { *; }",
    "-keep class dev.turnstone.internal.** { *; }",
    "-keepattributes RuntimeVisibleAnnotations,Signature",
    "-dontwarn java.awt.**",
];

/// How classes name those of androidx, and what none of the real ones is sure to have.
const ANDROIDX: &str = "androidx/";
const OF_KOTLIN_ALONE: [&str; 2] = ["$Companion", "$DefaultImpls"];
const REAL_ANDROIDX: &str = "nothing that only a stand-in for androidx has";

/// The rule that classes of the test suite break.
pub(crate) const NO_HOOKS: &str = "no hooks for tests";
/// A function of the library that only the test suites have.
pub(crate) const HOOK: &[u8] = b"plant_panic";

/// What an AAR is made of.
pub(crate) struct Parts {
    /// The manifest as it stands in the sources.
    pub(crate) manifest: String,
    /// The compiled classes by their path, without tests.
    pub(crate) classes: Tree,
    /// Rules for R8 in the app.
    pub(crate) rules: String,
    /// Resources by their path under `res`.
    pub(crate) resources: Tree,
    /// One library for each ABI.
    pub(crate) libraries: Vec<(Abi, Vec<u8>)>,
}

/// Puts the parts together.
///
/// # Errors
/// A sentence.
pub(crate) fn assemble(parts: &Parts) -> Result<Vec<u8>, String> {
    let mut files = Tree::new();
    files.insert("AndroidManifest.xml".to_owned(), manifest(&parts.manifest)?.into_bytes());
    files.insert("classes.jar".to_owned(), zip::pack(&parts.classes)?);
    files.insert("R.txt".to_owned(), resource_names(&parts.resources).into_bytes());
    files.insert("proguard.txt".to_owned(), parts.rules.clone().into_bytes());
    files.insert(METADATA.to_owned(), metadata().into_bytes());
    files.extend(parts.resources.iter().map(|(path, content)| (format!("res/{path}"), content.clone())));
    let libraries = parts.libraries.iter();
    files.extend(libraries.map(|(abi, library)| (library_path(*abi), library.clone())));
    zip::pack(&files)
}

fn library_path(abi: Abi) -> String {
    format!("jni/{}/{SONAME}", abi.folder())
}

/// In the sources the build names package and oldest system; in an AAR they stand in the manifest.
fn manifest(source: &str) -> Result<String, String> {
    let (before, after) = source.split_once("<manifest ").ok_or("AndroidManifest.xml has no <manifest …>")?;
    let (attributes, content) = after.split_once('>').ok_or("AndroidManifest.xml does not end its <manifest …>")?;
    Ok(format!(
        "{before}<manifest package=\"{PACKAGE}\" {attributes}>\n    <uses-sdk android:minSdkVersion=\"{OLDEST_ANDROID}\" />{content}"
    ))
}

fn metadata() -> String {
    format!(
        "aarFormatVersion=1.0\naarMetadataVersion=1.0\ncoreLibraryDesugaringEnabled=false\nminAndroidGradlePluginVersion=1.0.0\n\
         minCompileSdk={COMPILE_SDK}\nminCompileSdkExtension=0\n"
    )
}

fn resource_names(resources: &Tree) -> String {
    let line = |path: &String| {
        let (folder, file) = path.split_once('/')?;
        let kind = folder.split('-').next()?;
        Some(format!("int {kind} {} 0x0\n", file.split('.').next()?))
    };
    resources.keys().filter_map(line).collect()
}

/// Every rule that the AAR breaks.
pub(crate) fn check(aar: &[u8], library_bytes_max: u64) -> Vec<Breach> {
    let mut breaches = zip::check(aar);
    let files = match zip::unpack(aar) {
        Ok(files) => files,
        Err(_) => return breaches,
    };
    let mut expected =
        BTreeSet::from(["AndroidManifest.xml", "classes.jar", "R.txt", "proguard.txt", METADATA].map(str::to_owned));
    expected.extend(Abi::ALL.map(library_path));
    let missing = expected.iter().filter(|path| !files.contains_key(*path));
    breaches.extend(missing.map(|path| Breach::new("every part is there", path)));
    let extra = files.keys().filter(|path| !expected.contains(*path) && !path.starts_with("res/"));
    breaches.extend(extra.map(|path| Breach::new("nothing that does not belong there", path)));

    let text = |path: &str| files.get(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    if let Some(manifest) = text("AndroidManifest.xml") {
        let sdk = format!("android:minSdkVersion=\"{OLDEST_ANDROID}\"");
        let parts = [&format!("package=\"{PACKAGE}\""), &sdk, "android.permission.INTERNET"];
        breaches.extend(absent(&manifest, "manifest names package, oldest system, permissions", &parts));
    }
    if let Some(found) = text(METADATA) {
        let lines: Vec<_> = metadata().lines().map(str::to_owned).collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        breaches.extend(absent(&found, "metadata for the Gradle plugin", &lines));
    }
    if let Some(rules) = text("proguard.txt") {
        breaches.extend(absent(&rules, "R8 keeps what is found by name", &KEPT));
    }
    if let Some(jar) = files.get("classes.jar") {
        let classes = zip::unpack(jar).unwrap_or_default();
        let missing = CLASSES_OF_ANDROID.iter().filter(|class| !classes.contains_key(**class));
        let missing = missing.map(|class| Breach::new(LAYERS, format!("{class} is missing")));
        let found = zip::check(jar).into_iter().chain(missing).chain(class_breaches(&classes));
        let found = found.chain(calls_of_stand_ins(&classes));
        breaches.extend(found.map(|breach| breach.inside("classes.jar")));
    }
    for abi in Abi::ALL {
        if let Some(library) = files.get(&library_path(abi)) {
            let found = elf::check(library, abi, library_bytes_max);
            breaches.extend(found.into_iter().map(|breach| breach.inside(abi.folder())));
        }
    }
    breaches
}

/// Calls that the stand-ins for androidx answer and the real classes need not: their functions without an object are `static`,
/// and `Companion` is only how a stand-in in Kotlin would have them. The same holds of what Kotlin puts beside an interface.
fn calls_of_stand_ins(classes: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, class) in classes.iter().filter(|(path, _)| path.ends_with(".class")) {
        let text: String = class.iter().map(|byte| char::from(*byte)).collect();
        let names = text.match_indices(ANDROIDX).filter_map(|(at, _)| text.get(at..)).filter_map(|rest| {
            let is_name = |part: char| part.is_ascii_alphanumeric() || "/_$".contains(part);
            rest.split(|part| !is_name(part)).next()
        });
        let ours = names.filter(|name| OF_KOTLIN_ALONE.iter().any(|part| name.contains(part)));
        let ours: BTreeSet<_> = ours.collect();
        breaches.extend(ours.iter().map(|name| Breach::new(REAL_ANDROIDX, format!("{path} refers to {name}"))));
    }
    breaches
}

fn absent(text: &str, rule: &'static str, wanted: &[&str]) -> Vec<Breach> {
    let missing = wanted.iter().filter(|part| !text.contains(*part));
    missing.map(|part| Breach::new(rule, format!("{part:?} is missing"))).collect()
}

/// What is wrong with the classes of a jar.
pub(crate) fn class_breaches(classes: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let missing = CLASSES.iter().filter(|class| !classes.contains_key(**class));
    breaches.extend(missing.map(|class| Breach::new(LAYERS, format!("{class} is missing"))));
    breaches.extend(functions::breaches(classes));
    let foreign = |path: &&String| !path.starts_with("dev/turnstone/") && !path.starts_with("META-INF/");
    breaches.extend(classes.keys().filter(foreign).map(|path| Breach::new("no classes of others", path)));
    let tests = classes.keys().filter(|path| path.ends_with("Test.class"));
    breaches.extend(tests.map(|path| Breach::new("no tests", path)));
    for (path, class) in classes.iter().filter(|(path, _)| path.ends_with(".class")) {
        if !class.starts_with(b"\xca\xfe\xba\xbe") {
            breaches.push(Breach::new("every class is a class file", path));
        }
        if class.windows(HOOK.len()).any(|bytes| bytes == HOOK) {
            breaches.push(Breach::new(NO_HOOKS, path));
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::super::breach::rules;
    use super::super::stand_in::Library;
    use super::*;

    const MAX: u64 = 200_000;

    fn parts() -> Parts {
        let class = |path: &str| (path.to_owned(), b"\xca\xfe\xba\xbe\0\0\0\x3d".to_vec());
        Parts {
            manifest:
                "<?xml version=\"1.0\"?>\n<manifest xmlns:android=\"http://schemas.android.com/apk/res/android\">\n    \
                <uses-permission android:name=\"android.permission.INTERNET\" />\n</manifest>\n"
                    .to_owned(),
            classes: CLASSES
                .into_iter()
                .chain(CLASSES_OF_ANDROID)
                .map(class)
                .chain([functions::module(CLASSES_OF_ANDROID[0])])
                .collect(),
            rules: KEPT.join("\n"),
            resources: [("xml-v31/backup_rules.xml".to_owned(), b"<x/>".to_vec())].into(),
            libraries: Abi::ALL.map(|abi| (abi, Library::good(abi).write().unwrap())).into(),
        }
    }

    fn broken(change: impl FnOnce(&mut Parts)) -> Vec<&'static str> {
        let mut parts = parts();
        change(&mut parts);
        rules(&check(&assemble(&parts).unwrap(), MAX))
    }

    #[test]
    fn what_is_assembled_passes_and_is_the_same_each_time() {
        let aar = assemble(&parts()).unwrap();
        assert_eq!(check(&aar, MAX), []);
        assert_eq!(assemble(&parts()).unwrap(), aar);
        assert_eq!(zip::unpack(&aar).unwrap()["R.txt"], b"int xml backup_rules 0x0\n");
    }

    #[test]
    fn each_part_is_asked_for() {
        let files = zip::unpack(&assemble(&parts()).unwrap()).unwrap();
        for path in files.keys().filter(|path| !path.starts_with("res/")) {
            let mut fewer = files.clone();
            fewer.remove(path);
            assert_eq!(rules(&check(&zip::pack(&fewer).unwrap(), MAX)), ["every part is there"], "{path}");
        }
    }

    #[test]
    fn each_rule_turns_red_by_itself() {
        let manifest = ["manifest names package, oldest system, permissions"];
        assert_eq!(broken(|parts| parts.manifest = parts.manifest.replace("INTERNET", "NFC")), manifest);
        for kept in KEPT {
            let rules = broken(|parts| parts.rules = parts.rules.replace(kept, "#"));
            assert_eq!(rules, ["R8 keeps what is found by name"], "{kept}");
        }
        for class in CLASSES.iter().chain(&CLASSES_OF_ANDROID) {
            assert_eq!(broken(|parts| drop(parts.classes.remove(*class))), [LAYERS]);
        }
        let classes_alone = |parts: &mut Parts| parts.classes.retain(|path, _| path.ends_with(".class"));
        assert_eq!(broken(classes_alone), [functions::FOUND]);
        let put =
            |path: &str, bytes: &[u8]| broken(|parts| drop(parts.classes.insert(path.to_owned(), bytes.to_vec())));
        assert_eq!(put("com/sun/jna/Native.class", b"\xca\xfe\xba\xbe"), ["no classes of others"]);
        assert_eq!(put("dev/turnstone/SyncTest.class", b"\xca\xfe\xba\xbe"), ["no tests"]);
        assert_eq!(put("dev/turnstone/Empty.class", b""), ["every class is a class file"]);
        assert_eq!(put("dev/turnstone/Hooked.class", b"\xca\xfe\xba\xbe fn_func_plant_panic"), [NO_HOOKS]);
        for name in ["androidx/work/WorkManager$Companion;", "()Landroidx/work/ListenableWorker$Result$Companion;"] {
            let class = [b"\xca\xfe\xba\xbe\x01\0".as_slice(), name.as_bytes()].concat();
            assert_eq!(put("dev/turnstone/android/TurnstoneWorker.class", &class), [REAL_ANDROIDX], "{name}");
        }
        let own = b"\xca\xfe\xba\xbe\x01\0androidx/work/WorkManager\x01\0dev/turnstone/Options$Companion";
        assert!(put("dev/turnstone/Own.class", own).is_empty(), "companions of ours are there");
        let stand_in = |parts: &mut Parts| parts.libraries[0].1 = Library::marked(Abi::Arm64V8a).write().unwrap();
        assert_eq!(broken(stand_in), [elf::IS_REAL]);
        let swapped = |parts: &mut Parts| parts.libraries[0].1 = parts.libraries[2].1.clone();
        assert_eq!(broken(swapped), ["machine fits the ABI"]);
        let mut files = zip::unpack(&assemble(&parts()).unwrap()).unwrap();
        files.insert("jni/mips/libturnstone_ffi.so".to_owned(), Vec::new());
        assert_eq!(rules(&check(&zip::pack(&files).unwrap(), MAX)), ["nothing that does not belong there"]);
        files.remove("jni/mips/libturnstone_ffi.so");
        let said = String::from_utf8(files["AndroidManifest.xml"].clone()).unwrap();
        for (right, wrong) in [("\"24\"", "\"21\""), (PACKAGE, "com.example")] {
            files.insert("AndroidManifest.xml".to_owned(), said.replacen(right, wrong, 1).into_bytes());
            assert_eq!(rules(&check(&zip::pack(&files).unwrap(), MAX)), manifest, "{right}");
        }
        files.insert("AndroidManifest.xml".to_owned(), said.into_bytes());
        files.insert(METADATA.to_owned(), b"aarFormatVersion=1.0\n".to_vec());
        assert_eq!(rules(&check(&zip::pack(&files).unwrap(), MAX)), ["metadata for the Gradle plugin"]);
    }
}
