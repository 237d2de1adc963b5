//! A server, devices, and a reader of buffers.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use turnstone_protocol::Schema;
use turnstone_server::{Config, Key, Server, token};

use crate::hooks::{FfiTokenFailure, FfiTokenProvider};
use crate::open::{FfiDurability, FfiHooks, FfiOptions};
use crate::records::{FfiTokenReason, FfiWritten};
use crate::store::FfiStore;
use crate::value::{FfiChange, FfiField, FfiValue};

pub(super) const SCHEMA: &str = include_str!("../../../suite.toml");

/// Waits for a call the way an app does: outside any runtime of ours.
pub(super) fn wait<T>(call: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(call)
}

/// The real server on loopback, on a thread of its own.
pub(super) struct TestServer {
    _folder: TempDir,
    pub(super) addr: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl TestServer {
    pub(super) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let config = Config::new(folder.path().join("server.db"), Schema::parse(SCHEMA).unwrap(), key());
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        #[expect(clippy::disallowed_methods, reason = "the server of a test has a thread of its own")]
        let thread = std::thread::spawn(move || {
            wait(async move {
                let server = Server::bind("127.0.0.1:0".parse().unwrap(), config).await.unwrap();
                tell.send(server.local_addr()).unwrap();
                server.run(async { drop(stopped.await) }).await.unwrap();
            });
        });
        Self { _folder: folder, addr: told.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn key() -> Key {
    Key::from_bytes([7; 32]).unwrap()
}

/// A token that ends after so many seconds; 0: it has ended.
pub(super) fn mint(ttl_s: u64) -> String {
    mint_for("somebody", ttl_s)
}

pub(super) fn mint_for(sub: &str, ttl_s: u64) -> String {
    let now_ms = turnstone_server::Clock::system().now_ms();
    let then = if ttl_s == 0 { now_ms - 100_000 } else { now_ms };
    token::mint(&key(), "tenant", sub, None, ttl_s.max(1), then).unwrap()
}

/// Gives the tokens in order, the last one for ever, and keeps the reasons.
pub(super) struct Tokens {
    tokens: Vec<Result<String, FfiTokenFailure>>,
    asked: AtomicUsize,
    pub(super) reasons: Mutex<Vec<FfiTokenReason>>,
}

impl Tokens {
    pub(super) fn new(tokens: Vec<Result<String, FfiTokenFailure>>) -> Arc<Self> {
        Arc::new(Self { tokens, asked: AtomicUsize::new(0), reasons: Mutex::default() })
    }

    pub(super) fn good() -> Arc<Self> {
        Self::new(vec![Ok(mint(3_600))])
    }
}

#[async_trait::async_trait]
impl FfiTokenProvider for Tokens {
    async fn token(&self, reason: FfiTokenReason) -> Result<String, FfiTokenFailure> {
        self.reasons.lock().unwrap().push(reason);
        let at = self.asked.fetch_add(1, Ordering::SeqCst).min(self.tokens.len() - 1);
        self.tokens[at].clone()
    }
}

pub(super) fn options(path: &std::path::Path) -> FfiOptions {
    FfiOptions {
        path: path.to_str().unwrap().to_owned(),
        schema: SCHEMA.to_owned(),
        durability: FfiDurability::Process,
        app_version: Some("test".to_owned()),
        local_sql: Vec::new(),
        account: None,
        value_bytes_max: None,
        url: None,
        allow_plain_http: false,
        auto_sync: false,
        debounce_ms: None,
        poll_ms: None,
        body_file_above: 256 << 10,
    }
}

pub(super) fn no_hooks() -> FfiHooks {
    FfiHooks { tokens: None, transport: None, scheduler: None, witness: None, keys: None }
}

/// A store in a folder of its own.
pub(super) struct Device {
    pub(super) folder: TempDir,
    pub(super) store: Arc<FfiStore>,
}

impl Device {
    pub(super) fn offline() -> Self {
        Self::opened(no_hooks(), |options| options)
    }

    pub(super) fn on(server: &TestServer) -> Self {
        Self::with(server, Tokens::good())
    }

    pub(super) fn with(server: &TestServer, tokens: Arc<dyn FfiTokenProvider>) -> Self {
        Self::opened(FfiHooks { tokens: Some(tokens), ..no_hooks() }, |options| FfiOptions {
            url: Some(server.url()),
            ..options
        })
    }

    pub(super) fn opened(hooks: FfiHooks, change: impl FnOnce(FfiOptions) -> FfiOptions) -> Self {
        let folder = TempDir::new().unwrap();
        let store = wait(FfiStore::open(change(options(&folder.path().join("app.db"))), hooks)).unwrap();
        Self { folder, store }
    }

    pub(super) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("app.db")
    }

    pub(super) fn write(&self, changes: Vec<FfiChange>) -> FfiWritten {
        wait(Arc::clone(&self.store).write(changes, None)).unwrap()
    }

    pub(super) fn insert(&self, title: &str) -> String {
        self.write(vec![insert(title)]).ids.remove(0)
    }

    pub(super) fn set(&self, id: &str, field: &str, text: &str) {
        self.write(vec![FfiChange::Update {
            table: "notes".to_owned(),
            id: id.to_owned(),
            fields: vec![field_of(field, text)],
        }]);
    }

    pub(super) fn sync(&self) -> crate::records::FfiSyncReport {
        wait(Arc::clone(&self.store).sync(None)).unwrap()
    }

    pub(super) fn query(&self, sql: &str) -> Table {
        Table(wait(Arc::clone(&self.store).query(sql.to_owned(), Vec::new(), None)).unwrap())
    }

    pub(super) fn titles(&self) -> Vec<String> {
        let found = self.query("SELECT title FROM notes ORDER BY title");
        (0..found.rows()).map(|row| found.text(row, 0)).collect()
    }
}

pub(super) fn field_of(name: &str, text: &str) -> FfiField {
    FfiField { name: name.to_owned(), value: FfiValue::Text { value: text.to_owned() } }
}

pub(super) fn insert(title: &str) -> FfiChange {
    FfiChange::Insert { table: "notes".to_owned(), id: None, fields: vec![field_of("title", title)] }
}

/// Reads a buffer as its page describes it, apart from the code that wrote it.
pub(super) struct Table(pub(super) Vec<u8>);

impl Table {
    fn number(&self, at: usize) -> usize {
        u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap()) as usize
    }

    pub(super) fn columns(&self) -> Vec<String> {
        assert_eq!(&self.0[..4], b"TSR1");
        let (mut names, mut at) = (Vec::new(), 20);
        for _ in 0..self.number(4) {
            let end = at + 4 + self.number(at);
            names.push(String::from_utf8(self.0[at + 4..end].to_vec()).unwrap());
            at = end;
        }
        names
    }

    pub(super) fn rows(&self) -> usize {
        self.number(8)
    }

    pub(super) fn tag(&self, row: usize, column: usize) -> u8 {
        self.0[self.number(12) + row * self.number(4) + column]
    }

    pub(super) fn slot(&self, row: usize, column: usize) -> u64 {
        let cells = self.rows() * self.number(4);
        let slots = (self.number(12) + cells).next_multiple_of(8);
        let at = slots + (row * self.number(4) + column) * 8;
        u64::from_le_bytes(self.0[at..at + 8].try_into().unwrap())
    }

    pub(super) fn bytes(&self, row: usize, column: usize) -> &[u8] {
        let slot = self.slot(row, column);
        let at = self.number(16) + (slot & 0xffff_ffff) as usize;
        &self.0[at..at + (slot >> 32) as usize]
    }

    pub(super) fn text(&self, row: usize, column: usize) -> String {
        assert!(matches!(self.tag(row, column), 3 | 6));
        String::from_utf8(self.bytes(row, column).to_vec()).unwrap()
    }

    pub(super) fn int(&self, row: usize, column: usize) -> i64 {
        assert_eq!(self.tag(row, column), 1);
        self.slot(row, column).cast_signed()
    }
}
