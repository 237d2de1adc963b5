//! The server: pushes of two devices, a schema that grows, restarts. An accepted group is durable when it is answered
//! (I-54), applied once however often it is sent (I-09), and whole (I-05).

use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Value as Json, json};
use turnstone_protocol::wire::{PullRequest, PushRequest};
use turnstone_protocol::{DeviceId, Gid, Hlc, Incarnation, Problem, Schema};
use turnstone_server::service::{OpenError, Settings};
use turnstone_server::storage::StorageError;
use turnstone_server::storage::sqlite::{SqliteOptions, SqliteStorage};
use turnstone_server::{Config, Key, Principal, Service};
use turnstone_vfs::{DiskImage, Mount};

use crate::dump;
use crate::scenario::{Failure, Scenario, Session};

/// Where its database is.
pub const PATH: &str = "/server.db";
const NOW_MS: u64 = 1_750_000_000_000;
/// The action before which the schema grows.
const GROWS_AT: usize = 4;

/// The schema it begins with.
pub const SCHEMA: &str = r#"
name = "notes"
version = 1

[tables.notes]
delete = "edit_wins"
fields.title = { type = "text", default = "" }
fields.body = { type = "text", default = "" }
fields.views = { type = "integer", default = 0, merge = "counter" }
"#;

pub(super) const GROWN: &str = r#"
name = "notes"
version = 2

[tables.notes]
delete = "edit_wins"
fields.title = { type = "text", default = "" }
fields.body = { type = "text", default = "" }
fields.views = { type = "integer", default = 0, merge = "counter" }
fields.pinned = { type = "boolean", default = false }

[tables.lists]
fields.name = { type = "text", default = "" }
"#;

/// Pushes to the server.
#[derive(Debug, Clone)]
pub struct Pushes {
    /// Varies sizes and values.
    pub seed: u64,
}

impl Scenario for Pushes {
    fn name(&self) -> &'static str {
        "server pushes"
    }

    fn start(&self) -> Result<Vec<DiskImage>, Failure> {
        Ok(vec![DiskImage::new()])
    }

    fn actions(&self) -> usize {
        8
    }

    fn open<'a>(&self, machines: &'a [Mount]) -> Result<Box<dyn Session + 'a>, Failure> {
        let machine = machines.first().ok_or_else(|| Failure::unexpected("no machine"))?;
        Ok(Box::new(Running { machine, service: Some(open_with(machine, &[SCHEMA, GROWN])?), seed: self.seed }))
    }

    fn dump(&self, victim: &Mount) -> Result<String, Failure> {
        dump::dump(victim, PATH, &[])
    }
}

struct Running<'a> {
    machine: &'a Mount,
    service: Option<Service>,
    seed: u64,
}

impl Running<'_> {
    fn service(&mut self, schema: &str) -> Result<&Service, Failure> {
        if self.service.is_none() {
            self.service = Some(open(self.machine, schema)?);
        }
        self.service.as_ref().ok_or_else(|| Failure::unexpected("no service"))
    }
}

impl Session for Running<'_> {
    fn act(&mut self, i: usize) -> Result<(), Failure> {
        if i == GROWS_AT {
            self.service = None;
        }
        let schema = if i >= GROWS_AT { GROWN } else { SCHEMA };
        let seed = self.seed;
        push(self.service(schema)?, i, seed)
    }

    fn see(&mut self) -> Result<String, Failure> {
        if self.service.is_none() {
            self.service = Some(open_with(self.machine, &[SCHEMA, GROWN])?);
        }
        let service = self.service(GROWN)?;
        let mut seen = String::new();
        let mut cursor = None;
        loop {
            let request = PullRequest {
                device: DeviceId::from_random(99),
                incarnation: Incarnation::from_random(99),
                schema: 1,
                cursor,
                limit: 3,
                runs: false,
                full: true,
            };
            let page = service.pull(&who(), &request, now_ms(50)).map_err(problem)?;
            seen += &serde_json::to_string(&page.commits).map_err(Failure::unexpected)?;
            if !page.more {
                break;
            }
            cursor = Some(page.cursor);
        }
        let hash = service.state_hash(&who()).map_err(problem)?;
        Ok(format!("{seen} {hash:?}"))
    }
}

/// Sends what belongs to action `i`; all of it must be accepted.
///
/// # Errors
/// If it is not.
pub fn push(service: &Service, i: usize, seed: u64) -> Result<(), Failure> {
    let request = request(i, seed)?;
    let expected = request.groups.len();
    let answer = service.push(&who(), request, now_ms(i)).map_err(problem)?;
    let accepted = answer.verdicts.iter().filter(|verdict| verdict.verdict.is_accepted()).count();
    if accepted != expected {
        return Err(Failure::unexpected(format!("{accepted} of {expected} groups accepted")));
    }
    Ok(())
}

/// Opens with the first of these schemas that the database takes: one that has grown does not go back.
pub(super) fn open_with(machine: &Mount, schemas: &[&str]) -> Result<Service, Failure> {
    let mut refused = Failure::unexpected("no schema");
    for schema in schemas {
        match open(machine, schema) {
            Ok(service) => return Ok(service),
            Err(failure) if failure.code == "schema" => refused = failure,
            Err(failure) => return Err(failure),
        }
    }
    Err(refused)
}

/// Opens the service over the database on a machine.
///
/// # Errors
/// The typed error of what is opened.
pub fn open(machine: &Mount, schema: &str) -> Result<Service, Failure> {
    open_as(machine, schema, "witness")
}

/// The same, with another witness of its history.
pub(super) fn open_as(machine: &Mount, schema: &str, witness: &str) -> Result<Service, Failure> {
    let options = SqliteOptions {
        vfs: Some(machine.name().to_owned()),
        witness: Some(witness.to_owned()),
        ..SqliteOptions::new(PATH, [7; 32])
    };
    let store = SqliteStorage::open(&options).map_err(storage)?;
    let schema = Schema::parse(schema).map_err(Failure::unexpected)?;
    let key = Key::from_bytes([7; 32]).map_err(Failure::unexpected)?;
    let settings = Settings::from(&Config::new(PATH, schema, key));
    Service::open(Arc::new(store), settings).map_err(|error| match error {
        OpenError::Storage(error) => storage(error),
        OpenError::Schema(error) => Failure { code: "schema".into(), message: error.to_string() },
        OpenError::NoKey => Failure::unexpected(error),
    })
}

fn storage(error: StorageError) -> Failure {
    let code = match &error {
        StorageError::Full => "full",
        StorageError::Io(_) => "io",
        StorageError::Busy => "busy",
        other => return Failure::unexpected(other),
    };
    Failure { code: code.into(), message: error.to_string() }
}

pub(super) fn problem(problem: Problem) -> Failure {
    Failure { code: problem.code.as_str().to_owned(), message: format!("{problem:?}") }
}

/// Who asks.
pub fn who() -> Principal {
    Principal { tenant: "acme".to_owned(), sub: "somebody".to_owned(), device: None }
}

fn now_ms(i: usize) -> u64 {
    NOW_MS + i as u64 * 1_000
}

/// Action `i`: one or more groups of the device whose turn it is.
fn request(i: usize, seed: u64) -> Result<PushRequest<Box<RawValue>>, Failure> {
    let device = (i % 2) as u64 + 1;
    let groups = 1 + i % 3;
    // The seq of its first group: all groups of the earlier actions of this device.
    let before: usize = (0..i).filter(|earlier| earlier % 2 == i % 2).map(|earlier| 1 + earlier % 3).sum();
    let groups = (0..groups)
        .map(|g| group(i, g, before + g + 1, seed))
        .map(|json| RawValue::from_string(json.to_string()).map_err(Failure::unexpected))
        .collect::<Result<_, _>>()?;
    Ok(PushRequest {
        device: DeviceId::from_random(device.into()),
        incarnation: Incarnation::from_random(u128::from(device) << 8),
        schema: if i >= GROWS_AT { 2 } else { 1 },
        groups,
        runs: false,
        pull: None,
    })
}

fn group(i: usize, g: usize, seq: usize, seed: u64) -> Json {
    let mut ops = Vec::new();
    let size = (seed as usize * 7 + i * 13 + g * 5) % 40 * 200;
    let id = format!("n{i}-{g}");
    ops.push(json!({"op": "create", "table": "notes", "id": id, "set": {"title": id, "body": "b".repeat(size)}}));
    if i > 0 {
        // Both devices write the notes of action 0 for ever: counters, registers, merges.
        ops.push(json!({"op": "update", "table": "notes", "id": "n0-0", "base": 1, "inc": {"views": 1 + i}}));
        ops.push(
            json!({"op": "update", "table": "notes", "id": "n0-0", "base": 1, "set": {"title": format!("by {i}")}}),
        );
    }
    if i > 2 && g == 0 {
        let gone = format!("n{}-0", i - 2);
        ops.push(json!({"op": "delete", "table": "notes", "id": gone, "base": 1}));
    }
    if i >= GROWS_AT {
        ops.push(json!({"op": "create", "table": "lists", "id": format!("l{i}-{g}"), "set": {"name": "new"}}));
    }
    json!({
        "gid": Gid::from_random((i * 10 + g + 1) as u128), "seq": seq, "hlc": Hlc::at(now_ms(i) - 100 + g as u64),
        "schema": if i >= GROWS_AT { 2 } else { 1 }, "ops": ops,
    })
}
