//! Links between the pages of this repository.

use std::path::{Component, Path, PathBuf};

/// Links whose file or heading does not exist, as `page: link`.
pub(crate) fn broken_links(root: &Path, files: &[PathBuf]) -> Vec<String> {
    let mut broken = Vec::new();
    for page in files.iter().filter(|file| is_markdown(file)) {
        let Ok(text) = std::fs::read_to_string(root.join(page)) else { continue };
        for link in links(&text) {
            if !leads_somewhere(root, page, &link) {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    broken
}

fn is_markdown(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "md")
}

fn leads_somewhere(root: &Path, page: &Path, link: &str) -> bool {
    if link.contains("://") || link.starts_with("mailto:") {
        return true;
    }
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() { page.to_path_buf() } else { beside(page, file) };
    if !root.join(&target).exists() {
        return false;
    }
    if heading.is_empty() || !is_markdown(&target) {
        return true;
    }
    std::fs::read_to_string(root.join(target)).is_ok_and(|text| anchors(&text).iter().any(|anchor| anchor == heading))
}

/// The path of `file` as the page means it, without `..`.
fn beside(page: &Path, file: &str) -> PathBuf {
    let mut path = page.parent().map(PathBuf::from).unwrap_or_default();
    for part in Path::new(file).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}

/// The targets of `[text](target)` outside code.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose_lines(text) {
        let line = without_code(line);
        for (at, _) in line.match_indices("](") {
            let rest = line.get(at + 2..).unwrap_or_default();
            if let Some((target, _)) = rest.split_once(')') {
                let target = target.split_whitespace().next().unwrap_or_default();
                found.push(target.trim_matches(['<', '>']).to_owned());
            }
        }
    }
    found
}

/// Headings as the anchors web views make of them.
fn anchors(text: &str) -> Vec<String> {
    let headings = prose_lines(text).filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Lines outside fenced code.
fn prose_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_links_in_prose_only() {
        let text = "See [a](a.md#top) and [b](<b.md>).\n```\n[no](no.md)\n```\n`[no](no.md)` [c](../c.md)\n";
        assert_eq!(links(text), ["a.md#top", "b.md", "../c.md"]);
    }

    #[test]
    fn makes_anchors() {
        assert_eq!(anchors("# One\n## Two words, `code`\n"), ["one", "two-words-code"]);
    }

    #[test]
    fn resolves_beside_the_page() {
        assert_eq!(beside(Path::new("docs/adr/0001-x.md"), "../protocol.md"), Path::new("docs/protocol.md"));
    }
}
