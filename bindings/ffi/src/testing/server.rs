//! The real server inside the process, for the tests of apps: no port, and nothing left behind.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::value::RawValue;
use turnstone_protocol::wire::{PRINCIPAL, PullRequest, PushRequest};
use turnstone_protocol::{Code, Problem, Schema, limits};
use turnstone_server::service::Settings;
use turnstone_server::storage::sqlite::{SqliteOptions, SqliteStorage, Synchronous};
use turnstone_server::{Clock, Config, Key, Service, token};

use crate::error::FfiError;
use crate::fence;
use crate::hooks::http::{FfiBody, FfiHeader, FfiHttpRequest, FfiHttpResponse};

/// How long its tokens are good, in seconds.
const TOKEN_S: u64 = 86_400;

static MADE: AtomicU64 = AtomicU64::new(0);

/// A server for tests. Its data goes with it.
#[derive(uniffi::Object)]
pub struct FfiTestServer {
    service: Service,
    key: Key,
    folder: PathBuf,
}

#[uniffi::export]
impl FfiTestServer {
    /// A server without data that knows this schema, in TOML.
    #[uniffi::constructor]
    pub async fn create(schema: String) -> Result<Arc<Self>, FfiError> {
        fence::blocking("test_server_create", move || {
            let schema = Schema::parse(&schema).map_err(|error| FfiError::invalid("schema", &error.to_string()))?;
            let number = MADE.fetch_add(1, Ordering::Relaxed);
            let folder = std::env::temp_dir().join(format!("turnstone-test-{}-{number}", std::process::id()));
            std::fs::create_dir_all(&folder).map_err(|error| failed(&error))?;
            let key = Key::from_bytes([7; 32]).map_err(|error| failed(&error))?;
            let options = SqliteOptions::new(folder.join("server.db"), [9; 32]);
            let options = SqliteOptions { synchronous: Synchronous::Off, ..options };
            let storage = SqliteStorage::open(&options).map_err(|error| failed(&error))?;
            let settings = Settings::from(&Config::new("", schema, key.clone()));
            let service = Service::open(Arc::new(storage), settings).map_err(|error| failed(&error))?;
            Ok(Arc::new(Self { service, key, folder }))
        })
        .await
    }

    /// A token of this user; all users of a test share one set of data.
    pub fn token(&self, user: String) -> Result<String, FfiError> {
        fence::quick("test_server_token", || {
            let now_ms = Clock::system().now_ms();
            token::mint(&self.key, "test", &user, None, TOKEN_S, now_ms).map_err(|problem| failed(&problem.title))
        })
    }

    /// Answers a request, as over HTTP.
    pub async fn exchange(self: Arc<Self>, request: FfiHttpRequest) -> Result<FfiHttpResponse, FfiError> {
        fence::blocking("test_server_exchange", move || {
            let (status, kind, text) = match self.answer(&request) {
                Ok(text) => (200, "application/json", text),
                Err(problem) => {
                    let text = serde_json::to_string(&problem).map_err(|error| failed(&error))?;
                    (problem.status, "application/problem+json", text)
                }
            };
            let headers = vec![FfiHeader { name: "content-type".to_owned(), value: kind.to_owned() }];
            Ok(FfiHttpResponse { status, headers, body: FfiBody::Bytes { value: text.into_bytes() } })
        })
        .await
    }
}

impl FfiTestServer {
    fn answer(&self, request: &FfiHttpRequest) -> Result<String, Problem> {
        let now_ms = Clock::system().now_ms();
        let header =
            |name: &str| request.headers.iter().find(|header| header.name == name).map(|header| &*header.value);
        let bearer = header("authorization").unwrap_or_default().trim_start_matches("Bearer ");
        let who = token::verify(std::slice::from_ref(&self.key), bearer, now_ms)?;
        who.owns(header(PRINCIPAL).map(str::as_bytes))?;
        let body = self.body(request, header("content-encoding"))?;
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        match path {
            "/sync/v1/push" => {
                let push: PushRequest<Box<RawValue>> = serde_json::from_slice(&body).map_err(malformed)?;
                Ok(self.service.push_text(&who, &push, now_ms)?.json)
            }
            "/sync/v1/pull" => {
                let pull: PullRequest = serde_json::from_slice(&body).map_err(malformed)?;
                Ok(self.service.pull_text(&who, &pull, now_ms)?.json)
            }
            "/sync/v1/hello" => {
                let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
                let life = value("device").zip(value("incarnation"));
                let life = life.and_then(|(device, life)| Some((device.parse().ok()?, life.parse().ok()?)));
                serde_json::to_string(&self.service.hello(&who, life, now_ms)?).map_err(malformed)
            }
            _ => Err(Problem::new(Code::NotFound, "No such endpoint.")),
        }
    }

    fn body(&self, request: &FfiHttpRequest, packing: Option<&str>) -> Result<Vec<u8>, Problem> {
        let bytes = match &request.body {
            FfiBody::Bytes { value } => value.clone(),
            FfiBody::File { path } => {
                std::fs::read(path).map_err(|_| Problem::new(Code::Malformed, "The body cannot be read."))?
            }
        };
        match packing {
            Some(packing) => turnstone_server::fuzzing::unpack(bytes, packing, limits::REQUEST_EXPANDED_BYTES_MAX),
            None => Ok(bytes),
        }
    }
}

impl Drop for FfiTestServer {
    fn drop(&mut self) {
        // A folder that is left in the temporary one hurts nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn malformed(_: serde_json::Error) -> Problem {
    Problem::new(Code::Malformed, "Not what was expected.")
}

fn failed(error: &dyn std::fmt::Display) -> FfiError {
    FfiError::internal("test_server", &error.to_string())
}
