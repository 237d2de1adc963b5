//! A way to the server of the app's own: OkHttp, URLSession, or a test's.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use turnstone::Transport;
use turnstone::transport::{Exchange, Method, Request, Response, TransportError};

/// A header.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct FfiHeader {
    /// Its name, in lower case.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A body.
#[derive(Clone, PartialEq, Eq, uniffi::Enum)]
pub enum FfiBody {
    /// In memory.
    Bytes {
        /// The bytes.
        value: Vec<u8>,
    },
    /// In a file. The library removes both its own, after the exchange, and those of answers, once they are read.
    File {
        /// Where it is.
        path: String,
    },
}

/// What goes out.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct FfiHttpRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// Path and query, from `/sync/v1` on: append it to the server's address.
    pub path: String,
    /// Headers; send them as they are.
    pub headers: Vec<FfiHeader>,
    /// The body, as it travels: packed already.
    pub body: FfiBody,
    /// The longest answer to accept, in bytes, as it travels.
    pub answer_bytes_max: u64,
    /// Where to put the body of an answer that is too large for memory: a name of its own, in a folder that exists.
    pub answer_file: String,
}

/// What comes back. Do not unpack it: `content-encoding` must be as the server sent it.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct FfiHttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<FfiHeader>,
    /// The body, complete.
    pub body: FfiBody,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum FfiHttpFailure {
    /// No server was reached.
    #[error("no server was reached")]
    Offline,
    /// The server did not answer in time.
    #[error("the server did not answer in time")]
    Timeout,
    /// The connection broke before the answer was complete.
    #[error("the connection broke before the answer was complete")]
    Broken,
    /// The answer is longer than was asked for.
    #[error("the answer is longer than was asked for")]
    TooLarge,
    /// The other end could not prove who it is.
    #[error("the server's certificate is not trusted")]
    Untrusted,
}

impl From<uniffi::UnexpectedUniFFICallbackError> for FfiHttpFailure {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Broken
    }
}

/// Moves requests. No redirects, no retries, no caches, no cookies: the store owns all of that.
#[uniffi::export(foreign)]
#[async_trait::async_trait]
pub trait FfiHttpTransport: Send + Sync {
    /// Sends a request and gives the whole answer. May be cancelled at any point.
    async fn exchange(&self, request: FfiHttpRequest) -> Result<FfiHttpResponse, FfiHttpFailure>;
}

/// The app's transport, as the core calls it.
pub(crate) struct HostTransport {
    host: Arc<dyn FfiHttpTransport>,
    folder: PathBuf,
    file_above: u64,
    made: AtomicU64,
}

/// Files of one exchange; gone with it, also when it is cancelled.
struct Files {
    request: PathBuf,
    answer: PathBuf,
}

impl Drop for Files {
    fn drop(&mut self) {
        for file in [&self.request, &self.answer] {
            // Most exchanges make none.
            let _ = std::fs::remove_file(file);
        }
    }
}

impl HostTransport {
    pub(crate) fn new(host: Arc<dyn FfiHttpTransport>, folder: PathBuf, file_above: u64) -> Self {
        // What a killed process left behind is of no use to anybody.
        let _ = std::fs::remove_dir_all(&folder);
        Self { host, folder, file_above, made: AtomicU64::new(0) }
    }

    async fn run(&self, request: Request) -> Result<Response, TransportError> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let file = |kind: &str| self.folder.join(format!("{number}.{kind}"));
        let files = Files { request: file("request"), answer: file("answer") };
        tokio::fs::create_dir_all(&self.folder).await.map_err(|_| TransportError::Broken)?;
        let body = if request.body.len() as u64 > self.file_above {
            tokio::fs::write(&files.request, &request.body).await.map_err(|_| TransportError::Broken)?;
            FfiBody::File { path: text(&files.request)? }
        } else {
            FfiBody::Bytes { value: request.body.to_vec() }
        };
        let headers = request.headers.into_iter().map(|(name, value)| FfiHeader { name: name.to_owned(), value });
        let asked = FfiHttpRequest {
            method: match request.method {
                Method::Get => "GET",
                Method::Post => "POST",
            }
            .to_owned(),
            path: request.path,
            headers: headers.collect(),
            body,
            answer_bytes_max: request.answer_bytes_max as u64,
            answer_file: text(&files.answer)?,
        };
        let answer = self.host.exchange(asked).await.map_err(reason)?;
        let body = read_body(answer.body, request.answer_bytes_max).await?;
        let headers = answer.headers.into_iter().map(|header| (header.name.to_ascii_lowercase(), header.value));
        Ok(Response { status: answer.status, headers: headers.collect(), body })
    }
}

impl Transport for HostTransport {
    fn exchange(&self, request: Request) -> Exchange<'_> {
        Box::pin(self.run(request))
    }
}

async fn read_body(body: FfiBody, bytes_max: usize) -> Result<Bytes, TransportError> {
    let bytes = match body {
        FfiBody::Bytes { value } => value,
        FfiBody::File { path } => {
            let found = tokio::fs::metadata(&path).await.map_err(|_| TransportError::Broken)?;
            if found.len() > bytes_max as u64 {
                let _ = tokio::fs::remove_file(&path).await;
                return Err(TransportError::TooLarge);
            }
            let bytes = tokio::fs::read(&path).await.map_err(|_| TransportError::Broken)?;
            let _ = tokio::fs::remove_file(&path).await;
            bytes
        }
    };
    if bytes.len() > bytes_max { Err(TransportError::TooLarge) } else { Ok(Bytes::from(bytes)) }
}

fn text(path: &Path) -> Result<String, TransportError> {
    path.to_str().map(str::to_owned).ok_or(TransportError::Broken)
}

fn reason(failure: FfiHttpFailure) -> TransportError {
    match failure {
        FfiHttpFailure::Offline => TransportError::Offline,
        FfiHttpFailure::Timeout => TransportError::Timeout,
        FfiHttpFailure::Broken => TransportError::Broken,
        FfiHttpFailure::TooLarge => TransportError::TooLarge,
        FfiHttpFailure::Untrusted => TransportError::Untrusted,
    }
}
