//! Everything that can be wrong with what the command is given has a code, an exit code and an advice; nothing is
//! written, nothing is lost, and what was there still works.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::common::{Device, Server, command, token, turnstone};
use serde_json::json;
use tempfile::tempdir;
use turnstone_cli::device::{Act, Answer, Request, RowWrite, Write};

fn with_a_note(folder: &Path) -> (Device, String) {
    let device = Device::new(folder, "a.db");
    let id = device.run(&["notes", "add", "kept"]).json()["id"].as_str().unwrap().to_owned();
    (device, id)
}

/// The note of [`with_a_note`] is there, alone, and can be changed.
#[track_caller]
fn unharmed(device: &Device, id: &str, pending: u64) {
    assert_eq!(device.run(&["notes", "show", id, "--peek"]).json()["title"], "kept");
    let status = device.run(&["status"]).json();
    assert_eq!(status["pending_groups"], pending, "nothing was written");
}

#[test]
fn names_and_values_that_do_not_fit() {
    let folder = tempdir().unwrap();
    let (device, id) = with_a_note(folder.path());
    let cases: &[(&[&str], i32, &str)] = &[
        (&["row", "create", "notse", "title=x"], 3, "unknown_table"),
        (&["row", "list", "notse"], 3, "unknown_table"),
        (&["row", "get", "notse", "x"], 3, "unknown_table"),
        (&["row", "inc", "notse", "x", "y"], 3, "unknown_table"),
        (&["row", "delete", "notse", "x"], 3, "unknown_table"),
        (&["row", "create", "notes", "titel=x"], 3, "unknown_field"),
        (&["row", "inc", "notes", &id, "titel"], 3, "unknown_field"),
        (&["row", "inc", "notes", &id, "title"], 3, "not_a_counter"),
        (&["row", "set", "notes", &id, "views=many"], 3, "invalid_value"),
        (&["row", "set", "notes", &id, "pinned=maybe"], 3, "invalid_value"),
        (&["row", "set", "notes", &id, "title:=null"], 3, "invalid_value"),
        (&["row", "set", "notes", &id, "title:=\"a\\u0000b\""], 3, "invalid_value"),
        (&["row", "set", "notes", &id, "title:={"], 3, "malformed"),
        (&["row", "set", "notes", &id, "--fields", "{\"title\":"], 3, "malformed"),
        (&["row", "set", "notes", &id, "--fields", "[1]"], 3, "malformed"),
        (&["row", "set", "notes", "nobody", "title=x"], 4, "row_missing"),
        (&["row", "inc", "notes", "nobody", "views"], 4, "row_missing"),
        (&["row", "delete", "notes", "nobody"], 4, "row_missing"),
        (&["row", "get", "notes", "nobody"], 4, "not_found"),
        (&["row", "create", "notes", "title=x", "--id", &id], 7, "row_exists"),
        (&["row", "create", "notes", "title=x", "--id", ""], 3, "invalid_id"),
        (&["row", "create", "notes", "title=x", "--write-id", ""], 3, "invalid_write_id"),
        (&["row", "inc", "notes", &id, "views", "9223372036854775807", "--write-id", "a"], 0, ""),
        (&["row", "inc", "notes", &id, "views", "1"], 3, "counter_overflow"),
        (&["notes", "show", "nobody"], 4, "not_found"),
        (&["notes", "rm", "nobody"], 4, "not_found"),
        (&["notes", "import", "/nowhere/at/all"], 4, "not_found"),
        (&["dead", "show", "1"], 4, "not_found"),
        (&["sql", "SELEKT 1"], 3, "sql"),
        (&["sql", "SELECT nothing FROM notes"], 3, "sql"),
        (&["sql", "DROP TABLE notes"], 3, "sql_refused"),
        (&["sql", "CREATE TABLE x(y)"], 3, "sql_refused"),
        (&["sql", "ATTACH 'x.db' AS x"], 3, "sql_refused"),
        (&["sql", "PRAGMA user_version = 7"], 3, "sql_refused"),
        (&["sql", "COMMIT"], 3, "sql_refused"),
        (&["sql", "UPDATE notes SET _v = 7"], 3, "sql_refused"),
        (&["sql", "DELETE FROM _ts_groups"], 3, "sql_refused"),
        (&["sql", "SELECT ?", ":=nope"], 3, "malformed"),
    ];
    for (args, exit, code) in cases {
        let ran = device.run(args);
        if *exit == 0 {
            ran.json();
        } else {
            assert_eq!(ran.error(*exit), *code, "{args:?}");
        }
    }
    unharmed(&device, &id, 2);
}

#[test]
fn text_is_stored_exactly_or_refused() {
    let folder = tempdir().unwrap();
    let device = Device::new(folder.path(), "a.db");
    let at_the_limit = "ä".repeat(512 << 10);
    for text in [
        "👩‍👩‍👧‍👦 e\u{301}",
        "\u{202e}abc\u{202c}",
        "\"; DROP TABLE notes; --",
        "' OR 1=1",
        "line\r\nline\t\u{7}",
        &at_the_limit,
    ] {
        let id = device.pipe(&["notes", "add", "exact", "--body", "-"], text.as_bytes()).json();
        let shown = device.run(&["notes", "show", id["id"].as_str().unwrap(), "--peek"]).json();
        assert_eq!(shown["body"], *text);
    }
    let title = "\"; DROP TABLE notes; --";
    let id = device.run(&["notes", "add", title, "--id", title]).json();
    assert_eq!(id["id"], title);
    assert_eq!(device.run(&["notes", "show", title, "--peek"]).json()["title"], title);
    let before = device.run(&["status"]).json()["pending_groups"].clone();
    let over = device.pipe(&["notes", "add", "x", "--body", "-"], format!("{at_the_limit}ä").as_bytes());
    assert_eq!(over.error(3), "too_large");
    assert_eq!(device.pipe(&["notes", "add", "x", "--body", "-"], b"a\0b").error(3), "invalid_value");
    assert_eq!(device.pipe(&["notes", "add", "x", "--body", "-"], &[0xff, 0xfe]).error(3), "malformed");
    assert_eq!(device.run(&["status"]).json()["pending_groups"], before);
}

#[test]
fn a_broken_import_imports_nothing() {
    let folder = tempdir().unwrap();
    let (device, id) = with_a_note(folder.path());
    let good = "{\"title\":\"good\"}\n".repeat(400);
    let huge = format!("{{\"title\":\"{}\"}}", "x".repeat(2 << 20));
    for (name, last, code) in [
        ("a.jsonl", "{\"title\":", "import_line"),
        ("a.jsonl", "{\"title\":1}", "import_line"),
        ("a.jsonl", "{\"title\":\"nul \\u0000\"}", "invalid_value"),
        ("a.jsonl", huge.as_str(), "too_large"),
        ("a.txt", "", "import_format"),
    ] {
        let file = folder.path().join(name);
        std::fs::write(&file, format!("{good}{last}\n")).unwrap();
        let ran = device.run(&["notes", "import", file.to_str().unwrap()]);
        assert_eq!(ran.error(3), code, "{name} {}", &last[..last.len().min(40)]);
    }
    unharmed(&device, &id, 1);
}

#[test]
fn schemas_that_cannot_be_used() {
    let folder = tempdir().unwrap();
    let (device, id) = with_a_note(folder.path());
    let schema = folder.path().join("s.toml");
    let notes = include_str!("../../schemas/notes.toml");
    let dropped = notes.replace("tag = { type = \"text\", default = \"\", merge = \"lww\" }", "");
    let retyped =
        notes.replace("title = { type = \"text\", default = \"\"", "title = { type = \"integer\", default = 0");
    let cases = [
        ("not toml [", "schema_syntax"),
        ("version = 1\nthing = 2", "schema_unknown_key"),
        ("version = 1\n[tables.notes.fields]\nx = { type = \"txet\" }", "schema_invalid"),
        ("version = 2\n[tables.notes.fields]\nx = { type = \"text\", merge = \"text_crdt\" }", "schema_unsupported"),
        (&dropped.replace("version = 1", "version = 2"), "schema_contradicts"),
        (&retyped.replace("version = 1", "version = 2"), "schema_contradicts"),
        (&dropped, "schema_contradicts"),
    ];
    for (text, code) in cases {
        std::fs::write(&schema, text).unwrap();
        let ran = device.run(&["row", "list", "notes", "--schema", schema.to_str().unwrap()]);
        assert_eq!(ran.error(3), code, "{text}");
        assert!(!code.starts_with("schema_s") || ran.err.contains("s.toml:1:"), "line and column: {}", ran.err);
    }
    assert_eq!(device.run(&["row", "list", "notes", "--schema", "/nowhere.toml"]).error(4), "not_found");
    unharmed(&device, &id, 1);
    // What only adds is taken, rows and pending changes stay.
    let grown = notes
        .replace("version = 1", "version = 2")
        .replace("[tables.notes.fields]", "[tables.notes.fields]\ncolour = { type = \"text\", nullable = true }");
    std::fs::write(&schema, grown).unwrap();
    device.run(&["row", "set", "notes", &id, "colour=red", "--schema", schema.to_str().unwrap()]).json();
    assert_eq!(device.run(&["row", "get", "notes", &id]).json()["fields"]["colour"], "red");
}

#[test]
fn files_that_are_no_database_of_ours_are_left_untouched() {
    let folder = tempdir().unwrap();
    let (device, id) = with_a_note(folder.path());
    let text = folder.path().join("text.db");
    std::fs::write(&text, "Dear diary, this is not a database but it is long enough to look at.").unwrap();
    let patched = |name: &str, at: usize, bytes: &[u8]| {
        let mut file = std::fs::read(&device.db).unwrap();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        let path = folder.path().join(name);
        std::fs::write(&path, file).unwrap();
        path
    };
    // Offsets of the SQLite file format: user_version at 60, application_id at 68.
    let newer = patched("newer.db", 60, &[0, 0, 0x7f, 0xff]);
    let foreign = patched("foreign.db", 68, &[1, 2, 3, 4]);
    for (path, exit, code) in [
        (&text, 8, "not_a_database"),
        (&newer, 9, "newer_database"),
        (&foreign, 8, "foreign_database"),
        (&folder.path().to_owned(), 8, "cannot_open"),
    ] {
        let before = path.is_file().then(|| std::fs::read(path).unwrap());
        let other = Device { db: path.clone(), more: Vec::new() };
        for args in [["notes", "list"], ["notes", "init"], ["status", "--json"]] {
            assert_eq!(other.run(&args).error(exit), code, "{path:?} {args:?}");
        }
        assert_eq!(path.is_file().then(|| std::fs::read(path).unwrap()), before, "untouched");
        let started = command()
            .args(["--json", "serve", "--dev", "--listen", "127.0.0.1:0", "--log", "off", "--db"])
            .arg(path)
            .output()
            .unwrap();
        assert_eq!(started.status.code(), Some(8), "a server neither: {}", String::from_utf8_lossy(&started.stderr));
    }
    assert_eq!(Device::new(folder.path(), "none.db").run(&["notes", "list"]).error(4), "database_missing");
    assert!(!folder.path().join("none.db").exists(), "reading makes no database");
    assert_eq!(Device::new(&folder.path().join("no/such"), "a.db").run(&["notes", "init"]).error(8), "folder_missing");
    unharmed(&device, &id, 1);
}

#[test]
fn a_database_is_open_once() {
    let folder = tempdir().unwrap();
    let (device, id) = with_a_note(folder.path());
    let mut session = device.session();
    assert!(matches!(session.ask(&Request::Status), Answer::Status(_)));
    assert_eq!(device.run(&["notes", "list"]).error(8), "already_open");
    session.finish();
    unharmed(&device, &id, 1);
}

#[test]
fn a_folder_that_cannot_be_written() {
    let folder = tempdir().unwrap();
    let (device, id) = with_a_note(folder.path());
    // Root may write anywhere, so the command runs as nobody, from a place nobody can reach.
    let program = folder.path().join("turnstone");
    std::fs::copy(crate::common::TURNSTONE, &program).unwrap();
    let mode = |path: &Path, mode: u32| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(folder.path(), 0o555);
    mode(&device.db, 0o444);
    let as_nobody = |args: &[&str]| {
        let mut command = Command::new(&program);
        command.args(["--json", "--db"]).arg(&device.db).args(args).env_clear();
        if is_root() {
            command.uid(65_534).gid(65_534);
        }
        command.output().unwrap()
    };
    for args in [["notes", "list"], ["notes", "init"]] {
        let output = as_nobody(&args);
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(8), "{args:?} {err}");
        assert!(err.contains("\"read_only\""), "{err}");
    }
    mode(&device.db, 0o644);
    mode(folder.path(), 0o755);
    unharmed(&device, &id, 1);
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let folder = tempdir().unwrap();
    let device = Device::new(folder.path(), "a.db");
    device.run(&["notes", "init"]).json();
    // A limit on the size of files stands for a small disk: writing beyond it fails, reading goes on.
    let mut limited = Command::new("sh");
    let script = format!(
        "trap '' XFSZ; ulimit -f 600; exec '{}' --db '{}' device",
        crate::common::TURNSTONE,
        device.db.display()
    );
    limited.args(["-c", &script]);
    let mut session = crate::common::Session::start(&mut limited);
    let (mut acked, mut failed) = (0, None);
    for n in 0..400 {
        let set = [("title".to_owned(), turnstone::Value::from(format!("{n} {}", "x".repeat(2000))))].into();
        let row = RowWrite { id: format!("n{n}"), act: Act::Put, set, inc: Default::default() };
        match session.ask(&Request::Write(Write { table: "notes".to_owned(), writes: vec![row], write_id: None })) {
            Answer::Wrote(_) => acked += 1,
            Answer::Failed(why) => {
                failed = Some(why.code);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    let code = failed.expect("the disk never became full");
    assert!(["storage_full", "io"].contains(&code.as_str()), "{code}");
    assert!(acked > 5);
    let Answer::Rows(rows) = session.ask(&Request::Rows { table: "notes".to_owned() }) else { panic!() };
    assert_eq!(rows.len(), acked, "I-06: reads still work, and the failed write left no trace");
    drop(session);
    assert_eq!(device.run(&["notes", "list"]).json()["total"], acked);
    device.run(&["notes", "add", "there is room again"]).json();
    assert_eq!(device.run(&["status"]).json()["pending_groups"], acked + 1);
}

#[test]
fn servers_and_tokens_that_do_not_work() {
    let folder = tempdir().unwrap();
    let (device, id) = with_a_note(folder.path());
    let server = Server::start(folder.path());
    let sync =
        |server: &str, token: &str| device.run(&["sync", "--server", server, "--token", token, "--timeout-ms", "2000"]);
    assert_eq!(sync(&server.url, "nonsense").error(6), "sync_auth");
    assert_eq!(device.run(&["sync", "--server", &server.url]).error(6), "token_missing");
    assert_eq!(sync("http://127.0.0.1:1", &token("t")).error(5), "sync_retry");
    assert_eq!(sync("nonsense", "t").error(3), "invalid_remote");
    assert_eq!(sync("http://example.com", "t").error(3), "invalid_remote", "a token never travels in the clear");
    assert_eq!(
        turnstone(&["--json", "state-hash", "--remote", "--server", &server.url, "--token", "x"]).error(6),
        "token_invalid"
    );
    assert_eq!(turnstone(&["--json", "state-hash", "--remote"]).error(2), "usage");
    let expired =
        command().args(["--json", "token", "--ttl", "0"]).env("TURNSTONE_KEY", crate::common::KEY).output().unwrap();
    let expired: serde_json::Value = serde_json::from_slice(&expired.stdout).unwrap();
    assert_eq!(sync(&server.url, expired["token"].as_str().unwrap()).error(6), "sync_auth");
    unharmed(&device, &id, 1);
    assert_eq!(sync(&server.url, &token("t")).json()["groups_pushed"], 1, "and with a good token it goes on");

    // A token that was renewed in its file is taken up.
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{}\n", token("t"))).unwrap();
    let ran = device.run(&["sync", "--server", &server.url, "--token-file", file.to_str().unwrap()]);
    assert_eq!(ran.json()["pending_groups"], json!(0));
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let start = |args: &[&str]| {
        let mut command = command();
        command.args(["--json", "serve", "--log", "off"]).args(args).env("TURNSTONE_KEY", crate::common::KEY);
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let other = folder.path().join("other.db");
    let (exit, err) = start(&["--listen", &server.address(), "--db", other.to_str().unwrap()]);
    assert!(exit == 1 && err.contains("\"listen\""), "{exit} {err}");
    let (exit, err) = start(&["--listen", "127.0.0.1:0", "--db", folder.path().join("no/such.db").to_str().unwrap()]);
    assert_eq!(exit, 8, "{err}");
    let (exit, err) = start(&["--listen", "127.0.0.1:0", "--key-file", "/nowhere"]);
    assert!(exit == 3 && err.contains("\"key\""), "{exit} {err}");
    let short =
        command().args(["--json", "serve", "--listen", "127.0.0.1:0"]).env("TURNSTONE_KEY", "short").output().unwrap();
    assert_eq!(short.status.code(), Some(3));
    let none = command().args(["--json", "serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(none.status.code(), Some(2), "no key at all");
}
