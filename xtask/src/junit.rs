//! Reads the reports that Maven and Swift write: `<testcase name= classname=>` with what came of it inside.

use std::path::Path;

use crate::tally::Tally;

/// No more of what a test said is repeated at the end, in characters: a line of it is enough to know what happened.
const SAID_MAX: usize = 300;

/// Counts every report in a folder. `suite` stands before the name of each test.
pub(crate) fn count(suite: &str, folder: &Path) -> Tally {
    let mut tally = Tally::default();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "xml")) {
        tally.add(read(suite, &std::fs::read_to_string(file).unwrap_or_default()));
    }
    tally
}

fn read(suite: &str, report: &str) -> Tally {
    let mut tally = Tally::default();
    for case in report.split("<testcase ").skip(1) {
        let Some((head, rest)) = case.split_once('>') else { continue };
        let (Some(name), Some(class)) = (attribute(head, "name"), attribute(head, "classname")) else { continue };
        let class = class.rsplit('.').next().unwrap_or(class);
        let name = format!("{suite}/{class}::{}", name.trim_end_matches("()"));
        let inside = if head.ends_with('/') { "" } else { rest.split("</testcase>").next().unwrap_or_default() };
        if let Some((_, failure)) = inside.split_once("<failure").or_else(|| inside.split_once("<error")) {
            tally.fail_saying(name, &said(failure));
        } else if let Some((_, skipped)) = inside.split_once("<skipped") {
            tally.skip(&name, attribute(skipped, "message").unwrap_or("skipped without a reason"));
        } else {
            tally.pass(name);
        }
    }
    tally
}

/// The first line of what a test said when it failed, or what it threw.
fn said(failure: &str) -> String {
    let said = attribute(failure, "message").or_else(|| attribute(failure, "type")).unwrap_or_default();
    let said = said.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#10;", "\n");
    said.lines().next().unwrap_or_default().chars().take(SAID_MAX).collect()
}

fn attribute<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    // `name=` also stands at the end of `classname=`.
    let head = head.strip_prefix(' ').unwrap_or(head);
    let key = format!("{name}=\"");
    let at = head
        .match_indices(&key)
        .map(|(at, _)| at)
        .find(|at| head.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with(char::is_whitespace)))?;
    head.get(at + key.len()..)?.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"<?xml version="1.0"?>
<testsuite name="dev.turnstone.SyncTest" tests="4">
  <properties><property name="a" value="b"/></properties>
  <testcase name="edits_survive" classname="dev.turnstone.SyncTest" time="0.4"/>
  <testcase classname="TurnstoneTests.SyncTests" name="watch()" time="0.1"><system-out>x</system-out></testcase>
  <testcase name="broken" classname="dev.turnstone.SyncTest"><failure message="no">at</failure></testcase>
  <testcase name="later" classname="dev.turnstone.SyncTest"><skipped message="no network"/></testcase>
</testsuite>"#;

    #[test]
    fn counts_each_outcome() {
        let tally = read("kotlin", REPORT);
        assert_eq!(tally.counts(), "2 passed, 1 failed, 1 skipped");
        assert!(tally.has_run("kotlin/SyncTest::edits_survive"));
        assert!(tally.has_run("kotlin/SyncTests::watch"));
    }

    #[test]
    fn a_failure_is_told_in_a_line() {
        assert_eq!(
            said(r#" message="expected: &lt;1&gt; but was: 2&#10;  at X" type="E">trace"#),
            "expected: <1> but was: 2"
        );
        assert_eq!(said(r#" type="java.io.IOException">trace"#), "java.io.IOException");
    }
}
