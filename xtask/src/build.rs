//! Builds the test programs and learns their names.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::launch;

/// One built test program.
pub(crate) struct TestProgram {
    /// How `docs/features.md` names it: the package's folder, and for a file of `tests/` its name behind a slash.
    pub(crate) suite: String,
    pub(crate) program: PathBuf,
    /// The package's folder, where cargo would run it.
    pub(crate) folder: PathBuf,
}

/// Which test programs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Targets {
    /// The unit tests inside libraries and programs.
    Unit,
    /// Those and every file under `tests/`.
    All,
}

/// Cargo, as it was called for this program.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Builds test programs; compiler messages are shown as they come.
///
/// # Errors
/// A sentence, where something does not compile.
pub(crate) fn test_programs(root: &Path, targets: Targets) -> Result<Vec<TestProgram>, String> {
    let mut command = cargo(root);
    command.args(["test", "--workspace", "--locked", "--profile", "ci", "--no-run"]);
    command.arg("--message-format=json-render-diagnostics");
    match targets {
        Targets::Unit => command.args(["--lib", "--bins"]),
        Targets::All => command.args(["--lib", "--bins", "--tests"]),
    };
    if targets == Targets::All {
        // Some tests run the programs themselves, or load the library.
        let mut programs = cargo(root);
        programs.args(crate::bindings::BUILD);
        launch::run_shown(&mut programs).map_err(|error| format!("cargo does not start: {error}"))?;
    }
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    if !output.status.success() {
        return Err("the tests do not compile".to_owned());
    }
    let mut programs: Vec<_> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .filter_map(|message: Value| test_program(root, &message))
        .collect();
    programs.sort_by(|a, b| a.suite.cmp(&b.suite));
    Ok(programs)
}

fn test_program(root: &Path, message: &Value) -> Option<TestProgram> {
    if message.get("reason")? != "compiler-artifact" || message.pointer("/profile/test")? != true {
        return None;
    }
    let folder = Path::new(message.get("manifest_path")?.as_str()?).parent()?.to_path_buf();
    let package = folder.strip_prefix(root).unwrap_or(&folder).to_str()?.to_owned();
    let is_test_file = message.pointer("/target/kind")?.as_array()?.iter().any(|kind| kind == "test");
    let suite =
        if is_test_file { format!("{package}/{}", message.pointer("/target/name")?.as_str()?) } else { package };
    Some(TestProgram { suite, program: PathBuf::from(message.get("executable")?.as_str()?), folder })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_suites_by_folder_and_file() {
        let message = |kind: &str, name: &str| {
            serde_json::json!({
                "reason": "compiler-artifact",
                "manifest_path": "/repo/core/Cargo.toml",
                "target": { "kind": [kind], "name": name },
                "profile": { "test": true },
                "executable": "/repo/target/ci/deps/x",
            })
        };
        let suite = |message| test_program(Path::new("/repo"), &message).map(|program| program.suite);
        assert_eq!(suite(message("test", "capture")).as_deref(), Some("core/capture"));
        assert_eq!(suite(message("lib", "turnstone")).as_deref(), Some("core"));
        let mut library = message("lib", "turnstone");
        if let Some(profile) = library.get_mut("profile") {
            *profile = serde_json::json!({ "test": false });
        }
        assert_eq!(suite(library), None);
    }
}
