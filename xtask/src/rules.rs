//! Rules of the repository that no compiler checks.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tally::Tally;
use crate::{android, commented, errors, features, ios, licences, markdown};

/// Text that names a machine of one developer: it means nothing to anybody else.
const MACHINE_PATHS: [&str; 5] = [
    concat!("/", "work/"),
    concat!("/", "root/"),
    concat!("/", "Users/"),
    concat!("/", "home/"),
    concat!("C:\\", "Users"),
];

/// Checks every rule; each counts as one.
pub(crate) fn check(root: &Path) -> Tally {
    let mut tally = Tally::default();
    let files = files(root);
    let rules: [(&str, Vec<String>); 10] = [
        ("licences, bans and sources", licences::problems(root)),
        ("no file names a path of one machine", machine_paths(root, &files)),
        ("links in the docs lead somewhere", markdown::broken_links(root, &files)),
        ("every decision is in docs/adr/README.md", unlisted_decisions(root, &files)),
        ("docs/features.md is well formed", features::shape_problems(root)),
        ("docs/invariants.md has every invariant", features::invariant_problems(root)),
        ("the Android projects name what the code has", android::problems(root)),
        ("what Kotlin and Swift show to others has a comment", commented::problems(root)),
        ("docs/errors.md has every code", errors::problems(root)),
        ("the iOS sample and quickstarts name what an app has", ios::problems(root)),
    ];
    for (rule, problems) in rules {
        for problem in &problems {
            println!("{rule}: {problem}");
        }
        if problems.is_empty() { tally.pass(format!("rules::{rule}")) } else { tally.fail(format!("rules::{rule}")) }
    }
    tally
}

/// The files under version control, or every file outside `target` where there is no git.
fn files(root: &Path) -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output();
    match listed {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
            .split_terminator('\0')
            .map(PathBuf::from)
            .filter(|file| root.join(file).is_file())
            .collect(),
        _ => {
            let mut found = Vec::new();
            walk(root, Path::new(""), &mut found);
            found
        }
    }
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(root.join(folder)) else { return };
    for entry in entries.flatten() {
        let path = folder.join(entry.file_name());
        let skipped = ["target", ".git"].iter().any(|name| entry.file_name() == *name);
        if entry.path().is_dir() && !skipped {
            walk(root, &path, found);
        } else if entry.path().is_file() {
            found.push(path);
        }
    }
}

fn machine_paths(root: &Path, files: &[PathBuf]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(root.join(file)) else { continue };
        for (number, line) in text.lines().enumerate() {
            if names_machine_path(line) {
                problems.push(format!("{}:{}", file.display(), number + 1));
            }
        }
    }
    problems
}

/// A path counts where it begins one: `docs/home/x` or a URL's own path do not.
fn names_machine_path(line: &str) -> bool {
    MACHINE_PATHS.iter().any(|path| {
        line.match_indices(path).any(|(at, _)| {
            let before = line.get(..at).and_then(|text| text.chars().next_back());
            !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}' | ')' | '*'))
        })
    })
}

fn unlisted_decisions(root: &Path, files: &[PathBuf]) -> Vec<String> {
    let index = std::fs::read_to_string(root.join("docs/adr/README.md")).unwrap_or_default();
    let mut numbers = std::collections::BTreeMap::new();
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.starts_with("docs/adr")) {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name == "README.md" {
            continue;
        }
        let number = name.get(..4).unwrap_or_default().to_owned();
        if number.len() != 4 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            problems.push(format!("{name} does not begin with four digits"));
        } else if let Some(other) = numbers.insert(number, name.to_owned()) {
            problems.push(format!("{name} and {other} have the same number"));
        }
        if !index.contains(&format!("({name})")) {
            problems.push(format!("{name} is not in the index"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_a_machine_path_where_it_begins() {
        let path = format!("{}alice/turnstone", MACHINE_PATHS[3]);
        assert!(names_machine_path(&format!("see {path}")));
        assert!(names_machine_path(&format!("`{path}`")));
        assert!(!names_machine_path(&format!("https://example.org{path}")));
        assert!(!names_machine_path("docs/home/page.md"));
    }
}
