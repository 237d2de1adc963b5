//! Every public declaration of the Kotlin and Swift libraries says what it is: what a reader sees in an editor is all the
//! manual that most will read. And what the DocC catalogue names exists.
//!
//! Read line by line, not parsed: it knows how this repository formats its code, and no more.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const KOTLIN: [&str; 4] = [
    "bindings/kotlin/turnstone/src/main",
    "bindings/kotlin/host/src/main",
    "bindings/kotlin/android/src/main",
    "bindings/kotlin/testing/src/main",
];
const SWIFT: &str = "bindings/swift/Sources";

/// What has no comment or does not exist, a line each.
pub(crate) fn problems(root: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    for folder in KOTLIN {
        for (path, text) in texts(root, folder, "kt") {
            problems.extend(kotlin(&text).into_iter().map(|found| format!("{path}:{found}")));
        }
    }
    let swift_files = texts(root, SWIFT, "swift");
    for (path, text) in &swift_files {
        problems.extend(swift(text).into_iter().map(|found| format!("{path}:{found}")));
    }
    let names: BTreeSet<&str> = swift_files.iter().flat_map(|(_, text)| declared(text)).collect();
    let pages = texts(root, SWIFT, "md");
    for (path, text) in &pages {
        problems
            .extend(unknown(text, &names).into_iter().map(|name| format!("{path} names {name}, which is not there")));
    }
    if swift_files.is_empty() || pages.is_empty() {
        problems.push(format!("{SWIFT} has no sources or no catalogue"));
    }
    problems
}

pub(crate) fn texts(root: &Path, folder: &str, extension: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root.join(&folder)).into_iter().flatten().flatten() {
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == extension)
                && let Ok(text) = std::fs::read_to_string(entry.path())
            {
                found.push((path.display().to_string(), text));
            }
        }
    }
    found.sort();
    found
}

/// What is open around a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// A public enum, whose cases count.
    Cases,
    /// A public protocol or interface, whose members count.
    Members,
    /// Anything else.
    Other,
}

/// The comment that stands before a line, and what is open around it.
#[derive(Default)]
struct Reader {
    comment: String,
    in_comment: bool,
    open: Vec<Inside>,
}

impl Reader {
    /// Takes a line that is a comment, an annotation or empty; false for a line of code.
    fn is_around(&mut self, line: &str) -> bool {
        if self.in_comment || line.starts_with("/**") {
            if !self.in_comment {
                self.comment.clear();
            }
            self.comment.push_str(line);
            self.comment.push('\n');
            self.in_comment = !line.contains("*/");
            return true;
        }
        if line.starts_with("///") {
            self.comment.push_str(line);
            return true;
        }
        // What is between a comment and its declaration.
        line.starts_with("//") || line.starts_with('#') || is_attribute(line)
    }

    /// Leaves a line of code, which opens what `kind` says.
    fn leave(&mut self, line: &str, kind: Inside) {
        self.comment.clear();
        let mut next = kind;
        for letter in code_of(line).chars() {
            match letter {
                '{' => {
                    self.open.push(next);
                    next = Inside::Other;
                }
                '}' => drop(self.open.pop()),
                _ => {}
            }
        }
    }

    fn inside(&self) -> Inside {
        self.open.last().copied().unwrap_or(Inside::Other)
    }
}

/// A line without texts and what follows `//`: their braces open nothing.
fn code_of(line: &str) -> String {
    let mut outside = true;
    let code: String = line
        .chars()
        .filter(|letter| {
            if *letter == '"' {
                outside = !outside;
            }
            outside
        })
        .collect();
    code.split("//").next().unwrap_or_default().to_owned()
}

/// A line of attributes alone, such as `@Volatile` or `@available(iOS 17, *)`.
fn is_attribute(line: &str) -> bool {
    line.starts_with('@') && without_attributes(line).is_empty()
}

fn without_attributes(line: &str) -> &str {
    let mut rest = line;
    while let Some(after) = rest.strip_prefix('@') {
        let name = after.trim_start_matches(|letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':');
        let arguments = name.strip_prefix('(').and_then(|inner| inner.split_once(')')).map(|(_, after)| after);
        rest = arguments.unwrap_or(name).trim_start();
    }
    rest
}

/// Line and name of each public declaration of Kotlin without a comment.
fn kotlin(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut reader = Reader::default();
    // The comment of a class, while its constructor is read.
    let mut constructor: Option<(String, i32)> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some((comment, depth)) = &mut constructor {
            let own = !reader.comment.is_empty();
            if reader.is_around(line) {
                continue;
            }
            for name in properties(line).filter(|name| !own && !says(comment, name)) {
                found.push(format!("{}: {name}", number + 1));
            }
            *depth += parentheses(line);
            if *depth <= 0 {
                constructor = None;
            }
            reader.leave(line, Inside::Other);
            continue;
        }
        if line.is_empty() || reader.is_around(line) {
            continue;
        }
        let code = without_attributes(line);
        let has_comment = !reader.comment.is_empty();
        let is_public = code.starts_with("public ") && !code.contains(" override ");
        let is_constant = reader.inside() == Inside::Cases && is_constant(code);
        let is_shared =
            is_constant && code.trim_end_matches([',', ';']).split('(').next().unwrap_or_default().contains(',');
        if (is_public || is_constant) && (!has_comment || is_shared) {
            found.push(format!("{}: {code}", number + 1));
        }
        let is_enum = is_public && code.contains("enum class ");
        if is_enum && is_on_one_line(code) {
            found.push(format!("{}: each constant on a line of its own: {code}", number + 1));
        }
        let is_class = is_public && code.contains("class ");
        if let (true, Some((_, parameters))) = (is_class, code.split_once('(')) {
            for name in properties(parameters).filter(|name| !says(&reader.comment, name)) {
                found.push(format!("{}: {name}", number + 1));
            }
            let depth = parentheses(line);
            if depth > 0 {
                constructor = Some((reader.comment.clone(), depth));
            }
        }
        reader.leave(line, if is_enum { Inside::Cases } else { Inside::Other });
    }
    found
}

fn is_on_one_line(code: &str) -> bool {
    code.split_once('{').is_some_and(|(_, body)| !body.trim().is_empty())
}

/// `Name`, `Name,`, `Name(1);`, or several of them.
fn is_constant(code: &str) -> bool {
    let names = code.trim_end_matches([',', ';', '}', ' ', '{']);
    code.starts_with(|letter: char| letter.is_ascii_uppercase())
        && names.split(',').all(|name| {
            let name = name.trim().split('(').next().unwrap_or_default();
            !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
        })
}

/// The properties among the parameters of a constructor that others see.
fn properties(parameters: &str) -> impl Iterator<Item = &str> {
    parameters.split(',').filter_map(|parameter| {
        let words = parameter.split(':').next().unwrap_or_default().trim();
        let hidden = ["private ", "internal ", "override "].iter().any(|word| words.contains(word));
        let is_property = words.split(' ').any(|word| word == "val" || word == "var");
        (is_property && !hidden).then(|| words.rsplit(' ').next()).flatten()
    })
}

fn says(comment: &str, name: &str) -> bool {
    let tagged = ["@property", "@param"].iter().any(|tag| comment.contains(&format!("{tag} {name} ")));
    tagged || comment.contains(&format!("[{name}]"))
}

fn parentheses(line: &str) -> i32 {
    code_of(line).chars().fold(0, |depth, letter| depth + i32::from(letter == '(') - i32::from(letter == ')'))
}

/// Line and text of each public declaration of Swift without a comment.
fn swift(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut reader = Reader::default();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || reader.is_around(line) {
            continue;
        }
        let code = without_attributes(line);
        let is_public = code.starts_with("public ") && !code.starts_with("public extension");
        let counts = match reader.inside() {
            Inside::Cases => code.starts_with("case "),
            Inside::Members => {
                ["func ", "var ", "init(", "static ", "associatedtype "].iter().any(|word| code.starts_with(word))
            }
            Inside::Other => false,
        };
        let is_shared = counts && code.starts_with("case ") && code.split('(').next().unwrap_or_default().contains(',');
        if (is_public || counts) && (reader.comment.is_empty() || is_shared) {
            found.push(format!("{}: {code}", number + 1));
        }
        let is_enum = is_public && code.contains(" enum ");
        if is_enum && is_on_one_line(code) {
            found.push(format!("{}: each case on a line of its own: {code}", number + 1));
        }
        let kind = if is_enum {
            Inside::Cases
        } else if is_public && code.contains(" protocol ") {
            Inside::Members
        } else {
            Inside::Other
        };
        reader.leave(line, kind);
    }
    found
}

/// The names that Swift declares.
fn declared(text: &str) -> impl Iterator<Item = &str> {
    const WORDS: [&str; 9] = ["class", "struct", "enum", "protocol", "actor", "func", "var", "let", "case"];
    text.lines().filter_map(|line| {
        let mut words = line.split([' ', '(', ':', '<', '=', '{', '?', ',']).skip_while(|word| !WORDS.contains(word));
        words.next()?;
        words.next()
    })
}

/// The names between double backticks that nothing declares.
fn unknown<'a>(page: &'a str, names: &BTreeSet<&str>) -> Vec<&'a str> {
    let links = page.split("``").skip(1).step_by(2);
    let parts = links.filter(|link| !link.contains('\n')).flat_map(|link| link.split('/'));
    let bare = parts.map(|part| part.split('(').next().unwrap_or_default());
    bare.filter(|name| !names.contains(name) && *name != "Turnstone" && *name != "TurnstoneHost").collect()
}

#[cfg(test)]
mod tests;
