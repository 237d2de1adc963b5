//! Databases of released versions open for ever, and sync on where they stopped (I-44, I-45).
//!
//! Each folder of `tests/fixtures` holds a server and a device as one version left them: rows, ops written offline and ops
//! sent and not heard of, a dead letter, tombstones, a cursor. A released fixture never changes. Whoever adds a migration
//! raises [`VERSION`] and runs this once with `TURNSTONE_FIXTURE=1`: it writes the folder that is missing, by telling the
//! story below to the program as it is then.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod kit;

use std::path::{Path, PathBuf};

use kit::{Device, MemoryServer, assert_converged, refuse};
use tempfile::TempDir;
use turnstone::{RowState, Value};
use turnstone_protocol::{Code, Problem};

/// The newest folder: the version of the device's internal tables and of the server's.
const VERSION: &str = "client1-server2";
const ODD: &str = "🦀 \u{202e} \"; DROP TABLE notes; --";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn note(device: &Device, id: &'static str, title: &'static str) {
    device.store.write(move |tx| tx.insert_with_id("notes", id, [("title", title)])).unwrap();
}

/// What happened before the databases were left.
fn tell(server: &MemoryServer) -> Device {
    let (ann, bob) = (server.device("ann"), server.device("bob"));
    for (id, title) in [("both", "by Ann"), ("odd", ODD), ("gone", "for Bob to delete"), ("lost", "x"), ("counted", "")]
    {
        note(&ann, id, title);
    }
    ann.store.write(|tx| tx.insert_with_id("tasks", "task", [("name", "buy bread")])).unwrap();
    ann.store.write(|tx| tx.insert_with_id("drafts", "draft", [("text", "never leaves")])).unwrap();
    ann.store.write_once("first", |tx| tx.increment("notes", "counted", "views", 1)).unwrap();
    ann.sync();
    bob.sync();
    bob.set("both", "tag", "by Bob");
    bob.increment("counted", 10);
    bob.delete("gone");
    bob.delete("lost");
    bob.sync();
    ann.set("both", "title", "again by Ann");
    ann.set("lost", "title", "meant for a note that is gone");
    ann.sync();

    // Sent, and not heard of; then written offline.
    server.intercept(|request, _| {
        let away = Problem::new(Code::Unavailable, "Not now.");
        request.path.ends_with("/push").then(|| refuse(&away))
    });
    ann.increment("counted", 100);
    ann.store.sync_blocking().unwrap_err();
    note(&ann, "offline", "written offline");
    ann.increment("counted", 1_000);
    ann.store.execute("UPDATE notes SET pinned = 1 WHERE id IN ('both', 'odd')", &[]).unwrap();
    ann.store.write(|tx| tx.update("tasks", "task", [("done", true)])).unwrap();
    ann.delete("odd");
    ann
}

/// Everything of the story, on a device that has synced.
fn assert_story(device: &Device) {
    let fields = |id| ["title", "tag", "views", "pinned"].map(|name| device.field(id, name).unwrap());
    assert_eq!(fields("both"), ["again by Ann", "by Bob", "0", "true"]);
    assert_eq!(fields("counted"), ["", "", "1111", "false"]);
    assert_eq!(fields("offline"), ["written offline", "", "0", "false"]);
    for id in ["gone", "lost", "odd"] {
        assert_eq!(device.field(id, "title"), None, "{id}");
    }
    let task = device.store.get("tasks", "task").unwrap().unwrap();
    assert_eq!(task.get("done"), Some(&Value::Bool(true)));
}

/// I-44: rows, pending ops, what was sent and not heard of, dead letters and cursors of every released version.
#[test]
fn i_44_databases_of_every_released_version_open_and_sync_on() {
    write_the_newest();
    let mut versions = 0;
    for version in std::fs::read_dir(fixtures()).unwrap() {
        let version = version.unwrap().path();
        let [for_server, for_device] = [(); 2].map(|()| TempDir::new().unwrap());
        for file in ["server.db", "server.db.epoch"] {
            std::fs::copy(version.join(file), for_server.path().join(file)).unwrap();
        }
        std::fs::copy(version.join("app.db"), for_device.path().join("app.db")).unwrap();
        let server = MemoryServer::over(for_server, |_| {});
        let ann = Device::over(for_device, server.remote());

        // As it was left, before the server is heard.
        let status = ann.store.status().unwrap();
        assert_eq!((status.pending_groups, status.dead_letters), (6, 1), "{}", version.display());
        assert_eq!(ann.field("counted", "views").as_deref(), Some("1111"));
        assert_eq!(ann.field("odd", "title"), None);
        let letter = ann.store.dead_letters().unwrap().remove(0);
        assert_eq!((letter.code, &*letter.ops[0].id), (Code::RowDeleted, "lost"));
        assert_eq!(letter.ops[0].set["title"], Value::from("meant for a note that is gone"));
        assert!(matches!(ann.store.row_state("notes", "offline").unwrap(), RowState::Saved));
        let draft = ann.store.get("drafts", "draft").unwrap().unwrap();
        assert_eq!(draft.get("text"), Some(&Value::from("never leaves")));
        let again = ann.store.write_once("first", |tx| tx.increment("notes", "counted", "views", 5_000)).unwrap();
        assert!(again.repeated, "a key of then is known now");

        let carl = server.device("carl");
        assert_converged(&server, &[&ann, &carl]);
        assert_story(&ann);
        assert_story(&carl);
        assert_eq!(ann.store.status().unwrap().dead_letters, 1);
        versions += 1;
    }
    assert!(versions > 0);
}

/// Writes the folder of this version if it is asked to, and otherwise holds that it is there.
fn write_the_newest() {
    let folder = fixtures().join(VERSION);
    if folder.exists() {
        return;
    }
    assert!(std::env::var_os("TURNSTONE_FIXTURE").is_some(), "there is no fixture {VERSION}: see the top of this file");
    let server = MemoryServer::new();
    let ann = tell(&server);
    ann.store.close().unwrap();
    server.stop();
    std::fs::create_dir_all(&folder).unwrap();
    for (from, file) in [(&ann.folder, "app.db"), (&*server.folder, "server.db"), (&*server.folder, "server.db.epoch")]
    {
        // Closed, so nothing is left in a write-ahead log.
        assert!(!from.path().join(format!("{file}-wal")).exists());
        std::fs::copy(from.path().join(file), folder.join(file)).unwrap();
    }
    std::fs::write(folder.join("schema.toml"), kit::SCHEMA.trim_start()).unwrap();
}

/// The number in the folder's name is that of the files, so that a migration cannot come without its fixture.
#[test]
fn the_newest_fixture_is_of_this_version() {
    let device = Device::open("new", kit::nowhere());
    let server = MemoryServer::new();
    let version = |path: PathBuf| -> i64 {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    };
    let newest = [device.folder.path().join("app.db"), server.folder.path().join("server.db")].map(version);
    assert_eq!(format!("client{}-server{}", newest[0], newest[1]), VERSION);
}
