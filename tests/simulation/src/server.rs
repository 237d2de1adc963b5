//! The server of a world: the real rules on the real storage, over a disk in memory, behind a small front of its own.

mod message;
mod neighbour;
mod reading;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::Connection;
use serde_json::value::RawValue;
use turnstone::transport::{Method, Request, Response};
use turnstone_protocol::wire::{PRINCIPAL, PullRequest, PushRequest};
use turnstone_protocol::{Code, Epoch, Problem};
use turnstone_server::config::Limits;
use turnstone_server::key::Key;
use turnstone_server::service::{Principal, Service, Settings};
use turnstone_server::storage::sqlite::{SqliteOptions, SqliteStorage};
use turnstone_server::token;
use turnstone_vfs::{Disk, DiskImage};

pub use self::message::expand;
use self::message::life;
pub(crate) use self::message::refusal;
use crate::app;
use crate::front::Front;
use crate::past::Copy;

/// The tenant every device belongs to.
pub const TENANT: &str = "family";
/// How long a token lasts, in seconds.
const TOKEN_S: u64 = 900;

/// What the server is told at its start.
#[derive(Debug, Clone)]
pub struct ServerSetup {
    /// The VFS its disk is mounted as.
    pub vfs: String,
    /// Rows in a page.
    pub page_rows_max: usize,
    /// Groups in a push.
    pub push_groups_max: usize,
    /// When commits are stable.
    pub stable_after_ms: u64,
    /// Randomness of its history.
    pub random: [u8; 32],
}

/// The server.
pub struct Server {
    /// Its disk.
    pub disk: Disk,
    /// How it is set up.
    pub setup: ServerSetup,
    key: Key,
    service: Option<Service>,
    judge: RefCell<Option<Connection>>,
    /// Its last commit, and the steps of its disk when that was read.
    headed: Cell<Option<(u64, u64)>>,
    /// What another tenant wrote.
    neighbours: u64,
    /// How often somebody declared its history another one.
    epochs: u64,
    /// Tokens of a device with a lower number are refused.
    pub token_floor: BTreeMap<usize, u64>,
    /// Devices that it takes no token of; true: it takes them and allows nothing.
    pub shut_out: BTreeMap<usize, bool>,
    /// What stands before it.
    pub front: Front,
    /// The version of its schema.
    pub version: u32,
    /// Why it could not start, if it could not.
    pub failed: Option<String>,
}

impl Server {
    /// Makes one; it is not running yet.
    pub fn new(disk: Disk, setup: ServerSetup) -> Self {
        Self {
            disk,
            setup,
            key: Self::test_key(),
            service: None,
            judge: RefCell::default(),
            headed: Cell::default(),
            neighbours: 0,
            epochs: 0,
            token_floor: BTreeMap::new(),
            shut_out: BTreeMap::new(),
            front: Front::default(),
            version: 1,
            failed: None,
        }
    }

    /// A token for a device.
    pub fn mint(key: &Key, device: usize, number: u64, now_ms: u64) -> Result<String, Problem> {
        token::mint(key, TENANT, &format!("{device}-{number}"), None, TOKEN_S, now_ms)
    }

    /// The key every server of a world has.
    pub fn test_key() -> Key {
        Key::from_bytes(vec![7; 32]).expect("32 bytes are a key")
    }

    /// The key tokens are signed with.
    pub fn key(&self) -> Key {
        self.key.clone()
    }

    /// Starts it if it is down. Returns whether it runs.
    pub fn start(&mut self) -> bool {
        if self.service.is_some() {
            return true;
        }
        match self.open() {
            Ok(service) => {
                self.failed = None;
                self.service = Some(service);
                true
            }
            Err(error) => {
                self.failed = Some(error);
                false
            }
        }
    }

    fn open(&self) -> Result<Service, String> {
        let mut options = SqliteOptions::new("/server.db", self.setup.random);
        options.vfs = Some(self.setup.vfs.clone());
        options.witness = Some(format!("witness {}", self.epochs));
        let storage = SqliteStorage::open(&options).map_err(|error| error.to_string())?;
        let limits = Limits {
            page_rows_max: self.setup.page_rows_max,
            push_groups_max: self.setup.push_groups_max,
            ..Limits::default()
        };
        let settings = Settings {
            schema: app::schema(self.version),
            keys: vec![self.key.clone()],
            limits,
            schema_min: 0,
            stable_after_ms: self.setup.stable_after_ms,
        };
        Service::open(Arc::new(storage), settings).map_err(|error| error.to_string())
    }

    /// Whether its process runs on a disk that lives.
    pub fn is_up(&self) -> bool {
        self.service.is_some() && !self.disk.is_dead()
    }

    /// Its process ends.
    pub fn stop(&mut self) {
        self.service = None;
        self.judge.replace(None);
        self.headed.set(None);
    }

    /// Handles a request; none: it died, nobody knows at which step.
    pub fn handle(&mut self, device: usize, request: &Request, clock_ms: u64, now_ms: u64) -> Option<Response> {
        if let Some(refused) = self.front.refuses(request) {
            return Some(refused);
        }
        if !self.start() {
            return None;
        }
        let answer = self.front.has_time(now_ms).and_then(|()| self.answer(device, request, clock_ms));
        if self.disk.is_dead() {
            return None;
        }
        Some(answer.unwrap_or_else(|problem| refusal(&problem)))
    }

    fn answer(&self, device: usize, request: &Request, now_ms: u64) -> Result<Response, Problem> {
        let who = self.authorise(device, request, now_ms)?;
        let service = self.service.as_ref().ok_or_else(|| Problem::new(Code::Unavailable, "It is down."))?;
        let malformed = |_| Problem::new(Code::Malformed, "The body is not the documented JSON.");
        let path = request.path.split('?').next().unwrap_or_default();
        let body = expand(request)?;
        let json = match (request.method, path) {
            (Method::Post, "/sync/v1/push") => {
                let push: PushRequest<&RawValue> = serde_json::from_slice(&body).map_err(malformed)?;
                service.push_text(&who, &push, now_ms)?.json
            }
            (Method::Post, "/sync/v1/pull") => {
                let pull: PullRequest = serde_json::from_slice(&body).map_err(malformed)?;
                service.pull_text(&who, &pull, now_ms)?.json
            }
            (Method::Get, "/sync/v1/hello") => {
                let life = life(&request.path);
                serde_json::to_string(&service.hello(&who, life, now_ms)?).map_err(malformed)?
            }
            _ => return Err(Problem::new(Code::NotFound, "There is no such endpoint.")),
        };
        Ok(Response {
            status: 200,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: json.into_bytes().into(),
        })
    }

    fn authorise(&self, device: usize, request: &Request, now_ms: u64) -> Result<Principal, Problem> {
        let missing = || Problem::new(Code::TokenMissing, "Send a token.");
        let header = request.headers.iter().find(|(name, _)| *name == "authorization").ok_or_else(missing)?;
        let text = header.1.strip_prefix("Bearer ").ok_or_else(missing)?;
        let who = token::verify(std::slice::from_ref(&self.key), text, now_ms)?;
        let number = who.sub.split_once('-').and_then(|(_, number)| number.parse::<u64>().ok()).unwrap_or(0);
        if number < self.token_floor.get(&device).copied().unwrap_or(0) {
            return Err(Problem::new(Code::TokenExpired, "The token is over."));
        }
        match self.shut_out.get(&device) {
            Some(true) => Err(Problem::new(Code::Forbidden, "This is not allowed any more.")),
            Some(false) => Err(Problem::new(Code::TokenInvalid, "The token is not good here.")),
            None => {
                // The device and the number tell tokens apart; every device is one person's, also a copy of another.
                let who = Principal { sub: TENANT.to_owned(), ..who };
                let named = request.headers.iter().find(|(name, _)| *name == PRINCIPAL);
                who.owns(named.map(|(_, value)| value.as_bytes()))?;
                Ok(who)
            }
        }
    }

    /// A backup of it.
    pub fn copy(&self) -> Option<Copy> {
        Some(Copy { image: self.disk.snapshot(), head: self.head()?, neighbours: self.neighbours })
    }

    /// Its files become what they were. `told`: and it is another history.
    pub fn put_back(&mut self, image: &DiskImage, neighbours: u64, told: bool) {
        self.stop();
        self.disk.restore(image);
        self.neighbours = neighbours;
        self.epochs += u64::from(told);
    }

    /// The identity of its history.
    pub fn epoch(&self) -> Option<Epoch> {
        self.service.as_ref().map(Service::epoch)
    }
}
