#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]
//! Every line of the benchmarks runs and is printed. How fast is no matter here: nothing is gated by time.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn every_line_runs_small_and_is_in_the_table_and_in_the_json() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    some_real_notes(&folder.join("notes.jsonl.gz"));

    let table = benches(&["--small", "--data", folder.to_str().unwrap(), "--dir", folder.to_str().unwrap()]);

    let lines: Vec<Value> = serde_json::from_slice(&std::fs::read(folder.join("last.json")).unwrap()).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let measured: BTreeSet<String> =
        lines.iter().map(|line| format!("{}, {}", text(line, "row"), text(line, "variant"))).collect();
    let listed = benches(&["--list"]);
    let listed: BTreeSet<String> = listed.lines().map(str::to_owned).collect();
    assert_eq!(measured, listed);
    for name in &listed {
        assert!(table.contains(&format!("| {name}")), "{name} is in the table");
    }
    for line in &lines {
        for side in ["limit", "ours"] {
            let rate = line[side]["per_second"].as_f64().unwrap();
            assert!(rate.is_finite() && rate > 0.0, "{side} of {} did something", text(line, "row"));
        }
    }
    let real = lines.iter().filter(|line| text(line, "notes") == "real");
    assert!(real.count() >= 10, "real notes are a second column where they are there");
}

#[test]
fn a_row_that_does_not_exist_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_turnstone-benches")).args(["--row", "W99"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no row called W99"));
}

fn benches(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_turnstone-benches")).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn text<'a>(line: &'a Value, member: &str) -> &'a str {
    line[member].as_str().unwrap()
}

fn some_real_notes(path: &Path) {
    let mut packed = flate2::write::GzEncoder::new(std::fs::File::create(path).unwrap(), flate2::Compression::fast());
    for number in 0..60 {
        let body = format!("- Note {number} says:\n\n`command --number {number}`").repeat(number % 7 + 1);
        let note = serde_json::json!({
            "id": format!("{number:08}-0000-4000-8000-000000000000"),
            "title": format!("note {number}"), "tag": "common", "body": body, "updated_at": 1_700_000_000 + number,
        });
        writeln!(packed, "{note}").unwrap();
    }
    packed.finish().unwrap();
}
