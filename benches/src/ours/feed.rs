//! A server that has nothing but notes to pull: prepares devices of any size in seconds.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use turnstone::transport::{MemoryTransport, Method, Request, Response, StaticToken, TransportError};
use turnstone::{Durability, Options, Remote, Store};
use turnstone_protocol::wire::{Commit, Consistency, HelloAnswer, PullAnswer, PullRequest, Row};
use turnstone_protocol::{Epoch, Hlc};

use crate::Result;
use crate::notes::Note;

/// Commits, of one note each, in one page.
const PAGE: usize = 1_000;

/// A device whose server is these notes.
pub(crate) fn open(path: &Path, notes: Vec<Note>) -> Result<Store> {
    let feed = Arc::new(Feed { notes, schema_hash: super::schema()?.hash() });
    let transport = MemoryTransport::new(move |request| feed.answer(&request));
    let remote = Remote::custom(transport, StaticToken::new("feed"));
    let options = Options::new(path, super::schema()?).durability(Durability::Process).remote(remote);
    Ok(Store::open(options)?)
}

struct Feed {
    notes: Vec<Note>,
    schema_hash: String,
}

impl Feed {
    fn answer(&self, request: &Request) -> std::result::Result<Response, TransportError> {
        let path = request.path.split('?').next().unwrap_or_default();
        match (request.method, path) {
            (Method::Get, "/sync/v1/hello") => json(&self.hello()),
            (Method::Post, "/sync/v1/pull") => json(&self.page(&request.body)?),
            _ => Err(TransportError::Offline),
        }
    }

    fn hello(&self) -> HelloAnswer {
        HelloAnswer {
            epoch: Epoch::from_random(1),
            tier: 0,
            schema: 1,
            schema_hash: self.schema_hash.clone(),
            schema_min: 0,
            head: self.notes.len() as u64,
            stable: 0,
            principal: None,
            last_seq: Some(0),
            now: NOW_MS,
            hlc: Hlc::at(NOW_MS),
        }
    }

    fn page(&self, body: &[u8]) -> std::result::Result<PullAnswer, TransportError> {
        let request: PullRequest = serde_json::from_slice(&unpacked(body)).map_err(|_| TransportError::Broken)?;
        let from = request.cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
        let to = (from + PAGE.min(request.limit)).min(self.notes.len());
        Ok(PullAnswer {
            epoch: Epoch::from_random(1),
            consistency: Consistency::Commit,
            commits: self.notes[from..to].iter().zip(from + 1..).map(|(note, n)| commit(note, n as u64)).collect(),
            cursor: to.to_string(),
            at: to as u64,
            more: to < self.notes.len(),
            acked: 0,
            names_own: true,
            stable: 0,
            hlc: Hlc::at(NOW_MS),
            now: NOW_MS,
        })
    }
}

const NOW_MS: u64 = 1_760_000_000_000;

fn commit(note: &Note, n: u64) -> Commit {
    let fields = super::fields(note).map(|(name, value)| (name.to_owned(), value));
    let row = Row { table: "notes".to_owned(), id: note.id.clone(), born: None, fields: fields.into(), gone: None };
    Commit { n, gid: None, own: None, as_sent: false, count: 1, gids: None, part: None, rows: vec![row] }
}

fn unpacked(body: &[u8]) -> Vec<u8> {
    zstd::stream::decode_all(body).unwrap_or_else(|_| body.to_vec())
}

fn json(answer: &impl Serialize) -> std::result::Result<Response, TransportError> {
    let body = serde_json::to_vec(answer).map_err(|_| TransportError::Broken)?;
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Ok(Response { status: 200, headers, body: body.into() })
}
