use super::super::breach::rules;
use super::super::fixtures::macho::{Member, archive, fat};
use super::*;
use ::object::macho as apple;

const HEADER: &str = "#include <stdint.h>\n#define NAME(x) x\ntypedef void (*Callback)(uint64_t);\n\
    void *uniffi_turnstone_open(uint64_t path);\nint32_t ffi_turnstone_free(void);\n";

fn library(platform: u32, intel: bool) -> Vec<u8> {
    let member = |name, wants| Member { platform: Some(platform), intel, wants, ..Member::good(name) };
    archive(&[member("uniffi_turnstone_open", vec!["fstat"]), member("ffi_turnstone_free", vec![])])
}

fn good() -> Tree {
    let reason = lists::dictionary([
        ("NSPrivacyAccessedAPIType", "NSPrivacyAccessedAPICategoryFileTimestamp".into()),
        ("NSPrivacyAccessedAPITypeReasons", lists::list(["C617.1"])),
    ]);
    let privacy = lists::dictionary([
        ("NSPrivacyTracking", false.into()),
        ("NSPrivacyTrackingDomains", lists::list([])),
        ("NSPrivacyCollectedDataTypes", lists::list([])),
        ("NSPrivacyAccessedAPITypes", Value::Array(vec![reason])),
    ]);
    let simulator = fat(&[
        (Architecture::Arm64, library(apple::PLATFORM_IOSSIMULATOR, false)),
        (Architecture::X86_64, library(apple::PLATFORM_IOSSIMULATOR, true)),
    ]);
    let parts = Parts { header: HEADER.into(), privacy: lists::write(&privacy).unwrap(), version: "1.0.0".to_owned() };
    assemble(&parts, [library(apple::PLATFORM_IOS, false), simulator]).unwrap()
}

fn broken(change: impl FnOnce(&mut Tree)) -> Vec<&'static str> {
    let mut files = good();
    change(&mut files);
    rules(&check(&files))
}

const DEVICE: &str = "TurnstoneFFIHeaders.xcframework/ios-arm64/TurnstoneFFIHeaders.framework";
const SIMULATOR: &str = "TurnstoneFFIHeaders.xcframework/ios-arm64_x86_64-simulator/TurnstoneFFIHeaders.framework";

fn put(files: &mut Tree, folder: &str, name: &str, content: impl Into<Vec<u8>>) {
    assert!(files.insert(format!("{folder}/{name}"), content.into()).is_some(), "it replaces a file");
}

#[test]
fn what_is_assembled_passes() {
    assert_eq!(check(&good()), []);
}

#[test]
fn a_missing_part_is_told() {
    for (path, _) in good() {
        assert!(!broken(|files| drop(files.remove(&path))).is_empty(), "{path}");
    }
}

#[test]
fn each_rule_turns_red_by_itself() {
    let device = |intel| library(apple::PLATFORM_IOS, intel);
    let wrong = |name: &'static str, content: Vec<u8>| broken(|files| put(files, DEVICE, name, content));
    assert_eq!(wrong(MODULE, device(true)), ["the architectures it names"]);
    assert_eq!(wrong(MODULE, library(apple::PLATFORM_MACOS, false)), ["built for its platform"]);
    let other = archive(&[Member { wants: vec!["stat"], ..Member::good("uniffi_turnstone_open") }]);
    assert_eq!(wrong(MODULE, other), ["every function of the header is there"]);
    let more = format!("{HEADER}void uniffi_turnstone_more(void);\n");
    assert_eq!(wrong("Headers/TurnstoneFFIHeaders.h", more.into()), ["every function of the header is there"]);
    assert_eq!(wrong("Headers/TurnstoneFFIHeaders.h", b"\n".to_vec()), ["every function of the header is there"]);
    let bare = format!("module {MODULE} {{ header \"{MODULE}.h\" }}");
    assert_eq!(wrong("Modules/module.modulemap", bare.into()), ["module.modulemap is a framework module"]);
    assert_eq!(wrong("PrivacyInfo.xcprivacy", b"{}".to_vec()), ["is a property list"]);
    let simulators = lists::write(&lists::framework(MODULE, "1", "iPhoneSimulator")).unwrap();
    assert_eq!(wrong("Info.plist", simulators), ["Info.plist of the framework"]);
    let half = library(apple::PLATFORM_IOSSIMULATOR, false);
    assert_eq!(broken(|files| put(files, SIMULATOR, MODULE, half)), ["the architectures it names"]);
    let stray = |files: &mut Tree| drop(files.insert(format!("{DEVICE}/.DS_Store"), Vec::new()));
    assert_eq!(broken(stray), ["nothing that does not belong there"]);
}

#[test]
fn the_list_of_libraries_must_be_right() {
    let listed = |change: &dyn Fn(&mut plist::Dictionary)| {
        broken(|files| {
            let mut list = contents().into_dictionary().unwrap();
            change(&mut list);
            let list = lists::write(&Value::Dictionary(list)).unwrap();
            put(files, "TurnstoneFFIHeaders.xcframework", "Info.plist", list);
        })
    };
    let libraries = |list: &mut plist::Dictionary, change: &dyn Fn(&mut Vec<Value>)| {
        change(list.get_mut("AvailableLibraries").unwrap().as_array_mut().unwrap());
    };
    assert_eq!(listed(&|_| {}), [""; 0]);
    let rule = ["Info.plist lists the libraries"];
    assert_eq!(listed(&|list| drop(list.remove("XCFrameworkFormatVersion"))), rule);
    assert_eq!(listed(&|list| drop(list.remove("AvailableLibraries"))), rule);
    assert_eq!(listed(&|list| libraries(list, &|all| drop(all.pop()))), rule);
    assert_eq!(listed(&|list| libraries(list, &|all| all.push(lists::list([])))), rule);
    let variant = |all: &mut Vec<Value>| drop(all[1].as_dictionary_mut().unwrap().remove("SupportedPlatformVariant"));
    assert_eq!(listed(&|list| libraries(list, &variant)), rule);
}

#[test]
fn functions_are_read_from_the_header() {
    assert_eq!(functions(HEADER), ["ffi_turnstone_free", "uniffi_turnstone_open"].map(str::to_owned).into());
}
