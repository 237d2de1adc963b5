//! The wire between a client and a server of the same process: what HTTP carries, without HTTP.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::value::RawValue;
use turnstone::transport::{MemoryTransport, Request, Response, TransportError};
use turnstone_protocol::wire::{PRINCIPAL, PullRequest, PushRequest};
use turnstone_protocol::{Code, Problem};
use turnstone_server::{Principal, Service};

/// A server that may be down: a service in a slot.
#[derive(Clone, Default)]
pub struct Slot(Arc<Mutex<Slotted>>);

#[derive(Default)]
struct Slotted {
    service: Option<Arc<Service>>,
    now_ms: u64,
}

impl Slot {
    /// Puts a service in, or takes it out.
    pub fn set(&self, service: Option<Arc<Service>>) {
        self.lock().service = service;
    }

    /// The service, if the server is up.
    pub fn service(&self) -> Option<Arc<Service>> {
        self.lock().service.clone()
    }

    /// Sets the server's clock.
    pub fn set_now_ms(&self, now_ms: u64) {
        self.lock().now_ms = now_ms;
    }

    /// A transport to whatever is in the slot.
    pub fn transport(&self, who: Principal) -> MemoryTransport {
        let slot = self.clone();
        MemoryTransport::new(move |request| {
            let service = slot.service().ok_or(TransportError::Offline)?;
            let now_ms = slot.lock().now_ms;
            Ok(match answer(&service, &who, &request, now_ms) {
                Ok(json) => response(200, "application/json", json),
                Err(problem) => {
                    let json = serde_json::to_string(&problem).unwrap_or_default();
                    response(problem.status, "application/problem+json", json)
                }
            })
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Slotted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn response(status: u16, kind: &str, json: String) -> Response {
    let headers = vec![("content-type".to_owned(), kind.to_owned())];
    Response { status, headers, body: json.into_bytes().into() }
}

fn answer(service: &Service, who: &Principal, request: &Request, now_ms: u64) -> Result<String, Problem> {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let named = request.headers.iter().find(|(name, _)| *name == PRINCIPAL);
    who.owns(named.map(|(_, value)| value.as_bytes()))?;
    let body = unpack(request)?;
    let malformed = |error: serde_json::Error| Problem::new(Code::Malformed, error.to_string());
    match path {
        "/sync/v1/push" => {
            let push: PushRequest<Box<RawValue>> = serde_json::from_slice(&body).map_err(malformed)?;
            Ok(service.push_text(who, &push, now_ms)?.json)
        }
        "/sync/v1/pull" => {
            let pull: PullRequest = serde_json::from_slice(&body).map_err(malformed)?;
            Ok(service.pull_text(who, &pull, now_ms)?.json)
        }
        "/sync/v1/hello" => {
            let named = |name: &str| {
                query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|p| p.1)
            };
            let life = match (named("device"), named("incarnation")) {
                (Some(device), Some(incarnation)) => device.parse().ok().zip(incarnation.parse().ok()),
                _ => None,
            };
            serde_json::to_string(&service.hello(who, life, now_ms)?).map_err(malformed)
        }
        _ => Err(Problem::new(Code::NotFound, "no such endpoint")),
    }
}

fn unpack(request: &Request) -> Result<Vec<u8>, Problem> {
    let packed = request.headers.iter().any(|(name, value)| *name == "content-encoding" && value == "zstd");
    if packed {
        zstd::decode_all(request.body.as_ref()).map_err(|_| Problem::new(Code::Malformed, "not zstd"))
    } else {
        Ok(request.body.to_vec())
    }
}
