//! What no compiler here checks of the iOS sample and the quickstarts.
//!
//! Its Info.plist against its code: the system ends an app that registers a task whose id is not in its Info.plist, and never
//! runs one that is there and not registered. Its project against the package that `make xcframework` writes. And that
//! nothing an app copies asks for the built-in HTTP, which the library for iOS has not.

use std::collections::BTreeSet;
use std::path::Path;

use crate::artifacts::PACKAGE;

const PLIST: &str = "ios-sample/App/Info.plist";
const CODE: &str = "ios-sample/App";
const PROJECT: &str = "ios-sample/project.yml";
const MODEL: &str = "ios-sample/Model/Package.swift";
/// What the authors of apps copy from.
const COPIED: [&str; 6] = [
    "docs/ios.md",
    "docs/swift.md",
    "bindings/swift/Typecheck/Quickstart.swift",
    "bindings/swift/Sources/Turnstone/Turnstone.docc/Turnstone.md",
    "ios-sample/App/NotesApp.swift",
    "ios-sample/Model/Sources/NotesModel/Notes.swift",
];

/// What does not agree, a sentence each.
pub(crate) fn problems(root: &Path) -> Vec<String> {
    let Ok(plist) = std::fs::read_to_string(root.join(PLIST)) else {
        return vec![format!("{PLIST} is missing")];
    };
    let files = std::fs::read_dir(root.join(CODE)).into_iter().flatten().flatten().map(|entry| entry.path());
    let swift = files.filter(|file| file.extension().is_some_and(|end| end == "swift"));
    let code: String = swift.filter_map(|file| std::fs::read_to_string(file).ok()).collect();
    let mut problems = compare(&plist, &code);
    let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
    problems.extend(COPIED.iter().flat_map(|path| asks_for_http(path, &text(path))));
    problems.extend(package_problems(&text(PROJECT), &text(MODEL)));
    problems
}

/// Code that does not say where the requests go: nothing is in the file, or it would fail with `no_http` in an app.
fn asks_for_http(path: &str, code: &str) -> Option<String> {
    let remotes = ["Remote.http(", ": .http(", "= .http("];
    if code.is_empty() {
        return Some(format!("{path} is missing"));
    }
    let asks = remotes.iter().any(|call| code.contains(call));
    asks.then(|| format!("{path} asks for the built-in HTTP, which is not in the library for iOS"))
}

/// Xcode takes two packages of one name from two folders for a mistake.
fn package_problems(project: &str, model: &str) -> Vec<String> {
    let wanted = format!("target/apple/{PACKAGE}");
    let named = [(PROJECT, project, format!("path: ../{wanted} ")), (MODEL, model, format!("\"../../{wanted}\""))];
    let missing = named.into_iter().filter(|(_, text, path)| !text.contains(path));
    missing.map(|(file, ..)| format!("{file} does not name {wanted}, which make xcframework writes")).collect()
}

fn compare(plist: &str, code: &str) -> Vec<String> {
    let permitted = array(plist, "BGTaskSchedulerPermittedIdentifiers");
    let used = task_ids(code);
    let mut problems: Vec<String> = Vec::new();
    if used.is_empty() {
        problems.push("no TaskIds(…) in the code".to_owned());
    }
    problems.extend(used.difference(&permitted).map(|id| format!("{id} is used and not permitted in Info.plist")));
    problems.extend(permitted.difference(&used).map(|id| format!("{id} is permitted in Info.plist and never used")));
    let modes = array(plist, "UIBackgroundModes");
    let pushed = code.contains("didReceiveRemoteNotification");
    for (mode, is_needed) in [("fetch", true), ("processing", true), ("remote-notification", pushed)] {
        if is_needed != modes.contains(mode) {
            let what = if is_needed { "is needed and missing" } else { "is there and not used" };
            problems.push(format!("UIBackgroundModes: {mode} {what}"));
        }
    }
    problems
}

/// The strings of an array in a property list.
fn array(plist: &str, key: &str) -> BTreeSet<String> {
    let after = plist.split(&format!("<key>{key}</key>")).nth(1).unwrap_or_default();
    let list = after.trim_start().strip_prefix("<array>").and_then(|rest| rest.split("</array>").next());
    let strings = list.unwrap_or_default().split("<string>").skip(1);
    strings.filter_map(|rest| rest.split("</string>").next()).map(str::to_owned).collect()
}

/// The texts in each `TaskIds(…)`.
fn task_ids(code: &str) -> BTreeSet<String> {
    let calls = code.split("TaskIds(").skip(1).filter_map(|rest| rest.split(')').next());
    calls.flat_map(|call| call.split('"').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str =
        r#"TurnstoneBackground(ids: TaskIds(refresh: "a.refresh", processing: "a.processing")) { open() }"#;

    fn plist(ids: &[&str], modes: &[&str]) -> String {
        let list = |items: &[&str]| items.iter().map(|item| format!("<string>{item}</string>\n")).collect::<String>();
        format!(
            "<dict><key>Other</key>\n<array><string>x</string></array>\n<key>UIBackgroundModes</key>\n<array>\n{}</array>\n\
             <key>BGTaskSchedulerPermittedIdentifiers</key>\n<array>\n{}</array></dict>",
            list(modes),
            list(ids)
        )
    }

    #[test]
    fn equal_ids_are_good() {
        assert!(compare(&plist(&["a.processing", "a.refresh"], &["fetch", "processing"]), CODE).is_empty());
    }

    #[test]
    fn each_difference_is_a_problem() {
        let modes = ["fetch", "processing"];
        let missing = compare(&plist(&["a.refresh"], &modes), CODE);
        assert_eq!(missing, ["a.processing is used and not permitted in Info.plist"]);
        let unused = compare(&plist(&["a.processing", "a.refresh", "old"], &modes), CODE);
        assert_eq!(unused, ["old is permitted in Info.plist and never used"]);
        let ids = ["a.processing", "a.refresh"];
        assert_eq!(compare(&plist(&ids, &["fetch"]), CODE), ["UIBackgroundModes: processing is needed and missing"]);
        let pushed = format!("{CODE} didReceiveRemoteNotification");
        assert_eq!(compare(&plist(&ids, &modes), &pushed).len(), 1);
        // Nothing at all is not agreement.
        assert!(!compare("", "").is_empty());
    }

    #[test]
    fn nothing_that_is_copied_asks_for_http_that_an_app_has_not() {
        assert_eq!(asks_for_http("a", "Remote.custom(try URLSessionTransport(url), tokens: tokens)"), None);
        for bad in ["let remote = Remote.http(url)", "options.remote = .http(url)", "remote: .http(url)", ""] {
            assert!(asks_for_http("a", bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn project_and_model_take_the_package_that_is_written() {
        let (project, model) =
            ("{ path: ../target/apple/Turnstone-swift }", r#"? "a" : "../../target/apple/Turnstone-swift""#);
        assert!(package_problems(project, model).is_empty());
        assert_eq!(package_problems("{ path: ../bindings/swift }", model).len(), 1);
        assert_eq!(package_problems(project, "../../bindings/swift").len(), 1);
    }
}
