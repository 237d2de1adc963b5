//! Every command does what its help says, as JSON and for people.

use crate::common::{Device, Server, command, token, turnstone};
use serde_json::json;
use tempfile::tempdir;

#[test]
fn a_note_is_added_read_changed_and_deleted() {
    let folder = tempdir().unwrap();
    let device = Device::new(folder.path(), "a.db");
    let made = device.run(&["notes", "init"]).json();
    assert_eq!(made["schema"], "notes");

    let added = device.run(&["notes", "add", "Ferry times", "--body", "- 9:40", "--tag", "travel", "--pin"]).json();
    let id = added["id"].as_str().unwrap();
    assert_eq!(added["repeated"], false);

    let shown = device.run(&["notes", "show", id]).json();
    assert_eq!(
        (&shown["title"], &shown["body"], &shown["tag"]),
        (&json!("Ferry times"), &json!("- 9:40"), &json!("travel"))
    );
    assert_eq!((&shown["pinned"], &shown["views"], &shown["state"]), (&json!(true), &json!(1), &json!("saved")));
    assert_eq!(device.run(&["notes", "show", &id[..13], "--peek"]).json()["views"], 1, "peeking does not count");

    device.run(&["notes", "edit", id, "--tag", "island", "--unpin"]).json();
    assert_eq!(device.pipe(&["notes", "edit", id, "--body", "-"], "from stdin ✔".as_bytes()).exit, 0);
    let shown = device.run(&["notes", "show", id, "--peek"]).json();
    assert_eq!(
        (&shown["tag"], &shown["pinned"], &shown["body"]),
        (&json!("island"), &json!(false), &json!("from stdin ✔"))
    );

    let status = device.run(&["notes", "status"]).json();
    assert_eq!((&status["pending_groups"], &status["dead_letters"]), (&json!(4), &json!(0)));
    device.run(&["notes", "rm", id]).json();
    assert_eq!(device.run(&["notes", "show", id]).error(4), "not_found");
    assert_eq!(device.run(&["notes", "list"]).json()["total"], 0);
}

#[test]
fn notes_are_listed_pinned_first_then_the_latest() {
    let folder = tempdir().unwrap();
    let device = Device::new(folder.path(), "a.db");
    for (title, more) in [("old", ["--tag", "x"]), ("pinned", ["--pin", "--tag=y"]), ("new", ["--tag", "x"])] {
        device.run(&[&["notes", "add", title], more.as_slice()].concat()).json();
    }
    let titles = |args: &[&str]| -> Vec<String> {
        let listed = device.run(&[&["notes", "list"], args].concat()).json();
        listed["notes"].as_array().unwrap().iter().map(|note| note["title"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(titles(&[]), ["pinned", "new", "old"]);
    assert_eq!(titles(&["--tag", "x"]), ["new", "old"]);
    assert_eq!(titles(&["--pinned"]), ["pinned"]);
    assert_eq!(titles(&["--search", "OL"]), ["old"]);
    assert_eq!(titles(&["--limit", "1"]), ["pinned"]);
    let human = device.say(&["notes", "list"]);
    assert!(human.out.contains("| title") && human.out.contains("3 notes"), "{}", human.out);
}

#[test]
fn a_folder_and_a_file_are_imported_and_importing_again_changes_nothing() {
    let folder = tempdir().unwrap();
    let device = Device::new(folder.path(), "a.db");
    let notes = folder.path().join("notes");
    std::fs::create_dir_all(notes.join("garden")).unwrap();
    std::fs::write(notes.join("garden/roses.md"), "# Roses\n\nCut them in March.").unwrap();
    std::fs::write(notes.join("plain.md"), "no heading").unwrap();
    let path = notes.to_str().unwrap();
    assert_eq!(device.run(&["notes", "import", path, "--dry-run"]).json()["notes"], 2);
    let first = device.run(&["notes", "import", path]).json();
    assert_eq!((&first["added"], &first["groups"]), (&json!(2), &json!(1)));
    let again = device.run(&["notes", "import", path]).json();
    assert_eq!((&again["added"], &again["changed"], &again["unchanged"]), (&json!(0), &json!(0), &json!(2)));
    std::fs::write(notes.join("plain.md"), "changed").unwrap();
    assert_eq!(device.run(&["notes", "import", path]).json()["changed"], 1);
    assert_eq!(device.run(&["notes", "list", "--tag", "garden"]).json()["notes"][0]["title"], "Roses");

    let file = folder.path().join("more.jsonl");
    let lines: String =
        (0..600).map(|n| format!("{{\"id\":\"n{n}\",\"title\":\"t{n}\",\"updated_at\":1700000000}}\n")).collect();
    std::fs::write(&file, lines).unwrap();
    let imported = device.run(&["notes", "import", file.to_str().unwrap()]).json();
    assert_eq!((&imported["added"], &imported["groups"]), (&json!(600), &json!(3)), "in groups of at most 250");
    assert_eq!(device.run(&["notes", "show", "n599", "--peek"]).json()["updated_at"], 1_700_000_000_000_i64);
}

#[test]
fn rows_of_any_table_of_any_schema() {
    let folder = tempdir().unwrap();
    let schema = folder.path().join("shop.toml");
    std::fs::write(
        &schema,
        r#"
name = "shop"
version = 1
[tables.items.fields]
name = { type = "text", default = "" }
price = { type = "real", default = 0.0 }
stock = { type = "integer", default = 0, merge = "counter" }
sold_out = { type = "boolean", default = false }
photo = { type = "bytes", nullable = true }
extra = { type = "json", nullable = true }
"#,
    )
    .unwrap();
    let device = Device::new(folder.path(), "shop.db");
    let create =
        ["row", "create", "items", "name=Lamp", "price=12.5", "stock=3", "photo=AAEC", "extra:={\"b\":1,\"a\":[2]}"];
    let with_schema = |args: &[&str]| device.run(&[args, &["--schema", schema.to_str().unwrap()]].concat());
    let id = with_schema(&create).json()["id"].as_str().unwrap().to_owned();
    // From here on the database knows its schema.
    device.run(&["row", "inc", "items", &id, "stock", "-1"]).json();
    device.run(&["row", "inc", "items", &id, "stock"]).json();
    device.run(&["row", "set", "items", &id, "sold_out=yes", "--fields", "{\"price\":13}"]).json();
    let row = device.run(&["row", "get", "items", &id]).json();
    assert_eq!(
        row["fields"],
        json!({"name":"Lamp","price":13.0,"stock":3,"sold_out":true,"photo":"AAEC","extra":{"a":[2],"b":1}})
    );
    assert_eq!(row["state"], "saved");
    assert_eq!(
        device.pipe(&["row", "create", "items", "--id", "mine", "--fields", "-"], b"{\"name\":\"Chair\"}").json()["id"],
        "mine"
    );
    device.run(&["row", "set", "items", "upserted", "name=Table", "--upsert"]).json();
    let listed = device.run(&["row", "list", "items", "--limit", "2"]).json();
    assert_eq!((listed["rows"].as_array().unwrap().len(), &listed["more"]), (2, &json!(true)));
    let next = device.run(&["row", "list", "items", "--after", listed["rows"][1]["id"].as_str().unwrap()]).json();
    assert_eq!((&next["rows"][0]["id"], &next["more"]), (&json!("upserted"), &json!(false)));
    device.run(&["row", "delete", "items", "mine"]).json();
    assert_eq!(device.run(&["row", "get", "items", "mine"]).error(4), "not_found");
}

#[test]
fn a_write_id_makes_a_write_happen_once() {
    let folder = tempdir().unwrap();
    let device = Device::new(folder.path(), "a.db");
    let first = device.run(&["row", "create", "notes", "title=once", "--write-id", "k1"]).json();
    let again = device.run(&["row", "create", "notes", "title=twice", "--write-id", "k1"]).json();
    assert_eq!((&first["repeated"], &again["repeated"]), (&json!(false), &json!(true)));
    assert_eq!(first["id"], again["id"], "I-04: the first result again");
    let id = first["id"].as_str().unwrap();
    for _ in 0..3 {
        device.run(&["row", "inc", "notes", id, "views", "5", "--write-id", "k2"]).json();
    }
    let row = device.run(&["row", "get", "notes", id]).json();
    assert_eq!((&row["fields"]["views"], &row["fields"]["title"]), (&json!(5), &json!("once")));
    for repeated in [false, true] {
        assert_eq!(device.run(&["row", "delete", "notes", id, "--write-id", "k3"]).json()["repeated"], repeated);
    }
}

#[test]
fn sql_reads_and_writes_and_what_it_writes_travels() {
    let folder = tempdir().unwrap();
    let device = Device::new(folder.path(), "a.db");
    for title in ["a", "b", "c"] {
        device.run(&["notes", "add", title]).json();
    }
    let before = device.run(&["status"]).json()["pending_ops"].as_u64().unwrap();
    let changed = device.run(&["sql", "UPDATE notes SET pinned = 1 WHERE title <> ?", "a"]).json();
    assert_eq!(changed, json!({"changed": 2}));
    assert_eq!(device.run(&["status"]).json()["pending_ops"], before + 2, "captured, and in one group");
    let found = device.run(&["sql", "SELECT title, pinned FROM notes ORDER BY title"]).json();
    assert_eq!(found, json!({"columns":["title","pinned"],"rows":[["a",0],["b",1],["c",1]]}));
    let returned =
        device.run(&["sql", "UPDATE notes SET views = views + ? WHERE title = 'b' RETURNING views", ":=4"]).json();
    assert_eq!(returned["rows"], json!([[4]]));
}

#[test]
fn two_devices_meet_on_a_server_and_hash_alike() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let token = token("t");
    let a = Device::with_server(folder.path(), "a.db", &server.url, &token);
    let b = Device::with_server(folder.path(), "b.db", &server.url, &token);
    let id = a.run(&["notes", "add", "Shared"]).json()["id"].as_str().unwrap().to_owned();
    let synced = a.run(&["notes", "sync"]).json();
    assert_eq!((&synced["groups_pushed"], &synced["pending_groups"]), (&json!(1), &json!(0)));
    assert_eq!(b.run(&["sync"]).json()["rows_pulled"], 1);
    a.run(&["notes", "edit", &id, "--tag", "here"]).json();
    b.run(&["notes", "edit", &id, "--title", "There"]).json();
    for device in [&a, &b, &a] {
        device.run(&["sync"]).json();
    }
    for device in [&a, &b] {
        let shown = device.run(&["notes", "show", &id, "--peek"]).json();
        assert_eq!(
            (&shown["tag"], &shown["title"], &shown["state"]),
            (&json!("here"), &json!("There"), &json!("synced"))
        );
    }
    let (mut one, mut two) = (a.run(&["state-hash"]).json(), b.run(&["state-hash"]).json());
    let mut remote = server.state_hash(&token);
    for (hash, of) in [(&mut one, "device"), (&mut two, "device"), (&mut remote, "server")] {
        assert_eq!(hash.as_object_mut().unwrap().remove("of").unwrap(), of);
    }
    assert_eq!((&one, &two), (&remote, &remote), "I-27");
    assert_eq!(remote["rows"], 1);
}

#[test]
fn watch_shows_the_list_now_and_when_another_device_changes_it() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let token = token("t");
    let a = Device::with_server(folder.path(), "a.db", &server.url, &token);
    let b = Device::with_server(folder.path(), "b.db", &server.url, &token);
    let mut watching = a
        .command(&["notes", "watch", "--count", "2", "--poll", "1"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(watching.stdout.take().unwrap());
    // The list as it is now, before there are news: they come only once.
    let mut now = String::new();
    std::io::BufRead::read_line(&mut out, &mut now).unwrap();
    b.run(&["notes", "add", "News"]).json();
    b.run(&["notes", "sync"]).json();
    std::io::Read::read_to_string(&mut out, &mut now).unwrap();
    watching.wait().unwrap();
    let lists: Vec<serde_json::Value> = now.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lists.len(), 2);
    assert_eq!(lists[1]["notes"][0]["title"], "News");
}

#[test]
fn a_refused_change_is_listed_shown_and_sent_again() {
    let folder = tempdir().unwrap();
    let schema = folder.path().join("s.toml");
    std::fs::write(&schema, "version = 1\n[tables.seats]\ncreate = \"reject\"\n[tables.seats.fields]\nwho = { type = \"text\", default = \"\" }\n")
        .unwrap();
    let path = schema.to_str().unwrap();
    let server = Server::start_with(folder.path(), &["--schema", path]);
    let token = token("t");
    let a = Device::with_server(folder.path(), "a.db", &server.url, &token).and(&["--schema", path]);
    let b = Device::with_server(folder.path(), "b.db", &server.url, &token).and(&["--schema", path]);
    for (device, who) in [(&a, "who=Ann"), (&b, "who=Bob")] {
        device.run(&["row", "create", "seats", who, "--id", "12"]).json();
    }
    assert_eq!(a.run(&["sync"]).exit, 0);
    let synced = b.run(&["sync"]).json_with(7);
    assert_eq!((&synced["rejected"], &synced["dead_letters"]), (&json!(1), &json!(1)));
    let listed = b.run(&["dead", "list"]).json();
    let letter = &listed["dead_letters"][0];
    assert_eq!(letter["code"], "row_exists");
    let number = letter["id"].to_string();
    let shown = b.run(&["dead", "show", &number]).json();
    assert_eq!(shown["ops"][0]["set"]["who"], "Bob", "I-16: what was meant is still there");
    assert_eq!(b.run(&["row", "get", "seats", "12"]).json()["fields"]["who"], "Ann", "the optimistic change is undone");
    assert_eq!(b.run(&["dead", "show", "999"]).error(4), "not_found");
    assert_eq!(b.run(&["dead", "retry", "999"]).error(4), "dead_letter_missing");
    let retried = b.run(&["dead", "retry", &number]);
    assert!(retried.exit == 0 || retried.error(7) == "dead_letter_stale", "{retried:?}");
}

#[test]
fn keys_and_tokens_are_made_and_a_key_is_never_written_over() {
    let folder = tempdir().unwrap();
    let key = folder.path().join("key");
    let path = key.to_str().unwrap();
    assert_eq!(turnstone(&["--json", "token", "--new-key", path]).json()["key_file"], path);
    assert_eq!(turnstone(&["--json", "token", "--new-key", path]).error(3), "file");
    let made = turnstone(&["--json", "token", "--key-file", path, "--tenant", "t", "--sub", "s", "--ttl", "60"]).json();
    assert_eq!((&made["tenant"], &made["sub"]), (&json!("t"), &json!("s")));
    assert_eq!(made["token"].as_str().unwrap().split('.').count(), 3);
    assert_eq!(turnstone(&["--json", "token", "--key-file", path, "--device", "phone"]).error(3), "invalid_id");
    assert_eq!(turnstone(&["--json", "token"]).error(2), "usage", "no key");
}

#[test]
fn a_development_server_prints_a_token_that_opens_it() {
    let folder = tempdir().unwrap();
    let mut child = command()
        .args(["--json", "serve", "--dev", "--listen", "127.0.0.1:0", "--log", "off", "--db"])
        .arg(folder.path().join("server.db"))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    let started: serde_json::Value = serde_json::from_str(&line).unwrap();
    let (url, token) = (started["listening"].as_str().unwrap(), started["token"].as_str().unwrap());
    let hash = turnstone(&["--json", "state-hash", "--remote", "--server", url, "--token", token]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(hash.json()["rows"], 0);
}

#[test]
fn the_proxy_carries_and_counts() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let mut child = command()
        .args(["--json", "proxy", "--to", &server.url, "--seed", "4", "--delay", "1", "--delay-ms", "5"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut read = || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        serde_json::from_str::<serde_json::Value>(&line).unwrap()
    };
    let listening = read();
    assert_eq!(listening["seed"], 4);
    let device = Device::with_server(folder.path(), "a.db", listening["listening"].as_str().unwrap(), &token("t"));
    device.run(&["notes", "add", "x"]).json();
    device.run(&["sync"]).json();
    assert!(std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let summary = &read()["summary"];
    assert!(child.wait().unwrap().success(), "stopped in order");
    assert!(summary["exchanges"].as_u64().unwrap() >= 1 && summary["passed"] == summary["exchanges"], "{summary}");
    assert_eq!(turnstone(&["--json", "proxy", "--to", "x:1", "--drop", "0.8", "--captive", "0.3"]).error(2), "usage");
    assert_eq!(turnstone(&["--json", "proxy", "--to", "x:1", "--drop", "often"]).exit, 2);
}

#[test]
fn usage_errors_are_two_and_json_where_it_was_asked_for() {
    assert_eq!(turnstone(&[]).exit, 2);
    assert_eq!(turnstone(&["nonsense"]).exit, 2);
    assert_eq!(turnstone(&["notes", "add", "--json"]).error(2), "usage");
    assert_eq!(turnstone(&["--version"]).exit, 0);
    let folder = tempdir().unwrap();
    let device = Device::new(folder.path(), "a.db");
    device.run(&["notes", "init"]).json();
    assert_eq!(device.run(&["sync"]).error(2), "usage", "no server");
    assert_eq!(device.run(&["notes", "edit", "x"]).error(2), "usage", "nothing to change");
}
