//! Stores against the real server: in memory, behind a link that misbehaves, or over HTTP on loopback.

#![allow(dead_code, unreachable_pub, clippy::missing_panics_doc)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde_json::value::RawValue;
use tempfile::TempDir;
use turnstone::testing::FaultyTransport;
use turnstone::transport::{
    Exchange, MemoryTransport, Method, Request, Response, StaticToken, Transport, TransportError,
};
use turnstone::{Clock, Durability, Options, Remote, Schema, Store, Value};
use turnstone_engine::oplog::Moment;
use turnstone_protocol::wire::{PRINCIPAL, PullRequest, PushRequest};
use turnstone_protocol::{Code, Problem};
use turnstone_server::service::Settings;
use turnstone_server::storage::sqlite::{SqliteOptions, SqliteStorage, Synchronous};
use turnstone_server::{Config, Key, Server, Service, token};

pub const SCHEMA: &str = r#"
name = "notes"
version = 1

[tables.notes]
delete = "delete_wins"
fields.title = { type = "text", default = "" }
fields.body = { type = "text", default = "" }
fields.tag = { type = "text", default = "" }
fields.pinned = { type = "boolean", default = false }
fields.views = { type = "integer", default = 0, merge = "counter" }
fields.best = { type = "integer", default = 0, merge = "max" }

[tables.tasks]
delete = "edit_wins"
fields.name = { type = "text", default = "" }
fields.done = { type = "boolean", default = false }

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

/// A token of the tenant every test uses.
pub fn mint(ttl_s: u64, now_ms: u64) -> String {
    token::mint(&key(), "tenant", "somebody", None, ttl_s, now_ms).unwrap()
}

pub fn good_token() -> String {
    mint(3_600, now_ms())
}

pub fn now_ms() -> u64 {
    turnstone_server::Clock::system().now_ms()
}

/// The clock of a device for which, once it is stopped, no time passes: nothing gives up waiting, however long a busy
/// machine takes.
#[derive(Default)]
pub struct PatientClock(Arc<AtomicU64>);

impl PatientClock {
    pub fn clock(&self) -> Clock {
        let stands_at_ms = Arc::clone(&self.0);
        Clock::virtual_time(move || {
            let wall_ms = now_ms();
            let stands_at_ms = stands_at_ms.load(Ordering::SeqCst);
            Moment { wall_ms, boot_id: [1; 16], boot_ms: if stands_at_ms > 0 { stands_at_ms } else { wall_ms } }
        })
    }

    pub fn stop(&self) {
        self.0.store(now_ms(), Ordering::SeqCst);
    }
}

/// What the server saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub path: String,
    pub groups: usize,
    pub packed: Option<String>,
    pub status: u16,
}

type Intercept = dyn Fn(&Request, &[u8]) -> Option<Response> + Send + Sync;

/// The real service behind the in-memory transport.
#[derive(Clone)]
pub struct MemoryServer {
    pub folder: Arc<TempDir>,
    settings: Settings,
    service: Arc<Mutex<Option<Service>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    intercept: Arc<Mutex<Option<Box<Intercept>>>>,
}

impl MemoryServer {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::over(TempDir::new().unwrap(), change)
    }

    /// A server over the `server.db` of a folder, made if it is not there.
    pub fn over(folder: TempDir, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::from(&Config::new("", schema(), key()));
        change(&mut settings);
        let server = Self {
            folder: Arc::new(folder),
            settings,
            service: Arc::default(),
            seen: Arc::default(),
            intercept: Arc::default(),
        };
        server.start(false);
        server
    }

    fn start(&self, new_epoch: bool) {
        let storage = SqliteStorage::open(&SqliteOptions {
            synchronous: Synchronous::Off,
            new_epoch,
            ..SqliteOptions::new(self.folder.path().join("server.db"), [if new_epoch { 10 } else { 9 }; 32])
        })
        .unwrap();
        let service = Service::open(Arc::new(storage), self.settings.clone()).unwrap();
        *self.service.lock().unwrap() = Some(service);
    }

    /// Stops the server; its file can be copied then.
    pub fn stop(&self) {
        *self.service.lock().unwrap() = None;
    }

    /// Stops the server, keeps a copy of its file, and starts it again.
    pub fn backup(&self) {
        *self.service.lock().unwrap() = None;
        let file = self.folder.path().join("server.db");
        std::fs::copy(&file, self.folder.path().join("backup")).unwrap();
        self.start(false);
    }

    /// Puts the copy back in its place: the server forgets what came later.
    pub fn restore(&self, new_epoch: bool) {
        *self.service.lock().unwrap() = None;
        for leftover in ["server.db-wal", "server.db-shm"] {
            let _ = std::fs::remove_file(self.folder.path().join(leftover));
        }
        std::fs::copy(self.folder.path().join("backup"), self.folder.path().join("server.db")).unwrap();
        self.start(new_epoch);
    }

    /// Answers some requests before the service sees them.
    pub fn intercept(&self, intercept: impl Fn(&Request, &[u8]) -> Option<Response> + Send + Sync + 'static) {
        *self.intercept.lock().unwrap() = Some(Box::new(intercept));
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn forget_seen(&self) {
        self.seen.lock().unwrap().clear();
    }

    pub fn paths(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.path).collect()
    }

    pub fn transport(&self) -> MemoryTransport {
        let server = self.clone();
        MemoryTransport::new(move |request| Ok(server.handle(&request)))
    }

    pub fn remote(&self) -> Remote {
        Remote::custom(self.transport(), StaticToken::new(good_token()))
    }

    /// A device with a perfect link.
    pub fn device(&self, name: &str) -> Device {
        Device::open(name, self.remote())
    }

    /// A device whose link misbehaves.
    pub fn faulty_device(&self, name: &str, seed: u64, per_mille: u32) -> (Device, FaultyTransport) {
        let link = FaultyTransport::new(self.transport(), seed, per_mille);
        (Device::open(name, Remote::custom(link.clone(), StaticToken::new(good_token()))), link)
    }

    pub fn state_hash(&self) -> String {
        let who = token::verify(&[key()], &good_token(), now_ms()).unwrap();
        self.service.lock().unwrap().as_ref().unwrap().state_hash(&who).unwrap().hash
    }

    fn handle(&self, request: &Request) -> Response {
        let header = |name: &str| request.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
        let packed = header("content-encoding");
        let body = match packed.as_deref() {
            Some("zstd") => zstd::stream::decode_all(&*request.body).unwrap(),
            Some("gzip") => {
                let mut plain = Vec::new();
                std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*request.body), &mut plain).unwrap();
                plain
            }
            Some(other) => panic!("unexpected encoding {other}"),
            None => request.body.to_vec(),
        };
        let intercepted = self.intercept.lock().unwrap().as_ref().and_then(|intercept| intercept(request, &body));
        let response = intercepted.unwrap_or_else(|| {
            let token = header("authorization").unwrap_or_default();
            match self.answer(request, token.trim_start_matches("Bearer "), &body) {
                Ok(text) => json(200, "application/json", text),
                Err(problem) => refuse(&problem),
            }
        });
        let groups = serde_json::from_slice::<serde_json::Value>(&body)
            .ok()
            .and_then(|body| body["groups"].as_array().map(Vec::len))
            .unwrap_or(0);
        let path = request.path.split('?').next().unwrap().trim_start_matches("/sync/v1/").to_owned();
        self.seen.lock().unwrap().push(Seen { path, groups, packed, status: response.status });
        response
    }

    fn answer(&self, request: &Request, token: &str, body: &[u8]) -> Result<String, Problem> {
        let now_ms = now_ms();
        let who = token::verify(&[key()], token, now_ms)?;
        let named = request.headers.iter().find(|(name, _)| *name == PRINCIPAL);
        who.owns(named.map(|(_, value)| value.as_bytes()))?;
        let malformed = |_| Problem::new(Code::Malformed, "Not what was expected.");
        let service = self.service.lock().unwrap();
        let service = service.as_ref().unwrap();
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        match (request.method, path) {
            (Method::Post, "/sync/v1/push") => {
                let push: PushRequest<Box<RawValue>> = serde_json::from_slice(body).map_err(malformed)?;
                Ok(service.push_text(&who, &push, now_ms)?.json)
            }
            (Method::Post, "/sync/v1/pull") => {
                let pull: PullRequest = serde_json::from_slice(body).map_err(malformed)?;
                Ok(service.pull_text(&who, &pull, now_ms)?.json)
            }
            (Method::Get, "/sync/v1/hello") => {
                let value = |name: &str| {
                    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
                };
                let life = value("device").zip(value("incarnation"));
                let life = life.map(|(device, life)| (device.parse().unwrap(), life.parse().unwrap()));
                Ok(serde_json::to_string(&service.hello(&who, life, now_ms)?).unwrap())
            }
            _ => Err(Problem::new(Code::NotFound, "No such endpoint.")),
        }
    }
}

pub fn json(status: u16, kind: &str, text: String) -> Response {
    Response { status, headers: vec![("content-type".to_owned(), kind.to_owned())], body: Bytes::from(text) }
}

pub fn refuse(problem: &Problem) -> Response {
    json(problem.status, "application/problem+json", serde_json::to_string(problem).unwrap())
}

pub fn html(status: u16) -> Response {
    json(status, "text/html", "<html>Sign in to this hotel</html>".to_owned())
}

/// The real server over HTTP on loopback, on a thread of its own.
pub struct HttpServer {
    pub folder: TempDir,
    pub addr: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl HttpServer {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let config = Config::new(folder.path().join("server.db"), schema(), key());
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        #[expect(clippy::disallowed_methods, reason = "the server of a test has a thread of its own")]
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async move {
                let server = Server::bind("127.0.0.1:0".parse().unwrap(), config).await.unwrap();
                tell.send(server.local_addr()).unwrap();
                server.run(async { drop(stopped.await) }).await.unwrap();
            });
        });
        Self { folder, addr: told.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    pub fn remote(&self) -> Remote {
        Remote::http(format!("http://{}", self.addr), StaticToken::new(good_token()))
    }

    pub fn device(&self, name: &str) -> Device {
        Device::open(name, self.remote())
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// A store in a temporary folder.
pub struct Device {
    pub folder: TempDir,
    pub store: Store,
    pub remote: Remote,
}

impl Device {
    pub fn open(name: &str, remote: Remote) -> Self {
        Self::open_with(name, remote, |options| options)
    }

    pub fn open_with(name: &str, remote: Remote, change: impl FnOnce(Options) -> Options) -> Self {
        let folder = TempDir::with_prefix(name).unwrap();
        let options = options(folder.path().join("app.db")).remote(remote.clone());
        let store = Store::open(change(options)).unwrap();
        Self { folder, store, remote }
    }

    /// A device whose `app.db` stands in this folder already.
    pub fn over(folder: TempDir, remote: Remote) -> Self {
        let store = Store::open(options(folder.path().join("app.db")).remote(remote.clone())).unwrap();
        Self { folder, store, remote }
    }

    /// A copy of this device's folder, as a phone restored or cloned from a backup. Close the store first.
    pub fn copy(&self, name: &str) -> Self {
        let folder = TempDir::with_prefix(name).unwrap();
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        let options = options(folder.path().join("app.db")).remote(self.remote.clone());
        Self { store: Store::open(options).unwrap(), folder, remote: self.remote.clone() }
    }

    /// Opens what is on the disk now, as the process after one that was killed would.
    pub fn killed(self, change: impl FnOnce(Options) -> Options) -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["app.db", "app.db-wal"] {
            std::fs::copy(self.folder.path().join(name), folder.path().join(name)).unwrap();
        }
        let options = options(folder.path().join("app.db")).remote(self.remote.clone());
        Self { store: Store::open(change(options)).unwrap(), folder, remote: self.remote.clone() }
    }

    /// Closes and opens again, as a new process would.
    pub fn reopen(self) -> Self {
        self.reopen_with(|options| options)
    }

    pub fn reopen_with(self, change: impl FnOnce(Options) -> Options) -> Self {
        let Self { folder, store, remote } = self;
        store.close().unwrap();
        drop(store);
        let options = options(folder.path().join("app.db")).remote(remote.clone());
        let store = Store::open(change(options)).unwrap();
        Self { folder, store, remote }
    }

    pub fn sync(&self) -> turnstone::SyncReport {
        self.store.sync_blocking().unwrap()
    }

    /// Syncs over a bad link, until it works.
    pub fn sync_until_quiet(&self) {
        for _ in 0..200 {
            match self.store.sync_blocking() {
                Ok(report) if report.waiting == 0 => return,
                _ => {}
            }
        }
        panic!("never quiet: {:?}", self.store.status());
    }

    pub fn insert(&self, title: &str) -> String {
        let title = title.to_owned();
        self.store.write(move |tx| tx.insert("notes", [("title", title)])).unwrap()
    }

    pub fn set(&self, id: &str, field: &'static str, value: impl Into<Value> + Send + 'static) {
        let id = id.to_owned();
        self.store.write(move |tx| tx.update("notes", &id, [(field, value)])).unwrap();
    }

    pub fn increment(&self, id: &str, by: i64) {
        let id = id.to_owned();
        self.store.write(move |tx| tx.increment("notes", &id, "views", by)).unwrap();
    }

    pub fn delete(&self, id: &str) {
        let id = id.to_owned();
        self.store.write(move |tx| tx.delete("notes", &id)).unwrap();
    }

    /// A field of a note, as text; none if there is no such note.
    pub fn field(&self, id: &str, field: &str) -> Option<String> {
        let row = self.store.get("notes", id).unwrap()?;
        Some(match row.get(field).unwrap() {
            Value::Text(text) => text.clone(),
            Value::Int(int) => int.to_string(),
            Value::Bool(bool) => bool.to_string(),
            other => panic!("{other:?}"),
        })
    }

    pub fn pending(&self) -> u64 {
        self.store.status().unwrap().pending_groups
    }

    pub fn hash(&self) -> String {
        self.store.state_hash().unwrap().hash
    }
}

fn options(path: PathBuf) -> Options {
    Options::new(path, schema()).durability(Durability::Process).app_version("test")
}

/// Counts up, for closures that answer differently each time.
#[derive(Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A link on which pushes reach the server, and are answered when a test lets them be.
#[derive(Clone)]
pub struct SlowPushes {
    inner: MemoryTransport,
    /// Pushes get no answer until it is false again.
    pub hang: Arc<AtomicBool>,
    /// Announces each push.
    pub reached: std::sync::mpsc::SyncSender<()>,
    /// Pushes under way now, and at most.
    pub under_way: Arc<(AtomicU64, AtomicU64)>,
}

impl SlowPushes {
    pub fn new(server: &MemoryServer, hang: bool) -> (Self, std::sync::mpsc::Receiver<()>) {
        let (reached, told) = std::sync::mpsc::sync_channel(1_000);
        let (hang, under_way) = (Arc::new(AtomicBool::new(hang)), Arc::default());
        (Self { inner: server.transport(), hang, reached, under_way }, told)
    }

    pub fn remote(&self) -> Remote {
        Remote::custom(self.clone(), StaticToken::new(good_token()))
    }
}

impl Transport for SlowPushes {
    fn exchange(&self, request: Request) -> Exchange<'_> {
        Box::pin(async move {
            if !request.path.ends_with("/push") {
                return self.inner.exchange(request).await;
            }
            let _ = self.reached.try_send(());
            let (now, most) = &*self.under_way;
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let answer = self.inner.exchange(request).await;
            while self.hang.load(Ordering::SeqCst) {
                #[expect(clippy::disallowed_methods, reason = "a link that is silent until it is told otherwise")]
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            now.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    }
}

/// A transport that reaches nobody.
pub fn nowhere() -> Remote {
    Remote::custom(MemoryTransport::new(|_| Err(TransportError::Offline)), StaticToken::new("token"))
}

/// Every device and the server hold the same.
pub fn assert_converged(server: &MemoryServer, devices: &[&Device]) {
    for device in devices {
        device.sync();
    }
    for device in devices {
        device.sync();
        assert_eq!(device.pending(), 0);
        assert_eq!(device.hash(), server.state_hash(), "I-27: a device differs from the server");
    }
}
