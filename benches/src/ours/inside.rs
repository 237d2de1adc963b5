//! The server's rules and storage in this process, reached without HTTP, so that what they take can be timed by itself.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::value::RawValue;
use turnstone::transport::{MemoryTransport, Request, Response, StaticToken, TransportError};
use turnstone::{Durability, Options, Remote, Store};
use turnstone_protocol::Problem;
use turnstone_protocol::wire::{PullRequest, PushRequest};
use turnstone_server::service::Settings;
use turnstone_server::storage::sqlite::{SqliteOptions, SqliteStorage};
use turnstone_server::{Principal, Service};

use super::{remote, schema};
use crate::Result;
use crate::sample::{Sample, Stopwatch, cpu_ns};

/// The server's clock stands still: nothing here depends on it.
pub(crate) const NOW_MS: u64 = 1_760_000_000_000;

/// A server inside this process.
pub(crate) struct Inside {
    pub(crate) service: Service,
    /// Whether pushes are taken, or refused while pulls go on.
    takes_pushes: bool,
    /// Wall and processor time of pushes, and of everything else.
    spent: Mutex<[(u64, u64); 2]>,
}

impl Inside {
    pub(crate) fn open(database: &Path, takes_pushes: bool) -> Result<Arc<Self>> {
        let storage = Arc::new(SqliteStorage::open(&SqliteOptions::new(database, [3; 32]))?);
        let service = Service::open(storage, Settings::from(&remote::config(database)?))?;
        Ok(Arc::new(Self { service, takes_pushes, spent: Mutex::default() }))
    }

    /// A device of this server.
    pub(crate) fn device(self: &Arc<Self>, path: &Path) -> Result<Store> {
        let server = Arc::clone(self);
        let transport = MemoryTransport::new(move |request| server.answer(&request));
        let remote = Remote::custom(transport, StaticToken::new("inside"));
        Ok(Store::open(Options::new(path, schema()?).durability(Durability::Power).remote(remote))?)
    }

    /// What pushes took.
    pub(crate) fn pushes(&self, ops: usize) -> Sample {
        self.sample(0, ops)
    }

    /// What all answers took.
    pub(crate) fn all(&self, ops: usize) -> Sample {
        let (pushes, others) = (self.sample(0, ops), self.sample(1, ops));
        Sample { wall_ns: pushes.wall_ns + others.wall_ns, cpu_ns: pushes.cpu_ns + others.cpu_ns, ..pushes }
    }

    fn sample(&self, kind: usize, ops: usize) -> Sample {
        let (wall_ns, cpu_ns) = self.spent.lock().unwrap_or_else(PoisonError::into_inner)[kind];
        Sample { ops: ops as u64, wall_ns, cpu_ns, ..Sample::default() }
    }

    fn answer(&self, request: &Request) -> std::result::Result<Response, TransportError> {
        let path = request.path.split('?').next().unwrap_or_default();
        let body = zstd::stream::decode_all(request.body.as_ref()).unwrap_or_else(|_| request.body.to_vec());
        let (wall, cpu) = (Stopwatch::start(), cpu_ns());
        let answer = match path {
            "/sync/v1/push" if !self.takes_pushes => refused(),
            "/sync/v1/push" => self.push(&body),
            "/sync/v1/pull" => self.pull(&body),
            _ => self.hello(),
        };
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = &mut spent[usize::from(path != "/sync/v1/push")];
        *spent = (spent.0 + wall.ns(), spent.1 + cpu_ns().saturating_sub(cpu));
        answer
    }

    fn push(&self, body: &[u8]) -> std::result::Result<Response, TransportError> {
        let request: PushRequest<&RawValue> = serde_json::from_slice(body).map_err(|_| TransportError::Broken)?;
        let answer = self.service.push_text(&somebody(), &request, NOW_MS);
        respond(answer.map(|answer| answer.json))
    }

    fn pull(&self, body: &[u8]) -> std::result::Result<Response, TransportError> {
        let request: PullRequest = serde_json::from_slice(body).map_err(|_| TransportError::Broken)?;
        respond(self.service.pull_text(&somebody(), &request, NOW_MS).map(|answer| answer.json))
    }

    fn hello(&self) -> std::result::Result<Response, TransportError> {
        respond(self.service.hello(&somebody(), None, NOW_MS).map(|answer| text(&answer)))
    }
}

pub(crate) fn somebody() -> Principal {
    Principal { tenant: "tenant-0".to_owned(), sub: "someone".to_owned(), device: None }
}

fn refused() -> std::result::Result<Response, TransportError> {
    let headers = vec![("retry-after".to_owned(), "3600".to_owned())];
    Ok(Response { status: 503, headers, body: Vec::new().into() })
}

fn respond(answer: std::result::Result<String, Problem>) -> std::result::Result<Response, TransportError> {
    let (status, kind, body) = match answer {
        Ok(json) => (200, "application/json", json),
        Err(problem) => (problem.code.status(), "application/problem+json", text(&problem)),
    };
    let headers = vec![("content-type".to_owned(), kind.to_owned())];
    Ok(Response { status, headers, body: body.into() })
}

fn text(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).unwrap_or_default()
}
