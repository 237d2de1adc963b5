//! How requests reach a server: one small trait, so that an app can bring its own HTTP.
//!
//! A transport moves bytes and knows nothing of sync: no retries (the engine owns back-off), no
//! redirects (they would carry a token elsewhere, and captive portals love them), no decompression
//! (bodies are bounded while they expand, in `codec`).

#[cfg(feature = "http")]
mod http;
mod memory;
pub(crate) mod retry_after;
mod token;

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

#[cfg(feature = "http")]
pub use http::{HttpTransport, Timeouts};
pub use memory::MemoryTransport;
pub use token::{StaticToken, TokenError, TokenProvider, TokenReason};

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Sends a body.
    Post,
}

/// What goes out.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query, from `/sync/v1` on.
    pub path: String,
    /// Header names in lower case, with their values.
    pub headers: Vec<(&'static str, String)>,
    /// The body, as it travels.
    pub body: Bytes,
    /// The longest answer body to accept, as it travels, in bytes.
    pub answer_bytes_max: usize,
}

/// Shows neither headers (a token) nor body (a person's notes).
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.split('?').next().unwrap_or_default();
        write!(f, "{:?} {path} ({} B)", self.method, self.body.len())
    }
}

/// What comes back.
#[derive(Clone)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The body, as it travelled: complete, or the transport says [`TransportError::Broken`].
    pub body: Bytes,
}

impl Response {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value.as_str()))
    }
}

/// Shows no body.
impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} B)", self.status, self.body.len())
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No server was reached: no network, no such host, nobody listens.
    #[error("no server was reached")]
    Offline,
    /// The server did not answer in time.
    #[error("the server did not answer in time")]
    Timeout,
    /// The connection broke before the answer was complete.
    #[error("the connection broke before the answer was complete")]
    Broken,
    /// The answer is longer than was asked for.
    #[error("the answer is longer than this client accepts")]
    TooLarge,
    /// The other end could not prove who it is.
    #[error("the server's certificate is not trusted")]
    Untrusted,
}

/// An answer to come.
pub type Exchange<'a> = Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send + 'a>>;

/// Moves one request to a server and its answer back.
///
/// # Cancel safety
/// The future may be dropped at any point; the server may have handled the request all the same.
pub trait Transport: Send + Sync {
    /// Sends a request and gives the whole answer.
    ///
    /// # Errors
    /// A [`TransportError`] if there is none, also if it is incomplete.
    fn exchange(&self, request: Request) -> Exchange<'_>;
}
