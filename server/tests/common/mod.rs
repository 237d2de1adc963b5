//! A server in process over a database in a temporary folder, and devices that speak to it in wire JSON.

#![allow(dead_code, unreachable_pub)]

pub mod http;

use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use turnstone_protocol::wire::{PullAnswer, PullPart, PullRequest, PushAnswer, PushRequest, Verdict};
use turnstone_protocol::{DeviceId, Gid, Hlc, Incarnation, Problem, Schema};
use turnstone_server::storage::sqlite::{SqliteOptions, SqliteStorage, Synchronous};
use turnstone_server::storage::{Storage, StorageError};
use turnstone_server::{Config, Key, Limits, Principal, Service, service::Settings};

pub const NOW_MS: u64 = 1_750_000_000_000;
pub const DAY_MS: u64 = 86_400_000;

pub const SCHEMA: &str = r#"
name = "notes"
version = 1

[tables.notes]
delete = "delete_wins"
fields.title = { type = "text", default = "" }
fields.body = { type = "text", default = "" }
fields.pinned = { type = "boolean", default = false }
fields.views = { type = "integer", default = 0, merge = "counter" }
fields.best = { type = "integer", default = 0, merge = "max" }

[tables.lists]
delete = "edit_wins"
create = "reject"
fields.name = { type = "text" }

[tables.drafts]
local_only = true
fields.text = { type = "text", default = "" }
"#;

pub fn schema() -> Schema {
    Schema::parse(SCHEMA).unwrap()
}

pub fn key() -> Key {
    Key::from_bytes([7; 32]).unwrap()
}

pub fn settings() -> Settings {
    Settings::from(&Config::new("", schema(), key()))
}

pub fn tenant(name: &str) -> Principal {
    Principal { tenant: name.to_owned(), sub: "somebody".to_owned(), device: None }
}

/// A service over a database in a temporary folder.
pub struct World {
    pub folder: TempDir,
    pub settings: Settings,
    pub service: Arc<Service>,
}

impl World {
    pub fn new() -> Self {
        Self::with(settings())
    }

    pub fn with_limits(change: impl FnOnce(&mut Limits)) -> Self {
        let mut settings = settings();
        change(&mut settings.limits);
        Self::with(settings)
    }

    pub fn with(settings: Settings) -> Self {
        let folder = TempDir::new().unwrap();
        let service = Arc::new(Service::open(open(&folder, false).unwrap(), settings.clone()).unwrap());
        Self { folder, settings, service }
    }

    /// Closes the database and opens it again.
    pub fn restart(self) -> Self {
        let Self { folder, settings, service } = self;
        drop(Arc::into_inner(service).expect("nobody else holds the service"));
        let service = Arc::new(Service::open(open(&folder, false).unwrap(), settings.clone()).unwrap());
        Self { folder, settings, service }
    }

    pub fn device(&self, id: u128) -> Device {
        Device {
            service: Arc::clone(&self.service),
            who: tenant("acme"),
            device: DeviceId::from_random(id),
            incarnation: Incarnation::from_random(id << 8 | 1),
            seq: 0,
            cursor: None,
            full: false,
            now_ms: NOW_MS,
        }
    }
}

pub fn open(folder: &TempDir, new_epoch: bool) -> Result<Arc<dyn Storage>, StorageError> {
    let options = SqliteOptions {
        synchronous: Synchronous::Off,
        new_epoch,
        ..SqliteOptions::new(
            folder.path().join("server.db"),
            std::array::from_fn(|at| u8::try_from(at).unwrap() ^ u8::from(new_epoch) << 7),
        )
    };
    Ok(Arc::new(SqliteStorage::open(&options)?))
}

/// A device that sends exactly what a test tells it to.
pub struct Device {
    pub service: Arc<Service>,
    pub who: Principal,
    pub device: DeviceId,
    pub incarnation: Incarnation,
    pub seq: u64,
    pub cursor: Option<String>,
    pub full: bool,
    pub now_ms: u64,
}

impl Device {
    pub fn request(&self, groups: &[Json]) -> PushRequest<Box<RawValue>> {
        PushRequest {
            device: self.device,
            incarnation: self.incarnation,
            schema: 1,
            groups: groups.iter().map(raw).collect(),
            runs: false,
            pull: None,
        }
    }

    pub fn push(&self, groups: &[Json]) -> Result<PushAnswer, Problem> {
        self.service.push(&self.who, self.request(groups), self.now_ms)
    }

    pub fn push_and_pull(&self, groups: &[Json]) -> Result<PushAnswer, Problem> {
        let pull = Some(PullPart { cursor: self.cursor.clone(), limit: 1000 });
        self.service.push(&self.who, PushRequest { pull, ..self.request(groups) }, self.now_ms)
    }

    /// Pushes one group with the next seq and gives its verdict.
    pub fn say(&mut self, gid: u128, ops: Json) -> Verdict {
        self.seq += 1;
        let group = group(gid, self.seq, ops);
        self.push(&[group]).unwrap().verdicts.remove(0)
    }

    pub fn pull_request(&self, limit: usize) -> PullRequest {
        PullRequest {
            device: self.device,
            incarnation: self.incarnation,
            schema: 1,
            cursor: self.cursor.clone(),
            limit,
            runs: false,
            full: self.full,
        }
    }

    /// Pulls one page and moves on.
    pub fn pull(&mut self, limit: usize) -> PullAnswer {
        let page = self.service.pull(&self.who, &self.pull_request(limit), self.now_ms).unwrap();
        self.cursor = Some(page.cursor.clone());
        page
    }

    /// Pulls every page from where it stands.
    pub fn pull_all(&mut self, limit: usize) -> Vec<PullAnswer> {
        let mut pages = Vec::new();
        loop {
            let page = self.pull(limit);
            let more = page.more;
            pages.push(page);
            if !more {
                return pages;
            }
        }
    }
}

pub fn gid(id: u128) -> Gid {
    Gid::from_random(id)
}

pub fn raw(json: &Json) -> Box<RawValue> {
    RawValue::from_string(json.to_string()).unwrap()
}

/// A group in wire form, written a moment ago.
pub fn group(id: u128, seq: u64, ops: Json) -> Json {
    json!({"gid": gid(id), "seq": seq, "hlc": Hlc::at(NOW_MS - 1000 + seq), "schema": 1, "ops": ops})
}

pub fn create(id: &str, title: &str) -> Json {
    json!({"op": "create", "table": "notes", "id": id, "set": {"title": title}})
}

pub fn update(id: &str, base: u64, set: Json) -> Json {
    json!({"op": "update", "table": "notes", "id": id, "base": base, "set": set})
}

pub fn increment(id: &str, base: u64, by: i64) -> Json {
    json!({"op": "update", "table": "notes", "id": id, "base": base, "inc": {"views": by}})
}

pub fn delete(id: &str, base: u64) -> Json {
    json!({"op": "delete", "table": "notes", "id": id, "base": base})
}
