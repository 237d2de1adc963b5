//! Plain HTTP servers and clients: what the limits of first sync, backlog and incremental sync talk to.
//!
//! They keep no identity, no order, no verdicts and no history; that is why they are the limit.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tokio::sync::mpsc;

use super::database::{Database, Durability, note_from};
use crate::Result;
use crate::notes::Note;

/// Rows the streaming limit packs into one piece of its answer.
const ROWS_PER_PIECE: usize = 500;

/// What the plain server keeps.
struct Plain {
    path: PathBuf,
    writer: Mutex<Database>,
}

/// `GET /notes` streams every note as JSON lines, gzip at its fastest, or unpacked. `POST /ops` stores a request of zstd-packed notes in one
/// transaction. `GET /next` waits for one change.
pub(crate) fn routes(path: &Path) -> Result<Router> {
    let writer = Mutex::new(Database::open(path, Durability::Power)?);
    let plain = Arc::new(Plain { path: path.to_path_buf(), writer });
    let routes = Router::new()
        .route("/notes", get(|state| all_notes(state, flate2::Compression::fast())))
        .route("/notes-unpacked", get(|state| all_notes(state, flate2::Compression::none())))
        .route("/ops", post(store_ops))
        .route("/next", get(next));
    Ok(routes.layer(axum::extract::DefaultBodyLimit::disable()).with_state(plain))
}

#[expect(clippy::disallowed_methods, reason = "reading SQLite belongs on a thread of its own")]
async fn all_notes(State(plain): State<Arc<Plain>>, level: flate2::Compression) -> impl IntoResponse {
    let (sender, mut receiver) = mpsc::channel::<Bytes>(4);
    tokio::task::spawn_blocking(move || {
        stream_notes(&plain.path, level, &sender).map_err(|error| eprintln!("{error}"))
    });
    let pieces = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
    Body::from_stream(futures_util::StreamExt::map(pieces, Ok::<_, std::convert::Infallible>))
}

fn stream_notes(path: &Path, level: flate2::Compression, sender: &mpsc::Sender<Bytes>) -> Result<()> {
    let database = Database::open(path, Durability::Power)?;
    let mut select = database.sql("SELECT id, title, body, updated_at, pinned, tag FROM notes ORDER BY id")?;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), level);
    for (number, note) in select.query_map([], note_from)?.enumerate() {
        serde_json::to_writer(&mut packer, &note?)?;
        packer.write_all(b"\n")?;
        if number % ROWS_PER_PIECE == ROWS_PER_PIECE - 1 {
            packer.flush()?;
            let piece = std::mem::take(packer.get_mut());
            sender.blocking_send(piece.into())?;
        }
    }
    sender.blocking_send(packer.finish()?.into())?;
    Ok(())
}

async fn store_ops(State(plain): State<Arc<Plain>>, body: Bytes) -> impl IntoResponse {
    match tokio::task::block_in_place(|| store(&plain, &body)) {
        Ok(stored) => (StatusCode::OK, stored.to_string()),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()),
    }
}

/// One request, one durable transaction: the notes as rows and their text as a log.
fn store(plain: &Plain, body: &[u8]) -> Result<usize> {
    let text = zstd::stream::decode_all(body)?;
    let database = plain.writer.lock().unwrap_or_else(PoisonError::into_inner);
    database.begin()?;
    let mut stored = 0;
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let op: StoredOp = serde_json::from_slice(line)?;
        database.insert(&op.row)?;
        stored += 1;
    }
    database.commit()?;
    Ok(stored)
}

#[derive(serde::Deserialize)]
struct StoredOp {
    row: Note,
}

/// One change of one field.
async fn next() -> impl IntoResponse {
    r#"{"id":"01980000-0000-7000-8000-000000000000","title":"A new title of about forty characters"}"#
}

/// A client that does nothing but HTTP.
pub(crate) struct Client {
    client: reqwest::Client,
    base: String,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    pub(crate) fn new(base: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { client: reqwest::Client::builder().build()?, base: base.to_owned(), runtime })
    }

    /// Posts a body and waits for the answer.
    pub(crate) fn post(&self, path: &str, body: Vec<u8>) -> Result<String> {
        self.runtime.block_on(async {
            let answer = self.client.post(format!("{}{path}", self.base)).body(body).send().await?;
            Ok(answer.error_for_status()?.text().await?)
        })
    }

    pub(crate) fn get(&self, path: &str) -> Result<Vec<u8>> {
        self.runtime.block_on(async {
            let answer = self.client.get(format!("{}{path}", self.base)).send().await?;
            Ok(answer.error_for_status()?.bytes().await?.to_vec())
        })
    }

    /// Gets a gzip stream and hands over each line as it comes. Returns the bytes received.
    pub(crate) fn get_lines(&self, path: &str, mut line: impl FnMut(&[u8]) -> Result<()>) -> Result<u64> {
        self.runtime.block_on(async {
            let mut answer = self.client.get(format!("{}{path}", self.base)).send().await?.error_for_status()?;
            let mut unpacker = flate2::write::GzDecoder::new(Vec::new());
            let mut received = 0;
            while let Some(piece) = answer.chunk().await? {
                received += piece.len() as u64;
                unpacker.write_all(&piece)?;
                take_lines(unpacker.get_mut(), &mut line)?;
            }
            unpacker.try_finish()?;
            take_lines(unpacker.get_mut(), &mut line)?;
            Ok(received)
        })
    }
}

/// Hands over whole lines and keeps what is left of the last.
fn take_lines(text: &mut Vec<u8>, line: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let Some(end) = text.iter().rposition(|byte| *byte == b'\n') else { return Ok(()) };
    text[..end].split(|byte| *byte == b'\n').try_for_each(line)?;
    text.drain(..=end);
    Ok(())
}

/// Packs text the way the push does.
pub(crate) fn pack(text: &[u8]) -> Result<Vec<u8>> {
    let mut packed = Vec::new();
    zstd::stream::read::Encoder::new(text, 1)?.read_to_end(&mut packed)?;
    Ok(packed)
}
