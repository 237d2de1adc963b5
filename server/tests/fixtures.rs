//! Server databases of released versions: what they hold, and that their history goes on (I-44, I-45).
//!
//! The files are those of `core/tests/store_fixtures.rs`, which tells how they are made and what happened in them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::*;
use serde_json::json;
use turnstone_protocol::wire::{Cause, Outcome};
use turnstone_protocol::{Schema, Value};
use turnstone_server::service::Settings;
use turnstone_server::{Config, Service};

fn over(folder: &tempfile::TempDir, schema: &str) -> Arc<Service> {
    let settings = Settings::from(&Config::new("", Schema::parse(schema).unwrap(), key()));
    Arc::new(Service::open(open(folder, false).unwrap(), settings).unwrap())
}

#[test]
fn i_44_server_databases_of_every_released_version_open_and_go_on() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/fixtures");
    let mut versions = 0;
    for version in std::fs::read_dir(fixtures).unwrap() {
        let version = version.unwrap().path();
        let folder = tempfile::TempDir::new().unwrap();
        for file in ["server.db", "server.db.epoch"] {
            std::fs::copy(version.join(file), folder.path().join(file)).unwrap();
        }
        let schema = std::fs::read_to_string(version.join("schema.toml")).unwrap();
        let service = over(&folder, &schema);
        let device = |id| Device { who: tenant("tenant"), service: Arc::clone(&service), ..World::new().device(id) };

        // Every commit is there, whole and in order, in pages of any size.
        let history = |limit| {
            let commits = device(8).pull_all(limit).into_iter().flat_map(|page| page.commits);
            commits.map(|commit| (commit.n, commit.rows)).collect::<Vec<_>>()
        };
        let all = history(1_000);
        assert_eq!(history(1), all);
        let head = all.len() as u64;
        assert_eq!(all.iter().map(|(n, _)| *n).collect::<Vec<_>>(), (1..=head).collect::<Vec<_>>());
        let last = |id: &str| {
            let mut rows = all.iter().flat_map(|(n, rows)| rows.iter().map(move |row| (*n, row)));
            rows.rfind(|(_, row)| row.id == id).unwrap()
        };
        let (n, both) = last("both");
        assert_eq!(
            (&both.fields["title"], &both.fields["tag"]),
            (&Value::from("again by Ann"), &Value::from("by Bob"))
        );
        assert_eq!(last("counted").1.fields["views"], Value::Int(11));
        assert_eq!(last("gone").1.gone, Some(Cause::Deleted));
        let before = service.state_hash(&tenant("tenant")).unwrap();
        assert_eq!((before.at, before.rows), (head, 4));

        // It goes on: an edit of a live row, one of a row that is gone, a new row; and it is all there after a restart.
        let born = all.iter().find(|(_, rows)| rows.iter().any(|row| row.id == "gone")).unwrap().0;
        let mut bob = device(9);
        assert_eq!(bob.say(1, json!([update("both", n, json!({"title": "now"}))])).commit, Some(head + 1));
        let lost = bob.say(2, json!([update("gone", born, json!({"title": "late"}))]));
        assert_eq!((lost.verdict, lost.explain[0].policy.as_str()), (Outcome::Merged, "delete_wins"));
        assert_eq!(bob.say(3, json!([create("new", "x")])).commit, Some(head + 3));
        let after = service.state_hash(&tenant("tenant")).unwrap();
        drop((bob, service));
        let service = over(&folder, &schema);
        assert_eq!(service.state_hash(&tenant("tenant")).unwrap(), after);
        assert_eq!((after.at, after.rows), (head + 3, 5));
        versions += 1;
    }
    assert!(versions > 0);
}
