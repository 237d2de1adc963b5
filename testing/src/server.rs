//! The server of a test: the real rules on a real SQLite file, behind a front without HTTP.

use std::sync::Arc;

use serde_json::value::RawValue;
use tempfile::TempDir;
use turnstone::transport::{MemoryTransport, Method, Request, Response, StaticToken, Transport};
use turnstone::{Clock, Durability, Options, Remote, Schema, SyncReport};
use turnstone_protocol::wire::{PRINCIPAL, PullRequest, PushRequest};
use turnstone_protocol::{Code, Problem, limits};
use turnstone_server::service::Settings;
use turnstone_server::storage::sqlite::{SqliteOptions, SqliteStorage, Synchronous};
use turnstone_server::{Config, Key, Service, token};

use crate::TestError;
use crate::device::{Link, TestDevice};

/// How long its tokens are good, in seconds.
const TOKEN_S: u64 = 86_400;
/// How often [`TestServer::settle`] lets every device sync before it says what is still wrong.
const ROUNDS_MAX: usize = 10;

/// A server without data. Clones are the same server; its data goes with the last of them.
#[derive(Clone)]
pub struct TestServer {
    inner: Arc<Inner>,
}

struct Inner {
    service: Service,
    schema: Schema,
    key: Key,
    clock: Clock,
    // Removed once the service has let go of the file in it.
    _folder: TempDir,
}

impl TestServer {
    /// A server that knows this schema, in TOML, by the clock of the machine.
    ///
    /// # Errors
    /// [`TestError::Schema`], [`TestError::Folder`], [`TestError::Server`].
    pub fn start(schema: &str) -> Result<Self, TestError> {
        Self::start_at(schema, Clock::system())
    }

    /// A server with a clock of the test's own. Its devices have the same one.
    ///
    /// # Errors
    /// As [`TestServer::start`].
    pub fn start_at(schema: &str, clock: Clock) -> Result<Self, TestError> {
        let schema = Schema::parse(schema)?;
        let folder = TempDir::with_prefix("turnstone-test")?;
        let key = Key::from_bytes([7; 32]).map_err(|error| failed(&error))?;
        let options = SqliteOptions::new(folder.path().join("server.db"), [9; 32]);
        let options = SqliteOptions { synchronous: Synchronous::Off, ..options };
        let storage = SqliteStorage::open(&options).map_err(|error| failed(&error))?;
        let settings = Settings::from(&Config::new("", schema.clone(), key.clone()));
        let service = Service::open(Arc::new(storage), settings).map_err(|error| failed(&error))?;
        Ok(Self { inner: Arc::new(Inner { service, schema, key, clock, _folder: folder }) })
    }

    /// A token of this user, good for a day. All users of a test share one set of data.
    ///
    /// # Errors
    /// [`TestError::Server`] for a name no token can carry.
    pub fn token(&self, user: &str) -> Result<String, TestError> {
        token::mint(&self.inner.key, "test", user, None, TOKEN_S, self.now_ms())
            .map_err(|problem| failed(&problem.title))
    }

    /// The way to it, without faults and without end.
    #[must_use]
    pub fn transport(&self) -> MemoryTransport {
        let server = self.clone();
        MemoryTransport::new(move |request| Ok(server.answer(&request)))
    }

    /// The way to it for one user, over a transport: [`TestServer::transport`], or something around it.
    ///
    /// # Errors
    /// As [`TestServer::token`].
    pub fn remote(&self, user: &str, transport: impl Transport + 'static) -> Result<Remote, TestError> {
        Ok(Remote::custom(transport, StaticToken::new(self.token(user)?)))
    }

    /// A new device: a store in a folder of its own, which syncs when asked.
    ///
    /// # Errors
    /// [`TestError`]
    pub fn device(&self) -> Result<TestDevice, TestError> {
        self.device_with(|options| options)
    }

    /// A new device with further options.
    ///
    /// # Errors
    /// [`TestError`]
    pub fn device_with(&self, change: impl FnOnce(Options) -> Options) -> Result<TestDevice, TestError> {
        let link = Link::default();
        let remote = self.remote("somebody", link.carry(self.transport()))?;
        let folder = TempDir::with_prefix("turnstone-test")?;
        let options = Options::new(folder.path().join("app.db"), self.inner.schema.clone())
            .remote(remote)
            .durability(Durability::Process)
            .clock(self.inner.clock.clone());
        TestDevice::open(change(options), link, folder)
    }

    /// Lets the devices sync in turns until all of them have everything.
    ///
    /// # Errors
    /// [`TestError::Store`] with the last failure, [`TestError::Server`] if they still differ after ten rounds.
    pub fn settle<'a>(&self, devices: impl IntoIterator<Item = &'a TestDevice>) -> Result<(), TestError> {
        let devices: Vec<_> = devices.into_iter().collect();
        let mut failure = None;
        for _ in 0..ROUNDS_MAX {
            let synced: Result<Vec<SyncReport>, _> =
                devices.iter().map(|device| device.store.sync_blocking()).collect();
            failure = synced.err();
            if failure.is_none() && self.agrees(&devices)? {
                return Ok(());
            }
        }
        Err(failure.map_or_else(|| TestError::Server("the devices still differ".to_owned()), TestError::Store))
    }

    fn agrees(&self, devices: &[&TestDevice]) -> Result<bool, TestError> {
        let hash = self.state_hash()?;
        for device in devices {
            if device.store.status()?.pending_groups > 0 || device.store.state_hash()?.hash != hash {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The hash of everything it holds, to be compared with a store's.
    ///
    /// # Errors
    /// [`TestError::Server`]
    pub fn state_hash(&self) -> Result<String, TestError> {
        let who = token::verify(std::slice::from_ref(&self.inner.key), &self.token("somebody")?, self.now_ms())
            .map_err(|problem| failed(&problem.title))?;
        Ok(self.inner.service.state_hash(&who).map_err(|problem| failed(&problem.title))?.hash)
    }

    /// Answers a request as it would over HTTP. What it cannot answer is a problem with its status.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Response {
        let (status, kind, text) = match self.handle(request) {
            Ok(text) => (200, "application/json", text),
            Err(problem) => {
                let text = serde_json::to_string(&problem).unwrap_or_default();
                (problem.status, "application/problem+json", text)
            }
        };
        Response { status, headers: vec![("content-type".to_owned(), kind.to_owned())], body: text.into_bytes().into() }
    }

    fn handle(&self, request: &Request) -> Result<String, Problem> {
        let (service, now_ms) = (&self.inner.service, self.now_ms());
        let header = |name: &str| request.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
        let bearer = header("authorization").unwrap_or_default().trim_start_matches("Bearer ");
        let who = token::verify(std::slice::from_ref(&self.inner.key), bearer, now_ms)?;
        who.owns(header(PRINCIPAL).map(str::as_bytes))?;
        let body = match header("content-encoding") {
            Some(packing) => {
                turnstone_server::fuzzing::unpack(request.body.to_vec(), packing, limits::REQUEST_EXPANDED_BYTES_MAX)?
            }
            None => request.body.to_vec(),
        };
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        match (request.method, path) {
            (Method::Post, "/sync/v1/push") => {
                let push: PushRequest<Box<RawValue>> = serde_json::from_slice(&body).map_err(malformed)?;
                Ok(service.push_text(&who, &push, now_ms)?.json)
            }
            (Method::Post, "/sync/v1/pull") => {
                let pull: PullRequest = serde_json::from_slice(&body).map_err(malformed)?;
                Ok(service.pull_text(&who, &pull, now_ms)?.json)
            }
            (Method::Get, "/sync/v1/hello") => {
                let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
                let life = value("device").zip(value("incarnation"));
                let life = life.and_then(|(device, life)| Some((device.parse().ok()?, life.parse().ok()?)));
                serde_json::to_string(&service.hello(&who, life, now_ms)?).map_err(malformed)
            }
            _ => Err(Problem::new(Code::NotFound, "No such endpoint.")),
        }
    }

    fn now_ms(&self) -> u64 {
        self.inner.clock.now().wall_ms
    }
}

fn malformed(_: serde_json::Error) -> Problem {
    Problem::new(Code::Malformed, "Not what was expected.")
}

fn failed(error: &dyn std::fmt::Display) -> TestError {
    TestError::Server(error.to_string())
}
