//! What no compiler here checks of the Android projects: that manifests, rules and versions name what the code has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::artifacts::{ANDROID, CODE, LIBRARIES};

const LIBRARY: &str = "bindings/kotlin/android";
const APP: &str = "android-sample/app";
/// The versions that Gradle builds with.
pub(crate) const CATALOGUE: &str = "android-sample/gradle/libs.versions.toml";
const WRAPPER: &str = "android-sample/gradle/wrapper/gradle-wrapper.properties";

/// Everything that does not fit together.
pub(crate) fn problems(root: &Path) -> Vec<String> {
    let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
    let code = Code::read(root);
    let mut problems = Vec::new();
    for manifest in [format!("{LIBRARY}/src/main"), format!("{APP}/src/main"), format!("{APP}/src/debug")] {
        let path = format!("{manifest}/AndroidManifest.xml");
        problems.extend(manifest_problems(&text(&path), &code).into_iter().map(|problem| format!("{path}: {problem}")));
    }
    problems.extend(permission_problems(&text(&format!("{LIBRARY}/src/main/AndroidManifest.xml")), &code));
    problems.extend(keep_problems(&text(&format!("{LIBRARY}/consumer-rules.pro")), &code));
    problems.extend(name_problems(
        &text("bindings/kotlin/host/src/main/kotlin/dev/turnstone/android/WorkQueue.kt"),
        &text("docs/android.md"),
    ));
    problems.extend(version_problems(&text(CATALOGUE), &text("bindings/kotlin/pom.xml")));
    problems.extend(wrapper_problems(&text(WRAPPER)));
    problems.extend(library_problems(&text(&format!("{LIBRARY}/build.gradle.kts"))));
    problems
}

/// What the sources and resources have.
#[derive(Default)]
struct Code {
    /// `package.Class`.
    classes: BTreeSet<String>,
    /// `xml/name`, `string/name`, `style/name`.
    resources: BTreeSet<String>,
    sources: String,
}

impl Code {
    fn read(root: &Path) -> Self {
        let mut code = Self::default();
        let sources = ["bindings/kotlin/android/src/main", "bindings/kotlin/host/src/main", "android-sample"];
        for folder in sources {
            walk(&root.join(folder), &mut |path, text| code.add(path, text));
        }
        code
    }

    fn add(&mut self, path: &Path, text: &str) {
        let is = |end: &str| path.extension().is_some_and(|extension| extension == end);
        if is("kt") {
            let package = text.lines().find_map(|line| line.strip_prefix("package ")).unwrap_or_default();
            for line in text.lines() {
                let words: Vec<&str> = line.split([' ', '(', ':', '<']).collect();
                if let Some(at) = words.iter().position(|word| *word == "class")
                    && let Some(name) = words.get(at + 1)
                {
                    self.classes.insert(format!("{package}.{name}"));
                }
            }
            self.sources.push_str(text);
        } else if is("xml") && path.components().any(|part| part.as_os_str() == "res") {
            let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            self.resources.insert(format!("{folder}/{stem}"));
            for kind in ["string", "style"] {
                for (_, name) in attributes(text, kind) {
                    self.resources.insert(format!("{kind}/{name}"));
                }
            }
        }
    }
}

fn walk(folder: &Path, each: &mut impl FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, each);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            each(&path, &text);
        }
    }
}

/// `name="value"` pairs of every element of a kind, without their prefix.
fn attributes<'a>(xml: &'a str, element: &str) -> Vec<(&'a str, &'a str)> {
    let mut found = Vec::new();
    for tag in xml.split('<').skip(1) {
        let Some((head, _)) = tag.split_once('>') else { continue };
        let Some(rest) = head.strip_prefix(element).filter(|rest| rest.starts_with(char::is_whitespace)) else {
            continue;
        };
        let mut parts = rest.split('"');
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            let name = name.trim().trim_end_matches('=');
            found.push((name.rsplit(':').next().unwrap_or(name), value));
        }
    }
    found
}

/// Components that no class stands behind, and resources that nobody made.
fn manifest_problems(manifest: &str, code: &Code) -> Vec<String> {
    let mut problems = Vec::new();
    if !manifest.contains("<manifest") {
        return vec!["is missing".to_owned()];
    }
    for element in ["application", "activity", "service", "receiver", "provider"] {
        for (name, value) in attributes(manifest, element) {
            if name == "name" {
                let class =
                    if value.starts_with('.') { format!("dev.turnstone.sample{value}") } else { value.to_owned() };
                if !code.classes.contains(&class) {
                    problems.push(format!("<{element}> names {class}, which is no class"));
                }
            } else if let Some(resource) = value.strip_prefix('@')
                && !code.resources.contains(resource)
            {
                problems.push(format!("@{resource} does not exist"));
            }
        }
    }
    problems
}

/// Permissions without code that needs them, and code without its permission.
fn permission_problems(manifest: &str, code: &Code) -> Vec<String> {
    let needed: BTreeMap<&str, &str> = [
        ("android.permission.INTERNET", "OkHttpClient"),
        ("android.permission.ACCESS_NETWORK_STATE", "ConnectivityManager"),
    ]
    .into_iter()
    .filter(|(_, sign)| code.sources.contains(sign))
    .collect();
    let declared: BTreeSet<&str> = attributes(manifest, "uses-permission")
        .into_iter()
        .filter(|(name, _)| *name == "name")
        .map(|(_, value)| value)
        .collect();
    let missing = needed
        .keys()
        .filter(|permission| !declared.contains(*permission))
        .map(|permission| format!("{permission} is not declared"));
    let idle = declared
        .iter()
        .filter(|permission| !needed.contains_key(*permission))
        .map(|permission| format!("nothing needs {permission}"));
    missing.chain(idle).map(|problem| format!("{LIBRARY}: {problem}")).collect()
}

/// Rules for R8 that keep a class of ours which is not there.
fn keep_problems(rules: &str, code: &Code) -> Vec<String> {
    let ours = rules.lines().filter_map(|line| line.strip_prefix("-keep class dev.turnstone."));
    let kept: Vec<String> =
        ours.filter_map(|rest| rest.split([' ', ';']).next()).map(|name| format!("dev.turnstone.{name}")).collect();
    let mut problems: Vec<String> = kept
        .iter()
        .filter(|name| !name.ends_with(".**") && !code.classes.contains(*name))
        .map(|name| format!("R8 keeps {name}, which is no class"))
        .collect();
    for must in ["dev.turnstone.internal.**", "dev.turnstone.android.TurnstoneWorker"] {
        if !kept.iter().any(|name| name == must) {
            problems.push(format!("R8 does not keep {must}"));
        }
    }
    problems
}

/// Names of work that clash, or that the page for app developers does not tell.
fn name_problems(source: &str, page: &str) -> Vec<String> {
    let names: Vec<&str> =
        source.lines().filter(|line| line.contains("const val")).filter_map(|line| line.split('"').nth(1)).collect();
    let mut problems = Vec::new();
    if names.len() < 2 || names.iter().collect::<BTreeSet<_>>().len() != names.len() {
        problems.push("the names of work are not two different ones".to_owned());
    }
    for name in names.iter().filter(|name| !page.contains(&format!("`{name}`"))) {
        problems.push(format!("docs/android.md does not tell the work `{name}`"));
    }
    problems
}

/// Versions that Gradle and Maven do not share.
fn version_problems(catalogue: &str, pom: &str) -> Vec<String> {
    ["kotlin", "coroutines", "serialization", "jna", "okhttp"]
        .iter()
        .filter_map(|name| {
            let gradle = catalogue
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{name} = ")))
                .map(|value| value.trim_matches('"'));
            let maven = pom.split_once(&format!("<{name}.version>")).and_then(|(_, rest)| rest.split('<').next());
            (gradle.is_none() || gradle != maven).then(|| format!("{name}: Gradle has {gradle:?}, Maven has {maven:?}"))
        })
        .collect()
}

/// A Gradle that is fetched without being checked.
fn wrapper_problems(wrapper: &str) -> Vec<String> {
    let value = |key: &str| wrapper.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    let sum = value("distributionSha256Sum=");
    let mut problems = Vec::new();
    if sum.len() != 64 || !sum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        problems.push(format!("{WRAPPER}: no SHA-256 of the distribution"));
    }
    if !value("distributionUrl=").starts_with("https") {
        problems.push(format!("{WRAPPER}: the distribution does not come over https"));
    }
    problems
}

/// Code over another library than the one that is packed: it calls functions that the packed one does not have.
fn library_problems(build: &str) -> Vec<String> {
    let one_place = [
        format!("val made = repository.resolve(\"target/{ANDROID}\")"),
        format!("val generated = made.resolve(\"{CODE}\")"),
        format!("sourceSets[\"main\"].jniLibs.srcDir(made.resolve(\"{LIBRARIES}\"))"),
    ];
    let lines: Vec<&str> = build.lines().map(str::trim).collect();
    let mut problems: Vec<String> = one_place
        .iter()
        .filter(|line| !lines.contains(&line.as_str()))
        .map(|line| format!("{LIBRARY}/build.gradle.kts does not say {line}: code and library come from `make aar`"))
        .collect();
    if lines.iter().any(|line| line.contains("target/") && !one_place.iter().any(|known| known == line)) {
        problems.push(format!("{LIBRARY}/build.gradle.kts takes something that `make aar` does not write"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> Code {
        let mut code = Code::default();
        code.add(
            Path::new("A.kt"),
            "package dev.turnstone.sample\n\nclass NotesApp : Application() {\n  val net = ConnectivityManager()\n",
        );
        code.add(
            Path::new("W.kt"),
            "package dev.turnstone.android\n\npublic class TurnstoneWorker(context: Context) {}\n",
        );
        code.add(Path::new("res/xml/rules.xml"), "<rules/>");
        code.add(
            Path::new("res/values/strings.xml"),
            "<resources><string name=\"app_name\">Notes</string></resources>",
        );
        code
    }

    #[test]
    fn a_manifest_names_what_there_is() {
        let good = r#"<manifest><application android:name=".NotesApp" android:label="@string/app_name" android:rules="@xml/rules"/></manifest>"#;
        assert_eq!(manifest_problems(good, &code()), Vec::<String>::new());
        let bad = r#"<manifest><application android:name=".NotesApp"><receiver android:name=".Gone" android:icon="@xml/gone"/></manifest>"#;
        assert_eq!(manifest_problems(bad, &code()).len(), 2);
        assert_eq!(manifest_problems("", &code()), ["is missing"]);
    }

    #[test]
    fn permissions_are_those_the_code_needs() {
        let network =
            r#"<manifest><uses-permission android:name="android.permission.ACCESS_NETWORK_STATE"/></manifest>"#;
        assert_eq!(permission_problems(network, &code()), Vec::<String>::new());
        assert_eq!(permission_problems("<manifest/>", &code()).len(), 1);
        let greedy =
            network.replace("</manifest>", r#"<uses-permission android:name="android.permission.CAMERA"/></manifest>"#);
        assert_eq!(
            permission_problems(&greedy, &code()),
            [format!("{LIBRARY}: nothing needs android.permission.CAMERA")]
        );
    }

    #[test]
    fn code_and_library_come_from_one_build() {
        let good = include_str!("../../bindings/kotlin/android/build.gradle.kts");
        assert_eq!(library_problems(good), Vec::<String>::new());
        let suites = good.replace(r#"made.resolve("kotlin")"#, r#"repository.resolve("target/bindings/kotlin")"#);
        assert_eq!(library_problems(&suites).len(), 2);
        assert_eq!(library_problems(&good.replace(r#"made.resolve("jni")"#, r#"file("jni")"#)).len(), 1);
        assert_eq!(library_problems(&good.replace(r#"("target/android")"#, r#"("target/ci")"#)).len(), 2);
    }

    #[test]
    fn rules_names_and_versions_fit() {
        let rules = "-keep class dev.turnstone.internal.** { *; }\n-keep class dev.turnstone.android.TurnstoneWorker { <init>(); }\n";
        assert_eq!(keep_problems(rules, &code()), Vec::<String>::new());
        assert_eq!(keep_problems(&rules.replace("Worker", "Gone"), &code()).len(), 2);
        let names = "const val ONCE: String = \"a\"\nconst val PERIODIC: String = \"b\"\n";
        assert_eq!(name_problems(names, "`a` and `b`"), Vec::<String>::new());
        assert_eq!(name_problems(names, "`a`").len(), 1);
        assert_eq!(name_problems(&names.replace("\"b\"", "\"a\""), "`a`").len(), 1);
        let pom = "<kotlin.version>2</kotlin.version><coroutines.version>1</coroutines.version><serialization.version>1</serialization.version>\
                   <jna.version>5</jna.version><okhttp.version>4</okhttp.version>";
        let catalogue = "kotlin = \"2\"\ncoroutines = \"1\"\nserialization = \"1\"\njna = \"5\"\nokhttp = \"4\"\n";
        assert_eq!(version_problems(catalogue, pom), Vec::<String>::new());
        assert_eq!(version_problems(&catalogue.replace("\"4\"", "\"5\""), pom).len(), 1);
        assert_eq!(wrapper_problems("distributionUrl=http://x\n").len(), 2);
    }
}
