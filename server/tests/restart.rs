//! Starting again: over the same file, with a schema that grew, over files that are not ours.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod common;

use std::sync::Arc;

use common::*;
use serde_json::json;
use turnstone_protocol::Schema;
use turnstone_protocol::wire::Outcome;
use turnstone_server::Service;
use turnstone_server::service::{OpenError, Settings};
use turnstone_server::storage::StorageError;

/// An additive change: old devices, cursors, rows and waiting groups go on.
#[test]
fn a_schema_that_grew_keeps_serving() {
    let world = World::new();
    let mut phone = world.device(1);
    let extra =
        json!([{"op": "create", "table": "notes", "id": "n", "set": {"title": "t", "stars": 3, "raw": "AQI="}}]);
    phone.say(1, extra);
    let counting = json!([{"op": "update", "table": "notes", "id": "n", "base": 1, "inc": {"likes": 2}}]);
    assert_eq!(phone.say(2, counting.clone()).verdict, Outcome::SchemaBehind);
    let album = json!([{"op": "create", "table": "albums", "id": "a", "set": {"name": "x"}}]);
    assert_eq!(phone.say(3, album.clone()).verdict, Outcome::SchemaBehind);
    let cursor = phone.pull(1000).cursor;
    let epoch = world.service.epoch();
    drop(phone);

    let grown = SCHEMA.replace("version = 1", "version = 2").replace(
        "fields.best",
        "fields.stars = { type = \"integer\", default = 0 }\n\
         fields.raw = { type = \"bytes\", nullable = true }\n\
         fields.likes = { type = \"integer\", default = 0, merge = \"counter\" }\n\
         fields.best",
    ) + "\n[tables.albums]\nfields.name = { type = \"text\", default = \"\" }\n";
    let mut settings = world.settings.clone();
    settings.schema = Schema::parse(&grown).unwrap();
    let world = reopen(world, settings).unwrap();
    assert_eq!(world.service.epoch(), epoch);
    let mut phone = Device { cursor: Some(cursor), seq: 3, ..world.device(1) };
    assert_eq!(phone.pull(1000).commits.len(), 0, "the cursor is still good");
    let verdicts = phone.push(&[group(2, 2, counting), group(3, 3, album)]).unwrap().verdicts;
    assert_eq!(verdicts.iter().map(|said| said.commit).collect::<Vec<_>>(), [Some(2), Some(3)]);
    let said = phone.say(4, json!([update("n", 2, json!({"stars": "three"}))]));
    assert_eq!(
        (said.verdict, said.fields),
        (Outcome::Rejected, vec!["notes.stars".to_owned()]),
        "the field has its type now"
    );
    let rows = world.device(2).pull(1000).commits.remove(1).rows;
    assert_eq!(
        serde_json::to_value(&rows[0].fields).unwrap(),
        json!({"title": "t", "stars": 3, "raw": "AQI=", "likes": 2})
    );
}

#[test]
fn a_schema_that_contradicts_the_database_is_refused_and_changes_nothing() {
    let world = World::new();
    world.device(1).say(1, json!([create("n", "")]));
    let other = SCHEMA
        .replace("version = 1", "version = 2")
        .replace("type = \"boolean\", default = false", "type = \"text\", default = \"\"");
    let mut settings = world.settings.clone();
    settings.schema = Schema::parse(&other).unwrap();
    let good = world.settings.clone();
    let World { folder, service, .. } = world;
    drop(service);
    let refused = Service::open(open(&folder, false).unwrap(), settings);
    assert!(matches!(refused, Err(OpenError::Schema(error)) if error.to_string().contains("pinned")));
    let service = Arc::new(Service::open(open(&folder, false).unwrap(), good.clone()).unwrap());
    let world = World { folder, settings: good, service };
    assert_eq!(world.device(1).pull(10).at, 1);
}

fn reopen(world: World, settings: Settings) -> Result<World, OpenError> {
    let World { folder, service, .. } = world;
    drop(Arc::into_inner(service).expect("nobody else holds the service"));
    let service = Arc::new(Service::open(open(&folder, false).unwrap(), settings.clone())?);
    Ok(World { folder, settings, service })
}

#[test]
fn files_that_are_not_ours_are_left_alone() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("server.db");
    std::fs::write(&path, b"a letter to my aunt, longer than the head of a database file, and then some").unwrap();
    assert_eq!(open(&folder, false).err(), Some(StorageError::NotOurs));
    assert!(std::fs::read(&path).unwrap().starts_with(b"a letter"));
    std::fs::remove_file(&path).unwrap();

    let theirs = rusqlite::Connection::open(&path).unwrap();
    theirs.execute_batch("CREATE TABLE recipes (cake TEXT)").unwrap();
    drop(theirs);
    let before = std::fs::read(&path).unwrap();
    assert_eq!(open(&folder, false).err(), Some(StorageError::NotOurs));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    std::fs::remove_file(&path).unwrap();

    drop(open(&folder, false).unwrap());
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    assert_eq!(open(&folder, false).err(), Some(StorageError::Newer { found: 99, known: 2 }));
}

/// I-40: without the file beside the database, or when somebody says so, the history is another one.
#[test]
fn the_epoch_is_more_than_the_database() {
    let folder = tempfile::TempDir::new().unwrap();
    let first = open(&folder, false).unwrap().epoch();
    assert_eq!(open(&folder, false).unwrap().epoch(), first);
    let declared = open(&folder, true).unwrap().epoch();
    assert_ne!(declared, first);
    assert_eq!(open(&folder, false).unwrap().epoch(), declared);
    std::fs::remove_file(folder.path().join("server.db.epoch")).unwrap();
    let lost = open(&folder, false).unwrap().epoch();
    assert_ne!(lost, declared);
}
