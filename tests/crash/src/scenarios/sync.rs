//! Client and server together: local writes, pushes with their verdicts, pages that another device wrote, a schema
//! that grows (I-03, I-09, I-14, I-20, I-23). The accidents meet the client or the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use serde_json::value::RawValue;
use turnstone::transport::StaticToken;
use turnstone::{Durability, Error, Options, Remote, Store, Tx, Value};
use turnstone_protocol::wire::PushRequest;
use turnstone_protocol::{DeviceId, Gid, Hlc, Incarnation};
use turnstone_vfs::{DiskImage, Mount};

use super::client::{self, GROWN, NOW_MS, SCHEMA};
use super::server;
use crate::dump;
use crate::link::Slot;
use crate::scenario::{Failure, Scenario, Session};
use crate::time::Time;

const ACTIONS: usize = 12;
/// The action from which on the server, and the one from which on the client runs the grown schema.
const SERVER_GROWS_AT: usize = 4;
const CLIENT_GROWS_AT: usize = 7;

static NEXT_LIFE: AtomicU64 = AtomicU64::new(1);

/// Whom the accidents meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// The device.
    Client,
    /// The server.
    Server,
}

/// A device and a server that sync, and another device that writes to the server.
#[derive(Debug, Clone)]
pub struct Syncs {
    /// Whom the accidents meet.
    pub victim: Victim,
    /// What an acknowledged write is to survive on the client.
    pub durability: Durability,
    /// Varies sizes and values.
    pub seed: u64,
}

impl Scenario for Syncs {
    fn name(&self) -> &'static str {
        match (self.victim, self.durability) {
            (Victim::Server, _) => "sync, server hit",
            (Victim::Client, Durability::Power) => "sync, client hit",
            (Victim::Client, Durability::Process) => "sync, Process client",
        }
    }

    fn start(&self) -> Result<Vec<DiskImage>, Failure> {
        Ok(vec![DiskImage::new(), DiskImage::new()])
    }

    fn victim(&self) -> usize {
        usize::from(self.victim == Victim::Server)
    }

    fn durable(&self) -> bool {
        self.victim == Victim::Server || self.durability == Durability::Power
    }

    fn repeatable(&self) -> bool {
        self.durable()
    }

    fn actions(&self) -> usize {
        ACTIONS
    }

    fn atomic(&self, i: usize) -> bool {
        !is_sync(i) && i != CLIENT_GROWS_AT
    }

    fn open<'a>(&self, machines: &'a [Mount]) -> Result<Box<dyn Session + 'a>, Failure> {
        let [client, server] = machines else {
            return Err(Failure::unexpected("two machines are needed"));
        };
        let time = Arc::new(Time::new(NOW_MS)?);
        let mut running =
            Running { client, server, scenario: self.clone(), slot: Slot::default(), time, store: None, at: 0 };
        let time = Arc::clone(&running.time);
        let _inside = time.enter();
        running.start_server(None)?;
        running.start_client(None)?;
        Ok(Box::new(running))
    }

    fn dump(&self, victim: &Mount) -> Result<String, Failure> {
        match self.victim {
            Victim::Client => dump::dump(victim, client::PATH, &["_ts_sessions"]),
            Victim::Server => dump::dump(victim, server::PATH, &[]),
        }
    }
}

/// Every third action is a sync.
fn is_sync(i: usize) -> bool {
    i % 3 == 2
}

struct Running<'a> {
    client: &'a Mount,
    server: &'a Mount,
    scenario: Syncs,
    slot: Slot,
    time: Arc<Time>,
    store: Option<(Store, bool)>,
    /// How far the clocks have come.
    at: u64,
}

impl Running<'_> {
    /// Starts the server, grown or, if nobody says, as it was.
    fn start_server(&mut self, schema: Option<&str>) -> Result<(), Failure> {
        self.slot.set(None);
        let service = match schema {
            Some(schema) => server::open(self.server, schema)?,
            None => server::open_with(self.server, &[SCHEMA, GROWN])?,
        };
        self.slot.set(Some(Arc::new(service)));
        Ok(())
    }

    /// Starts the client, grown or, if nobody says, as it was.
    fn start_client(&mut self, grown: Option<bool>) -> Result<(), Failure> {
        if let Some((store, _)) = self.store.take() {
            // It is closed whatever it says; what it says may be the fault.
            let _ = store.close();
            self.time.settle();
        }
        let grown = match grown {
            Some(grown) => grown,
            None => client::has_grown(self.client)?,
        };
        let schema = if grown { GROWN } else { SCHEMA };
        let life = NEXT_LIFE.fetch_add(1, Ordering::Relaxed);
        let remote = Remote::custom(self.slot.transport(server::who()), StaticToken::new("token"));
        let time = (self.time.clock(), life);
        let more = |options: Options| self.time.drive(options.remote(remote));
        let store = client::open_with(self.client, schema, self.scenario.durability, time, more)?;
        self.store = Some((store, grown));
        Ok(())
    }

    fn store(&mut self) -> Result<&(Store, bool), Failure> {
        if self.store.is_none() {
            self.start_client(None)?;
        }
        self.store.as_ref().ok_or_else(|| Failure::unexpected("no store"))
    }

    /// Moves all clocks on, past every back-off.
    fn later(&mut self) {
        self.at += 600_000;
        self.time.advance_ms(600_000);
        self.slot.set_now_ms(NOW_MS + self.at);
    }

    fn sync(&mut self) -> Result<(), Failure> {
        self.later();
        self.store()?;
        let Some((store, _)) = &self.store else { return Err(Failure::unexpected("no store")) };
        self.time.sync(store)?.map_err(client::failure)?;
        let status = store.status().map_err(client::failure)?;
        if status.pending_groups > 0 {
            return Err(Failure { code: "pending".into(), message: "not everything was sent".into() });
        }
        if status.dead_letters > 0 {
            return Err(Failure::unexpected("a dead letter"));
        }
        Ok(())
    }

    /// Another device writes to the server.
    fn elsewhere(&mut self, i: usize) -> Result<(), Failure> {
        if self.slot.service().is_none() {
            self.start_server(None)?;
        }
        let service = self.slot.service().ok_or_else(|| Failure::unexpected("no server"))?;
        let request = elsewhere(i, self.scenario.seed)?;
        let groups = request.groups.len();
        let answer = service.push(&server::who(), request, NOW_MS + self.at).map_err(server::problem)?;
        let accepted = answer.verdicts.iter().filter(|verdict| verdict.verdict.is_accepted()).count();
        if accepted == groups { Ok(()) } else { Err(Failure::unexpected(format!("refused: {:?}", answer.verdicts))) }
    }
}

impl Session for Running<'_> {
    fn act(&mut self, i: usize) -> Result<(), Failure> {
        let time = Arc::clone(&self.time);
        let _inside = time.enter();
        self.later();
        if i == SERVER_GROWS_AT {
            self.start_server(Some(GROWN))?;
        }
        if i >= CLIENT_GROWS_AT && !self.store()?.1 {
            self.start_client(Some(true))?;
        }
        match i % 3 {
            0 => self.elsewhere(i),
            1 => {
                let seed = self.scenario.seed;
                let (store, grown) = self.store()?;
                let grown = *grown;
                let write = move |tx: &mut Tx<'_>| write(tx, i, seed, grown);
                store.write_once(&format!("write {i}"), write).map_err(client::failure)?;
                Ok(())
            }
            _ => self.sync(),
        }
    }

    fn see(&mut self) -> Result<String, Failure> {
        let time = Arc::clone(&self.time);
        let _inside = time.enter();
        let (store, grown) = self.store()?;
        let rows = client::rows(store, *grown)?;
        if self.scenario.victim == Victim::Client {
            return Ok(rows);
        }
        if self.slot.service().is_none() {
            self.start_server(None)?;
        }
        let service = self.slot.service().ok_or_else(|| Failure::unexpected("no server"))?;
        let hash = service.state_hash(&server::who()).map_err(server::problem)?;
        Ok(format!("{rows}{} rows, {}", hash.rows, hash.hash))
    }

    fn settle(&mut self) -> Result<(), Failure> {
        let time = Arc::clone(&self.time);
        let _inside = time.enter();
        if self.slot.service().is_none() {
            self.start_server(None)?;
        }
        self.sync()?;
        client::whole(&self.store()?.0)?;
        let ours = self.store()?.0.state_hash().map_err(client::failure)?;
        let service = self.slot.service().ok_or_else(|| Failure::unexpected("no server"))?;
        let theirs = service.state_hash(&server::who()).map_err(server::problem)?;
        if ours.hash == theirs.hash && ours.rows == theirs.rows {
            return Ok(());
        }
        Err(Failure::unexpected(format!("client and server differ: {ours:?} and {theirs:?}")))
    }
}

/// The client's writes: titles, counters and rows of its own; never a field that the other device writes too, so that
/// the end does not hang on who came first.
fn write(tx: &mut Tx<'_>, i: usize, seed: u64, grown: bool) -> Result<(), Error> {
    let text = "text ".repeat((seed as usize * 31 + i * 17) % 400);
    for n in 0..3 {
        let id = format!("c{i}-{n}");
        tx.insert_with_id("notes", &id, [("title", Value::from(id.clone())), ("body", Value::from(text.clone()))])?;
    }
    // Rows that both write: made by the other device, here only if a page brought them.
    if tx.get("notes", "shared")?.is_some() {
        tx.increment("notes", "shared", "views", i as i64)?;
        tx.execute("UPDATE notes SET title = 'client ' || ?1 WHERE id = 'shared'", &[Value::from(i as i64)])?;
    }
    if i > 3 {
        tx.delete("notes", &format!("c{}-0", i - 3))?;
    }
    if grown {
        tx.insert_with_id("tags", &format!("tag{i}"), [("name", "new")])?;
    }
    Ok(())
}

/// What the other device sends at action `i`: bodies, counters, the greatest, and rows of its own.
fn elsewhere(i: usize, seed: u64) -> Result<PushRequest<Box<RawValue>>, Failure> {
    let body = "elsewhere ".repeat((seed as usize * 13 + i * 11) % 300);
    let mut ops = Vec::new();
    if i == 0 {
        ops.push(json!({"op": "create", "table": "notes", "id": "shared", "set": {"body": "first"}}));
    } else {
        ops.push(json!({"op": "update", "table": "notes", "id": "shared", "base": 1,
                        "set": {"body": body, "best": i}, "inc": {"views": 100}}));
        ops.push(json!({"op": "delete", "table": "notes", "id": format!("e{}-0", i - 3), "base": 1}));
    }
    for n in 0..4 {
        ops.push(json!({"op": "create", "table": "notes", "id": format!("e{i}-{n}"), "set": {"body": body}}));
    }
    let group = json!({
        "gid": Gid::from_random(1_000 + i as u128), "seq": 1 + i / 3, "hlc": Hlc::at(NOW_MS + i as u64), "schema": 1,
        "ops": ops,
    });
    Ok(PushRequest {
        device: DeviceId::from_random(2),
        incarnation: Incarnation::from_random(2),
        schema: 1,
        groups: vec![RawValue::from_string(group.to_string()).map_err(Failure::unexpected)?],
        runs: false,
        pull: None,
    })
}
