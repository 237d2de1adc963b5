//! No log of a client or a server, at any level, and no error holds a payload, an id, a token or a key (I-61).

use crate::common::{Device, KEY, Server, read, token};
use tempfile::tempdir;

const CANARY: &str = "canary-7d3f";

#[test]
fn logs_at_every_level_hold_no_canary() {
    let folder = tempdir().unwrap();
    let server = Server::start_with(folder.path(), &["--log-level", "trace"]);
    let token = token("t");
    let mut logs = String::new();
    for name in ["a.db", "b.db"] {
        let device = Device::with_server(folder.path(), name, &server.url, &token).and(&[
            "--log",
            "json",
            "--log-level",
            "trace",
        ]);
        for args in [
            vec!["notes", "add", CANARY, "--body", CANARY, "--tag", CANARY, "--id", CANARY, "--write-id", CANARY],
            vec!["sql", "UPDATE notes SET body = 'canary-7d3f too'"],
            vec!["sync"],
            vec!["notes", "edit", CANARY, "--title", "canary-7d3f three"],
            vec!["sync"],
            vec!["sync", "--token", "canary-7d3f"],
            vec!["row", "inc", "notes", CANARY, "views"],
            vec!["notes", "rm", CANARY],
            vec!["sync"],
        ] {
            let ran = device.run(&args);
            assert!(!ran.err.contains(CANARY), "{args:?}: {}", ran.err);
            logs.push_str(&ran.err);
        }
    }
    // A body that is no JSON, a cursor and a token that are nonsense.
    let long = format!("{CANARY}.{CANARY}.{CANARY}");
    crate::common::turnstone(&["state-hash", "--remote", "--server", &server.url, "--token", &long]);
    logs.push_str(&read(&server.log));
    assert!(logs.contains("\"request\"") || logs.contains("request"), "there are logs at all");
    assert!(logs.lines().count() > 20, "{logs}");
    let signature = token.rsplit('.').next().unwrap();
    for secret in [CANARY, signature, &token, KEY] {
        assert!(!logs.contains(secret), "found in: {}", logs.lines().find(|line| line.contains(secret)).unwrap());
    }
}

#[test]
fn errors_hold_no_canary() {
    let folder = tempdir().unwrap();
    let device = Device::new(folder.path(), "a.db");
    device.run(&["notes", "add", CANARY, "--id", CANARY]).json();
    for args in [
        vec!["row", "create", "notes", "title=x", "--id", CANARY],
        vec!["row", "set", "notes", CANARY, "views=canary-7d3f"],
        vec!["row", "set", "notes", CANARY, "pinned:=\"canary-7d3f\""],
        vec!["row", "set", "notes", CANARY, "--fields", "{\"title\": canary-7d3f"],
        vec!["row", "set", "notes", "canary-7d3f-2", "title=x"],
        vec!["row", "get", "notes", "canary-7d3f-2"],
        vec!["notes", "show", "canary-7d3f-2"],
    ] {
        for ran in [device.run(&args), device.say(&args)] {
            assert!(ran.exit > 2 && !ran.err.is_empty(), "{args:?} {}", ran.err);
            assert!(!ran.err.contains(CANARY), "{args:?}: {}", ran.err);
        }
    }
}
