//! `deny.toml`: which licences, crates and sources may be linked.
//!
//! cargo-deny enforces the file where it is installed. Otherwise this module reads the same file and checks the same
//! three things over `cargo metadata`, so that a machine without cargo-deny checks them too.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::build;
use crate::launch;

/// What breaks `deny.toml`, a sentence each.
pub(crate) fn problems(root: &Path) -> Vec<String> {
    if launch::exists("cargo-deny", &["--version"]) {
        let mut command = build::cargo(root);
        command.args(["deny", "--log-level", "error", "check", "licenses", "bans", "sources"]);
        return match launch::run_shown(&mut command) {
            Ok(true) => Vec::new(),
            _ => vec!["cargo deny refuses, see above".to_owned()],
        };
    }
    check(root).unwrap_or_else(|error| vec![error])
}

fn check(root: &Path) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(root.join("deny.toml")).map_err(|error| format!("deny.toml: {error}"))?;
    let rules: Rules = Rules::parse(&text)?;
    let metadata = metadata(root)?;
    let packages = metadata.get("packages").and_then(Value::as_array).ok_or("cargo metadata lists no packages")?;
    Ok(packages.iter().flat_map(|package| rules.problems(package)).collect())
}

/// The dependency graph of this machine's platform: that of others need not be on the disk.
fn metadata(root: &Path) -> Result<Value, String> {
    let version = Command::new("rustc").arg("-vV").output().map_err(|error| format!("rustc: {error}"))?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?;
    let output = build::cargo(root)
        .args(["metadata", "--format-version", "1", "--locked", "--all-features", "--filter-platform", host])
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    serde_json::from_slice(&output.stdout).map_err(|_| "cargo metadata fails".to_owned())
}

struct Rules {
    licences: Vec<String>,
    /// A crate, and a licence allowed for it alone.
    exceptions: Vec<(String, String)>,
    banned: Vec<(String, String)>,
    registries: Vec<String>,
}

impl Rules {
    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error| format!("deny.toml: {error}"))?;
        let list = |section: &str, key: &str| {
            let values = table.get(section).and_then(|section| section.get(key)).and_then(toml::Value::as_array);
            values.cloned().unwrap_or_default()
        };
        let strings = |values: Vec<toml::Value>| -> Vec<String> {
            values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
        };
        let banned = list("bans", "deny").into_iter().filter_map(|ban| {
            let part = |key: &str| ban.get(key).and_then(toml::Value::as_str).map(str::to_owned);
            Some((part("crate")?, part("reason").unwrap_or_default()))
        });
        let exceptions = list("licenses", "exceptions").into_iter().flat_map(|exception| {
            let name = exception.get("crate").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
            let allowed = exception.get("allow").and_then(toml::Value::as_array).cloned().unwrap_or_default();
            strings(allowed).into_iter().map(move |licence| (name.clone(), licence))
        });
        Ok(Self {
            licences: strings(list("licenses", "allow")),
            exceptions: exceptions.collect(),
            banned: banned.collect(),
            registries: strings(list("sources", "allow-registry")),
        })
    }

    fn problems(&self, package: &Value) -> Vec<String> {
        let text = |key: &str| package.get(key).and_then(Value::as_str).unwrap_or_default();
        let (name, licence, source) = (text("name"), text("license"), text("source"));
        let mut problems = Vec::new();
        let excepted = self.exceptions.iter().any(|(crate_name, allowed)| crate_name == name && allowed == licence);
        if !excepted && !self.allows_licence(licence) {
            problems.push(format!("{name} is licensed {licence:?}, which deny.toml does not allow"));
        }
        if let Some((_, reason)) = self.banned.iter().find(|(banned, _)| banned == name) {
            problems.push(format!("{name} is banned: {reason}"));
        }
        let from_registry = source.strip_prefix("registry+").unwrap_or(source);
        if !source.is_empty() && !self.registries.iter().any(|registry| registry == from_registry) {
            problems.push(format!("{name} comes from {source}, which deny.toml does not allow"));
        }
        problems
    }

    /// Evaluates an SPDX expression: `OR` needs one side, `AND` both, `AND` binds closer. `/` is an old way to say `OR`.
    fn allows_licence(&self, expression: &str) -> bool {
        let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut rest = words.as_slice();
        let allowed = self.any_of(&mut rest);
        allowed && rest.is_empty()
    }

    fn any_of(&self, rest: &mut &[&str]) -> bool {
        let mut allowed = self.all_of(rest);
        while let ["OR", tail @ ..] = *rest {
            *rest = tail;
            allowed |= self.all_of(rest);
        }
        allowed
    }

    fn all_of(&self, rest: &mut &[&str]) -> bool {
        let mut allowed = self.one(rest);
        while let ["AND", tail @ ..] = *rest {
            *rest = tail;
            allowed &= self.one(rest);
        }
        allowed
    }

    fn one(&self, rest: &mut &[&str]) -> bool {
        match *rest {
            ["(", tail @ ..] => {
                *rest = tail;
                let allowed = self.any_of(rest);
                if let [")", tail @ ..] = *rest {
                    *rest = tail;
                }
                allowed
            }
            [licence, "WITH", exception, tail @ ..] => {
                *rest = tail;
                self.licences.iter().any(|allowed| *allowed == format!("{licence} WITH {exception}"))
            }
            [licence, tail @ ..] => {
                *rest = tail;
                self.licences.iter().any(|allowed| allowed == licence)
            }
            [] => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules::parse(
            r#"
            [licenses]
            allow = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"]
            exceptions = [{ allow = ["MPL-2.0"], crate = "uniffi" }]
            [bans]
            deny = [{ crate = "openssl-sys", reason = "TLS is rustls" }]
            [sources]
            allow-registry = ["https://github.com/rust-lang/crates.io-index"]
            "#,
        )
        .unwrap()
    }

    #[test]
    fn evaluates_licence_expressions() {
        let rules = rules();
        for good in [
            "MIT",
            "GPL-3.0 OR MIT",
            "MIT/GPL-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
            "(GPL-3.0 OR MIT) AND Unicode-3.0",
        ] {
            assert!(rules.allows_licence(good), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "MIT AND (GPL-3.0 OR LGPL-3.0)", "ISC GPL-3.0"] {
            assert!(!rules.allows_licence(bad), "{bad}");
        }
    }

    #[test]
    fn names_each_breach() {
        let package = serde_json::json!({
            "name": "openssl-sys", "license": "GPL-3.0", "source": "git+https://example.org/x"
        });
        assert_eq!(rules().problems(&package).len(), 3);
        let excepted = |name: &str| serde_json::json!({ "name": name, "license": "MPL-2.0", "source": null });
        assert!(rules().problems(&excepted("uniffi")).is_empty());
        assert_eq!(rules().problems(&excepted("another")).len(), 1);
        let own = serde_json::json!({ "name": "turnstone-core", "license": "MIT", "source": null });
        assert!(rules().problems(&own).is_empty());
    }
}
