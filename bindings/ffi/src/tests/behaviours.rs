//! The rest of `bindings/behaviours.txt`: what Kotlin and Swift test too, seen from this side.

use std::sync::Arc;

use super::kit::{Device, Table, TestServer, Tokens, field_of, insert, no_hooks, options, wait};
use super::stores::{code, open};
use crate::error::FfiError;
use crate::hooks::FfiTokenFailure;
use crate::open::{FfiHooks, FfiOptions};
use crate::value::{FfiChange, FfiField, FfiValue};

fn update(table: &str, id: &str, field: &str, text: &str) -> FfiChange {
    FfiChange::Update { table: table.to_owned(), id: id.to_owned(), fields: vec![field_of(field, text)] }
}

fn delete(table: &str, id: &str) -> FfiChange {
    FfiChange::Delete { table: table.to_owned(), id: id.to_owned() }
}

fn increment(id: &str, by: i64) -> FfiChange {
    FfiChange::Increment { table: "notes".to_owned(), id: id.to_owned(), field: "views".to_owned(), by }
}

fn settle(devices: [&Device; 2]) {
    for device in devices.iter().chain(&devices) {
        device.sync();
    }
}

fn status(device: &Device) -> crate::records::FfiStatus {
    wait(device.store.clone().status()).unwrap()
}

#[test]
fn overlapping_edits_of_one_field_end_the_same_everywhere() {
    let server = TestServer::start();
    let (a, b) = (Device::on(&server), Device::on(&server));
    let id = a.insert("plan");
    settle([&a, &b]);
    a.set(&id, "title", "by a");
    b.set(&id, "title", "by b");
    settle([&a, &b]);
    assert_eq!(a.titles(), b.titles());
    assert!(a.titles() == ["by a"] || a.titles() == ["by b"]);
}

#[test]
fn a_delete_against_an_unseen_edit_keeps_the_edit() {
    let server = TestServer::start();
    let (a, b) = (Device::on(&server), Device::on(&server));
    let id = a.insert("plan");
    settle([&a, &b]);
    a.set(&id, "body", "still needed");
    a.sync();
    b.write(vec![delete("notes", &id)]);
    assert!(b.titles().is_empty());
    settle([&b, &a]);
    for device in [&a, &b] {
        assert_eq!(device.query("SELECT body FROM notes").text(0, 0), "still needed");
    }
}

#[test]
fn a_delete_wins_where_the_table_says_so_and_the_edit_is_kept() {
    let server = TestServer::start();
    let (a, b) = (Device::on(&server), Device::on(&server));
    let fields = vec![field_of("name", "old")];
    a.write(vec![FfiChange::Insert { table: "strict".to_owned(), id: Some("s1".to_owned()), fields }]);
    settle([&a, &b]);
    a.write(vec![delete("strict", "s1")]);
    a.sync();
    b.write(vec![update("strict", "s1", "name", "what b typed")]);
    settle([&b, &a]);
    for device in [&a, &b] {
        assert_eq!(device.query("SELECT 1 FROM strict").rows(), 0);
    }
    let letters = wait(b.store.clone().dead_letters()).unwrap();
    assert!(letters.len() == 1 && letters[0].ops_json.contains("what b typed"));
}

#[test]
fn increments_of_two_devices_add_up() {
    let server = TestServer::start();
    let (a, b) = (Device::on(&server), Device::on(&server));
    let id = a.insert("counted");
    settle([&a, &b]);
    for _ in 0..3 {
        a.write(vec![increment(&id, 1)]);
    }
    b.write(vec![increment(&id, 10)]);
    settle([&a, &b]);
    for device in [&a, &b] {
        assert_eq!(device.query("SELECT views FROM notes").int(0, 0), 13);
    }
}

#[test]
fn nobody_signed_in_is_auth_required() {
    let server = TestServer::start();
    let device = Device::with(&server, Tokens::new(vec![Err(FfiTokenFailure::SignIn), Ok(super::kit::mint(3_600))]));
    device.insert("kept");
    let refused = wait(device.store.clone().sync(None));
    assert!(matches!(&refused, Err(FfiError::AuthRequired { code, .. }) if code == "sync_auth"), "{refused:?}");
    assert_eq!(status(&device).pending_groups, 1);
    device.store.token_changed().unwrap();
    device.sync();
    assert_eq!(status(&device).pending_groups, 0);
}

#[test]
fn no_server_is_retryable_and_keeps_everything() {
    // No port that was free a moment ago: the server of another test may have taken it.
    let device = Device::opened(FfiHooks { tokens: Some(Tokens::good()), ..no_hooks() }, |options| FfiOptions {
        url: Some("http://127.0.0.1:1".to_owned()),
        ..options
    });
    device.insert("kept");
    assert_eq!(code(wait(device.store.clone().sync(None))).0, "retryable");
    let status = status(&device);
    assert!(status.pending_groups == 1 && status.last_error_code.is_some() && status.has_remote);
}

#[test]
fn devices_have_identities_of_their_own() {
    let (a, b) = (Device::offline(), Device::offline());
    let identity = |device: &Device| wait(device.store.clone().identity()).unwrap();
    assert_ne!(identity(&a), identity(&b));
    assert_eq!(identity(&a).device.len(), 32);
    assert_eq!(a.store.totals().unwrap().requests, 0);
}

#[test]
fn a_failing_change_undoes_all_of_its_transaction() {
    let device = Device::offline();
    let id = device.insert("first");
    let changes = vec![delete("notes", &id), update("notes", &id, "title", "gone")];
    let refused = wait(device.store.clone().write(changes, None));
    assert_eq!(code(refused), ("invalid", "row_missing".to_owned()));
    assert_eq!(device.titles(), ["first"]);
}

#[test]
fn plain_sql_is_captured() {
    let device = Device::offline();
    device.write(vec![insert("a"), insert("b"), insert("c")]);
    assert_eq!(wait(device.store.clone().execute("UPDATE notes SET pinned = 1".to_owned(), Vec::new())), Ok(3));
    assert_eq!((status(&device).pending_groups, status(&device).pending_ops), (2, 6));
}

#[test]
fn upsert_makes_or_changes() {
    let device = Device::offline();
    for title in ["made", "changed"] {
        let fields = vec![field_of("title", title)];
        device.write(vec![FfiChange::Upsert { table: "notes".to_owned(), id: "n1".to_owned(), fields }]);
    }
    assert_eq!(device.titles(), ["changed"]);
}

#[test]
fn local_only_tables_stay_on_the_device() {
    let server = TestServer::start();
    let device = Device::on(&server);
    let fields = vec![field_of("text", "mine alone")];
    device.write(vec![FfiChange::Insert { table: "drafts".to_owned(), id: None, fields }]);
    assert_eq!(status(&device).pending_groups, 0);
    assert_eq!(device.sync().groups_pushed, 0);
    assert_eq!(device.query("SELECT 1 FROM drafts").rows(), 1);
}

#[test]
fn closed_and_opened_again_everything_is_there() {
    let device = Device::offline();
    device.insert("kept");
    wait(device.store.clone().shutdown()).unwrap();
    let again = open(options(&device.path())).unwrap();
    assert_eq!(wait(again.clone().status()).unwrap().pending_groups, 1);
    let found = Table(wait(again.query("SELECT title FROM notes".to_owned(), Vec::new(), None)).unwrap());
    assert_eq!(found.text(0, 0), "kept");
}

#[test]
fn local_sql_is_run_at_open() {
    let folder = tempfile::TempDir::new().unwrap();
    let view = "CREATE VIEW IF NOT EXISTS pinned AS SELECT title FROM notes WHERE pinned".to_owned();
    let store = open(FfiOptions { local_sql: vec![view], ..options(&folder.path().join("app.db")) }).unwrap();
    let pinned = FfiField { name: "pinned".to_owned(), value: FfiValue::Bool { value: true } };
    let fields = vec![field_of("title", "a"), pinned];
    wait(store.clone().write(vec![FfiChange::Insert { table: "notes".to_owned(), id: None, fields }], None)).unwrap();
    let found = Table(wait(store.query("SELECT title FROM pinned".to_owned(), Vec::new(), None)).unwrap());
    assert_eq!(found.text(0, 0), "a");
}

#[test]
fn a_wrong_schema_is_invalid_argument() {
    let folder = tempfile::TempDir::new().unwrap();
    let wrong = FfiOptions { schema: "tables = 3".to_owned(), ..options(&folder.path().join("app.db")) };
    assert_eq!(code(open(wrong)), ("invalid", "schema".to_owned()));
}

#[test]
fn a_missing_folder_is_unavailable() {
    let folder = tempfile::TempDir::new().unwrap();
    assert_eq!(code(open(options(&folder.path().join("no/app.db")))), ("unavailable", "folder_missing".to_owned()));
}

#[test]
fn a_file_that_is_no_database_is_corrupt_and_untouched() {
    let folder = tempfile::TempDir::new().unwrap();
    let (path, letter) = (folder.path().join("app.db"), "this is a letter and not a database");
    std::fs::write(&path, letter).unwrap();
    assert_eq!(code(open(options(&path))), ("corrupt", "not_a_database".to_owned()));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), letter);
}

#[test]
fn a_second_opener_is_unavailable() {
    let device = Device::offline();
    assert_eq!(code(open(options(&device.path()))), ("unavailable", "already_open".to_owned()));
}

#[test]
fn an_unknown_table_is_invalid_argument() {
    let device = Device::offline();
    let refused = wait(device.store.clone().get("cats".to_owned(), "1".to_owned()));
    assert_eq!(code(refused), ("invalid", "unknown_table".to_owned()));
}

#[test]
fn wrong_sql_is_invalid_argument() {
    let device = Device::offline();
    let refused = wait(device.store.clone().query("SELEKT 1".to_owned(), Vec::new(), None));
    assert_eq!(code(refused), ("invalid", "sql".to_owned()));
}

#[test]
fn a_store_without_a_server_says_so() {
    let device = Device::offline();
    assert_eq!(code(wait(device.store.clone().sync(None))), ("invalid", "no_remote".to_owned()));
    // And one with a server needs somebody who gives tokens.
    let folder = tempfile::TempDir::new().unwrap();
    let url = Some("https://sync.example.com".to_owned());
    let refused = FfiOptions { url, ..options(&folder.path().join("app.db")) };
    assert_eq!(code(wait(crate::store::FfiStore::open(refused, no_hooks()))), ("invalid", "no_tokens".to_owned()));
}

#[test]
fn a_closed_store_says_closed_and_closing_twice_is_fine() {
    let device = Device::offline();
    let store = || Arc::clone(&device.store);
    wait(store().shutdown()).unwrap();
    wait(store().shutdown()).unwrap();
    assert_eq!(code(wait(store().status())), ("closed", "closed".to_owned()));
    assert_eq!(code(wait(store().write(vec![insert("late")], None))), ("closed", "closed".to_owned()));
}

#[test]
fn a_watch_ends_when_the_store_closes() {
    let device = Device::offline();
    wait(async {
        let watch = device.store.clone().watch("SELECT 1 FROM notes".to_owned(), Vec::new()).await.unwrap();
        assert!(watch.clone().next().await.unwrap().is_some());
        let (ended, closed) = tokio::join!(watch.clone().next(), device.store.clone().shutdown());
        assert_eq!((ended, closed), (Ok(None), Ok(())));
    });
}

#[test]
fn a_watch_sees_what_a_sync_brings() {
    let server = TestServer::start();
    let (a, b) = (Device::on(&server), Device::on(&server));
    let watch = wait(b.store.clone().watch("SELECT title FROM notes".to_owned(), Vec::new())).unwrap();
    assert_eq!(Table(wait(watch.clone().next()).unwrap().unwrap()).rows(), 0);
    a.insert("from a");
    settle([&a, &b]);
    assert_eq!(Table(wait(watch.next()).unwrap().unwrap()).text(0, 0), "from a");
}
