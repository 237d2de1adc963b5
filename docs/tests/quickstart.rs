#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]
//! The README's quickstart, run as it is written.

use std::path::PathBuf;
use std::process::{Command, Output};

#[test]
fn the_commands_of_the_quickstart_work_and_the_hashes_are_equal() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&script(), folder.path());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));

    let listed = text.lines().find(|line| line.contains("Shopping for Sunday"));
    assert!(listed.is_some(), "the laptop has the note under its new title:\n{text}");
    let hashes: Vec<&str> = text.split_whitespace().filter(|word| is_hash(word)).collect();
    assert!(hashes.len() >= 3, "a hash of each device and of the server:\n{text}");
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "the hashes are equal:\n{text}");
}

/// The first shell block after the heading, on a free port.
fn script() -> String {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("## Ten minutes").expect("a quickstart");
    let (_, block) = section.split_once("```sh\n").expect("commands");
    let (commands, _) = block.split_once("```").expect("an end");
    commands.replace("127.0.0.1:7878", &format!("127.0.0.1:{}", free_port()))
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn run(script: &str, folder: &std::path::Path) -> Output {
    let script = format!("set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n{script}");
    let path = format!("{}:{}", binaries().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.args(["-c", &script]).current_dir(folder).env("PATH", path);
    for name in ["TURNSTONE_DB", "TURNSTONE_SCHEMA", "TURNSTONE_SERVER", "TURNSTONE_TOKEN"] {
        command.env_remove(name);
    }
    command.output().unwrap()
}

/// Where cargo put the `turnstone` command beside this test.
fn binaries() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(|deps| deps.parent()).unwrap().to_path_buf();
    assert!(folder.join("turnstone").exists(), "build the command first: cargo build --profile ci -p turnstone-cli");
    folder
}

fn is_hash(word: &str) -> bool {
    word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}
