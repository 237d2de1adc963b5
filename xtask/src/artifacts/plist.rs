//! Apple's property lists: what an XCFramework says it holds, what a framework is, and which of the system's functions that
//! need a reason it calls.

use std::collections::BTreeSet;
use std::io::Cursor;

use plist::{Dictionary, Value};

use super::breach::Breach;
use super::macho::OLDEST_IOS;

/// Functions of which Apple asks the reason, by category. An app whose library calls one without a declared reason is
/// refused by the store.
const REASONED: [(&str, &[&str]); 3] = [
    (
        "NSPrivacyAccessedAPICategoryFileTimestamp",
        &["stat", "fstat", "fstatat", "lstat", "getattrlist", "getattrlistbulk", "fgetattrlist", "getattrlistat"],
    ),
    ("NSPrivacyAccessedAPICategoryDiskSpace", &["statfs", "fstatfs", "statvfs", "fstatvfs"]),
    ("NSPrivacyAccessedAPICategorySystemBootTime", &["mach_absolute_time"]),
];

/// Writes a property list as Xcode does.
///
/// # Errors
/// A sentence.
pub(crate) fn write(value: &Value) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    value.to_writer_xml(&mut bytes).map_err(|error| error.to_string())?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads a property list whose root is a dictionary.
///
/// # Errors
/// The broken rule.
pub(crate) fn read(bytes: &[u8]) -> Result<Dictionary, Breach> {
    let value = Value::from_reader(Cursor::new(bytes)).map_err(|error| Breach::new("is a property list", error))?;
    value.into_dictionary().ok_or_else(|| Breach::new("is a property list", "its root is no dictionary"))
}

pub(crate) fn text<'a>(dictionary: &'a Dictionary, key: &str) -> Option<&'a str> {
    dictionary.get(key)?.as_string()
}

pub(crate) fn texts(dictionary: &Dictionary, key: &str) -> Vec<String> {
    let values = dictionary.get(key).and_then(Value::as_array);
    values.into_iter().flatten().filter_map(|value| value.as_string().map(str::to_owned)).collect()
}

/// A dictionary of texts and lists.
pub(crate) fn dictionary<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Dictionary(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

pub(crate) fn list<'a>(values: impl IntoIterator<Item = &'a str>) -> Value {
    Value::Array(values.into_iter().map(Value::from).collect())
}

/// The `Info.plist` of a framework.
pub(crate) fn framework(name: &str, version: &str, system: &str) -> Value {
    dictionary([
        ("CFBundleDevelopmentRegion", "en".into()),
        ("CFBundleExecutable", name.into()),
        ("CFBundleIdentifier", format!("dev.turnstone.{name}").into()),
        ("CFBundleInfoDictionaryVersion", "6.0".into()),
        ("CFBundleName", name.into()),
        ("CFBundlePackageType", "FMWK".into()),
        ("CFBundleShortVersionString", version.into()),
        ("CFBundleSupportedPlatforms", list([system])),
        ("CFBundleVersion", version.into()),
        ("MinimumOSVersion", OLDEST_IOS.into()),
    ])
}

/// Every rule that the `Info.plist` of a framework breaks.
pub(crate) fn check_framework(bytes: &[u8], name: &str, system: &str) -> Vec<Breach> {
    let found = match read(bytes) {
        Ok(found) => found,
        Err(breach) => return vec![breach],
    };
    let mut breaches = Vec::new();
    let expected = [("CFBundleExecutable", name), ("CFBundlePackageType", "FMWK"), ("MinimumOSVersion", OLDEST_IOS)];
    for (key, value) in expected {
        if text(&found, key) != Some(value) {
            let found = format!("{key} is {:?}, not {value:?}", text(&found, key));
            breaches.push(Breach::new("Info.plist of the framework", found));
        }
    }
    for key in ["CFBundleIdentifier", "CFBundleVersion", "CFBundleShortVersionString"] {
        if text(&found, key).is_none_or(str::is_empty) {
            breaches.push(Breach::new("Info.plist of the framework", format!("{key} is missing")));
        }
    }
    if texts(&found, "CFBundleSupportedPlatforms") != [system] {
        breaches.push(Breach::new("Info.plist of the framework", "CFBundleSupportedPlatforms"));
    }
    breaches
}

/// Every rule that a privacy manifest breaks, for a library that wants these functions of the system.
pub(crate) fn check_privacy(bytes: &[u8], wanted: &BTreeSet<String>) -> Vec<Breach> {
    let found = match read(bytes) {
        Ok(found) => found,
        Err(breach) => return vec![breach],
    };
    let mut breaches = Vec::new();
    if found.get("NSPrivacyTracking").and_then(Value::as_boolean) != Some(false) {
        breaches.push(Breach::new("privacy manifest: no tracking", "NSPrivacyTracking is not false"));
    }
    for key in ["NSPrivacyTrackingDomains", "NSPrivacyCollectedDataTypes"] {
        if found.get(key).and_then(Value::as_array).is_none_or(|list| !list.is_empty()) {
            breaches.push(Breach::new("privacy manifest: no tracking", format!("{key} is not an empty list")));
        }
    }
    let declared = found.get("NSPrivacyAccessedAPITypes").and_then(Value::as_array);
    let declared: Vec<_> = declared.into_iter().flatten().filter_map(Value::as_dictionary).collect();
    for (category, functions) in REASONED {
        let called: Vec<_> = functions.iter().filter(|name| wants(wanted, name)).collect();
        let entry = declared.iter().find(|entry| text(entry, "NSPrivacyAccessedAPIType") == Some(category));
        let has_reason = entry.is_some_and(|entry| !texts(entry, "NSPrivacyAccessedAPITypeReasons").is_empty());
        if !called.is_empty() && !has_reason {
            let found = format!("{category} is not declared with a reason, and the library calls {called:?}");
            breaches.push(Breach::new("privacy manifest: a reason for what is called", found));
        }
        if called.is_empty() && entry.is_some() {
            breaches.push(Breach::new("privacy manifest: nothing that is not called", category));
        }
    }
    breaches
}

/// Whether a function is wanted, also under the names that 64-bit file numbers gave it: `stat$INODE64`.
fn wants(wanted: &BTreeSet<String>, name: &str) -> bool {
    wanted.iter().any(|symbol| symbol.split('$').next() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::super::breach::rules;
    use super::*;

    fn manifest(tracking: bool, reasons: &[(&str, &str)]) -> Vec<u8> {
        let types = reasons.iter().map(|(category, reason)| {
            let reasons = if reason.is_empty() { list([]) } else { list([*reason]) };
            dictionary([("NSPrivacyAccessedAPIType", (*category).into()), ("NSPrivacyAccessedAPITypeReasons", reasons)])
        });
        let value = dictionary([
            ("NSPrivacyTracking", tracking.into()),
            ("NSPrivacyTrackingDomains", list([])),
            ("NSPrivacyCollectedDataTypes", list([])),
            ("NSPrivacyAccessedAPITypes", Value::Array(types.collect())),
        ]);
        write(&value).unwrap()
    }

    fn calling(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_privacy_manifest_declares_what_the_library_calls_and_nothing_else() {
        let timestamps = [("NSPrivacyAccessedAPICategoryFileTimestamp", "C617.1")];
        let check = |reasons: &[(&str, &str)], calls: &[&str]| {
            rules(&check_privacy(&manifest(false, reasons), &calling(calls)))
        };
        assert_eq!(check(&timestamps, &["fstat", "open"]), [""; 0]);
        assert_eq!(check(&[], &["open"]), [""; 0]);
        let missing = ["privacy manifest: a reason for what is called"];
        assert_eq!(check(&[], &["stat$INODE64"]), missing);
        assert_eq!(check(&timestamps, &["fstat", "fstatfs"]), missing);
        assert_eq!(check(&[("NSPrivacyAccessedAPICategoryFileTimestamp", "")], &["fstat"]), missing);
        assert_eq!(check(&timestamps, &["open"]), ["privacy manifest: nothing that is not called"]);
        let tracks = check_privacy(&manifest(true, &[]), &calling(&[]));
        assert_eq!(rules(&tracks), ["privacy manifest: no tracking"]);
        for key in ["NSPrivacyTrackingDomains", "NSPrivacyCollectedDataTypes"] {
            let mut tells = read(&manifest(false, &[])).unwrap();
            tells.insert(key.to_owned(), list(["example.com"]));
            let tells = write(&Value::Dictionary(tells)).unwrap();
            assert_eq!(rules(&check_privacy(&tells, &calling(&[]))), ["privacy manifest: no tracking"], "{key}");
        }
        assert_eq!(rules(&check_privacy(b"<plist>", &calling(&[]))), ["is a property list"]);
    }

    #[test]
    fn what_a_framework_is_must_be_said_rightly() {
        let good = framework("Turnstone", "1.2.3", "iPhoneOS");
        let check = |value: &Value, system| rules(&check_framework(&write(value).unwrap(), "Turnstone", system));
        assert_eq!(check(&good, "iPhoneOS"), [""; 0]);
        assert_eq!(check(&good, "iPhoneSimulator"), ["Info.plist of the framework"]);
        for key in
            ["CFBundleExecutable", "CFBundlePackageType", "MinimumOSVersion", "CFBundleIdentifier", "CFBundleVersion"]
        {
            let mut wrong = good.clone().into_dictionary().unwrap();
            wrong.remove(key);
            assert_eq!(check(&Value::Dictionary(wrong), "iPhoneOS"), ["Info.plist of the framework"], "{key}");
        }
    }
}
