//! The server of a world: the real rules on the real storage, over a disk in memory, behind a small front of its own.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use turnstone::transport::{Method, Request, Response};
use turnstone_protocol::merge::{Stamp, Stamps};
use turnstone_protocol::wire::{PRINCIPAL, PullRequest, PushRequest};
use turnstone_protocol::{Code, Epoch, Gid, Problem};
use turnstone_server::config::Limits;
use turnstone_server::key::Key;
use turnstone_server::service::{Principal, Service, Settings, StateHash};
use turnstone_server::storage::sqlite::{SqliteOptions, SqliteStorage};
use turnstone_server::token;
use turnstone_vfs::{Disk, DiskImage};

use crate::app;
use crate::front::Front;
use crate::model::{Commit, History, Rank, Ranks, Refused, RowKey};
use crate::past::Copy;

/// The low 40 bits of a log key are the commit number.
const COMMIT_BITS: i64 = (1 << 40) - 1;
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

    /// Another tenant makes a row; the first one has the id of a row that every family has.
    pub fn neighbour_writes(&mut self, now_ms: u64) -> Result<(), String> {
        if self.disk.is_dead() || !self.start() {
            return Ok(());
        }
        let Some(service) = &self.service else { return Ok(()) };
        let seq = self.neighbours + 1;
        let id = if seq == 1 { app::SETTINGS.to_owned() } else { format!("theirs{seq}") };
        let op = format!(r#"{{"op":"create","table":"notes","id":"{id}","base":0,"set":{{"a":{seq}}}}}"#);
        let life = format!(r#""device":"{:032x}","incarnation":"{:032x}","schema":1"#, 77, 77);
        let group = format!(
            r#"{{"gid":"{:032x}","seq":{seq},"hlc":"{:016x}","schema":1,"ops":[{op}]}}"#,
            u128::from(seq) + 1_000,
            now_ms << 16
        );
        let body = format!(r#"{{{life},"groups":[{group}]}}"#);
        let push: PushRequest<&RawValue> = serde_json::from_str(&body).map_err(|error| error.to_string())?;
        match service.push_text(&neighbour(), &push, now_ms) {
            Ok(answer) if answer.json.contains("\"applied\"") => self.neighbours += 1,
            Ok(answer) => return Err(answer.json),
            // The disk failed on the way: nobody was told anything, and the next one repeats it.
            Err(_) => {}
        }
        Ok(())
    }

    /// What the other tenant would miss, or find too much.
    pub fn neighbour_is_wrong(&self) -> Option<String> {
        let state = self.service.as_ref()?.state_hash(&neighbour()).ok()?;
        let fits = |count| state.rows == count && state.at == count;
        // One may have been stored without an answer.
        let fine = fits(self.neighbours) || fits(self.neighbours + 1);
        (!fine).then(|| format!("another tenant wrote {} rows and has {} at {}", self.neighbours, state.rows, state.at))
    }

    /// Handles a request; none: it died, nobody knows at which step.
    pub fn handle(&mut self, device: usize, request: &Request, now_ms: u64) -> Option<Response> {
        if let Some(refused) = self.front.refuses(request) {
            return Some(refused);
        }
        if !self.start() {
            return None;
        }
        let answer = self.answer(device, request, now_ms);
        if self.disk.is_dead() {
            return None;
        }
        Some(answer.unwrap_or_else(|problem| refusal(&problem)))
    }

    fn answer(&self, device: usize, request: &Request, now_ms: u64) -> Result<Response, Problem> {
        self.front.is_overloaded(now_ms)?;
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

    /// Everything it decided for good.
    pub fn history(&self) -> Result<History, String> {
        let conn = self.look()?;
        let fail = |error: rusqlite::Error| error.to_string();
        let mut log = conn
            .prepare_cached(
                "SELECT at, gid, hlc, ms, d, seq FROM log \
             WHERE at >> 40 = (SELECT t FROM tenants WHERE name = 'family') ORDER BY at",
            )
            .map_err(fail)?;
        let commits = log
            .query_map([], |row| {
                let n = (row.get::<_, i64>(0)? & COMMIT_BITS).cast_unsigned();
                let (hlc, ms) = (row.get::<_, i64>(2)?.cast_unsigned(), row.get::<_, i64>(3)?.cast_unsigned());
                Ok(Commit { n, gid: Gid(row.get(1)?), hlc, ms, ms_most: ms, from: (row.get(4)?, row.get(5)?) })
            })
            .and_then(Iterator::collect)
            .map_err(fail)?;
        let mut gids = conn
            .prepare_cached("SELECT gid, n, d, seq FROM gids WHERE outcome = 4 AND d IS NOT NULL ORDER BY n")
            .map_err(fail)?;
        let refused = gids
            .query_map([], |row| {
                let after = row.get::<_, i64>(1)?.cast_unsigned();
                Ok(Refused { gid: Gid(row.get(0)?), after, from: (row.get(2)?, row.get(3)?) })
            })
            .and_then(Iterator::collect)
            .map_err(fail)?;
        Ok(History { commits, refused, words: None })
    }

    /// Every group it has decided for good.
    pub fn decided(&self) -> Result<BTreeSet<Gid>, String> {
        let conn = self.look()?;
        let fail = |error: rusqlite::Error| error.to_string();
        let sql = "SELECT gid FROM gids WHERE outcome IS NULL OR outcome NOT IN (5, 6, 7, 8)";
        let mut found = conn.prepare_cached(sql).map_err(fail)?;
        let gids = found.query_map([], |row| row.get(0).map(Gid)).map_err(fail)?;
        gids.collect::<Result<_, _>>().map_err(fail)
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

    /// Who stands behind each of its rows, tombstones too.
    pub fn ranks(&self) -> Result<BTreeMap<RowKey, Ranks>, String> {
        let conn = self.look()?;
        let fail = |error: rusqlite::Error| error.to_string();
        let mut rows = conn
            .prepare_cached(
                "SELECT tbl, id, born, gone, stamps, fields FROM rows \
             WHERE t = (SELECT t FROM tenants WHERE name = 'family')",
            )
            .map_err(fail)?;
        let found = rows
            .query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?)));
        let read = |(key, born, gone, stamps, fields): StoredRanks| {
            let stamps = Stamps::from_bytes(&stamps)?;
            let written: BTreeMap<String, IgnoredAny> = serde_json::from_str(&fields).ok()?;
            let gone = match gone {
                Some(bytes) => Some(rank(&Stamp::from_bytes(&bytes)?)),
                None => None,
            };
            let fields = written.into_keys().map(|name| (name.clone(), rank(&stamps.of(&name)))).collect();
            Some((key, Ranks { born: born.cast_unsigned(), create: rank(&stamps.row), fields, gone }))
        };
        let found: Vec<StoredRanks> = found.and_then(Iterator::collect).map_err(fail)?;
        found.into_iter().map(|row| read(row).ok_or_else(|| "a stored row does not read".to_owned())).collect()
    }

    /// The commit at which a group was decided for good.
    pub fn decided_at(&self, gid: Gid) -> Option<u64> {
        let conn = self.look().ok()?;
        let sql = "SELECT n FROM gids WHERE gid = ?1 AND (outcome IS NULL OR outcome NOT IN (5, 6, 7, 8))";
        let at: i64 = conn.prepare_cached(sql).ok()?.query_row([gid.0], |row| row.get(0)).ok()?;
        Some(at.cast_unsigned())
    }

    /// Its last commit.
    pub fn head(&self) -> Option<u64> {
        // While nothing is written to its disk, nothing is committed.
        let steps = self.disk.steps();
        match self.headed.get() {
            Some((read_at, head)) if read_at == steps && self.is_up() => Some(head),
            _ => {
                let head = self.read_head()?;
                self.headed.set(Some((steps, head)));
                Some(head)
            }
        }
    }

    fn read_head(&self) -> Option<u64> {
        let conn = self.look().ok()?;
        let head: i64 = conn
            .prepare_cached("SELECT coalesce(max(n), 0) FROM tenants WHERE name = 'family'")
            .ok()?
            .query_row([], |row| row.get(0))
            .ok()?;
        Some(head.cast_unsigned())
    }

    /// Its state.
    pub fn state_hash(&self) -> Result<StateHash, String> {
        let service = self.service.as_ref().ok_or("the server is down")?;
        let who = Principal { tenant: TENANT.to_owned(), sub: "0-0".to_owned(), device: None };
        service.state_hash(&who).map_err(|problem| problem.title)
    }

    /// Up to which commit it says that history is stable.
    pub fn stable(&self, now_ms: u64) -> u64 {
        let who = Principal { tenant: TENANT.to_owned(), sub: "0-0".to_owned(), device: None };
        let hello = self.service.as_ref().and_then(|service| service.hello(&who, None, now_ms).ok());
        hello.map_or(0, |hello| hello.stable)
    }

    /// A connection of the judge's own, kept while the process lives.
    fn look(&self) -> Result<RefMut<'_, Connection>, String> {
        let mut kept = self.judge.borrow_mut();
        if kept.is_none() {
            *kept = Some(self.connect()?);
        }
        RefMut::filter_map(kept, Option::as_mut).map_err(|_| "no connection".to_owned())
    }

    fn connect(&self) -> Result<Connection, String> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags_and_vfs("/server.db", flags, self.setup.vfs.as_str())
            .map_err(|error| error.to_string())
    }
}

/// A stored row: key, born, gone, stamps, fields.
type StoredRanks = (RowKey, i64, Option<Vec<u8>>, Vec<u8>, String);

fn rank(stamp: &Stamp) -> Rank {
    (stamp.hlc.0, stamp.gid, usize::try_from(stamp.n).unwrap_or(usize::MAX))
}

fn neighbour() -> Principal {
    Principal { tenant: "neighbour".to_owned(), sub: "them".to_owned(), device: None }
}

fn life(path: &str) -> Option<(turnstone_protocol::DeviceId, turnstone_protocol::Incarnation)> {
    let query = path.split_once('?')?.1;
    let part = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name));
    let parse = |text: &str| serde_json::from_value(serde_json::Value::String(text.to_owned())).ok();
    let device = serde_json::from_value(serde_json::Value::String(part("device=")?.to_owned())).ok()?;
    Some((device, parse(part("incarnation=")?)?))
}

/// The body of a request, unpacked.
pub fn expand(request: &Request) -> Result<Vec<u8>, Problem> {
    let packed = request.headers.iter().find(|(name, _)| *name == "content-encoding");
    match packed.map(|(_, name)| name.as_str()) {
        None => Ok(request.body.to_vec()),
        Some("zstd") => zstd::stream::decode_all(&*request.body)
            .map_err(|_| Problem::new(Code::Malformed, "The body does not unpack.")),
        Some(_) => {
            let mut problem = Problem::new(Code::Malformed, "Send zstd or nothing.");
            problem.status = 415;
            Err(problem)
        }
    }
}

pub(crate) fn refusal(problem: &Problem) -> Response {
    let mut headers = vec![("content-type".to_owned(), "application/problem+json".to_owned())];
    headers.extend(problem.retry_after_ms.map(|ms| ("retry-after".to_owned(), ms.div_ceil(1000).to_string())));
    Response { status: problem.status, headers, body: serde_json::to_vec(problem).unwrap_or_default().into() }
}
