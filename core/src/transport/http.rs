//! The built-in transport: reqwest over rustls.
//!
//! One connection pool per store, HTTP/1.1 or 2, no redirects, no cookies, no retries. A half-open
//! connection ends by the time-out between two reads: TCP alone would wait for a quarter of an hour.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{Client, Url};

use super::{Exchange, Method, Request, Response, Transport, TransportError};
use crate::Error;

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// Between two pieces of an answer, and for the first one.
    pub read: Duration,
    /// For a whole exchange.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), read: Duration::from_secs(30), total: Duration::from_secs(300) }
    }
}

/// Talks HTTP to one server. Must be used inside a tokio runtime.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    client: Client,
    base: String,
}

impl HttpTransport {
    /// A client for the server at `url`; plain `http` only to this machine itself, unless `allow_plain`.
    ///
    /// # Errors
    /// [`Error::InvalidRemote`] if the URL cannot be used, or TLS cannot be set up.
    pub fn new(url: &str, timeouts: Timeouts, allow_plain: bool) -> Result<Self, Error> {
        let invalid = |reason| Error::InvalidRemote { reason };
        let parsed = Url::parse(url).map_err(|_| invalid("it is not a URL such as https://sync.example.com"))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(invalid("a URL with a name or password would leak them: give a token instead"));
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(invalid("it has a query or fragment: give only scheme, host, port and path"));
        }
        let loopback = is_loopback(&parsed);
        let builder = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(timeouts.connect)
            .read_timeout(timeouts.read)
            .timeout(timeouts.total)
            .tcp_nodelay(true)
            .user_agent(concat!("turnstone/", env!("CARGO_PKG_VERSION")));
        install_crypto();
        let builder = match parsed.scheme() {
            "https" => builder,
            "http" if loopback || allow_plain => {
                // No certificate will be looked at: do not load the system's, which takes time or may fail.
                builder.tls_certs_only([])
            }
            "http" => return Err(invalid("plain http would show the token to everybody: use https")),
            _ => return Err(invalid("its scheme is neither https nor http")),
        };
        let builder = if loopback { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|_| invalid("the system's certificates cannot be read"))?;
        Ok(Self { client, base: parsed.as_str().trim_end_matches('/').to_owned() })
    }

    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let url = format!("{}{}", self.base, request.path);
        let mut builder = match request.method {
            Method::Get => self.client.get(url),
            Method::Post => self.client.post(url).body(request.body),
        };
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        let mut answer = builder.send().await.map_err(|error| reason(&error))?;
        let status = answer.status().as_u16();
        let headers = answer
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let body = read_body(&mut answer, request.answer_bytes_max).await?;
        Ok(Response { status, headers, body })
    }
}

impl Transport for HttpTransport {
    fn exchange(&self, request: Request) -> Exchange<'_> {
        Box::pin(self.send(request))
    }
}

/// Reads a body piece by piece and stops as soon as it is longer than asked for.
async fn read_body(answer: &mut reqwest::Response, bytes_max: usize) -> Result<Bytes, TransportError> {
    let announced = answer.content_length().unwrap_or(0);
    if announced > bytes_max as u64 {
        return Err(TransportError::TooLarge);
    }
    let mut body = BytesMut::with_capacity(usize::try_from(announced).unwrap_or(0).min(1 << 20));
    while let Some(piece) = answer.chunk().await.map_err(|error| reason(&error))? {
        if body.len() + piece.len() > bytes_max {
            return Err(TransportError::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

fn reason(error: &reqwest::Error) -> TransportError {
    if is_untrusted(error) {
        TransportError::Untrusted
    } else if error.is_connect() {
        TransportError::Offline
    } else if error.is_timeout() {
        TransportError::Timeout
    } else {
        TransportError::Broken
    }
}

fn is_untrusted(error: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return matches!(tls, rustls::Error::InvalidCertificate(_));
        }
        // An I/O error hides what it wraps from `source`.
        source = match inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped as &(dyn std::error::Error + 'static)),
            None => inner.source(),
        };
    }
    false
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        None => false,
    }
}

/// Chooses ring, unless the app chose something first. Without a choice reqwest would panic.
fn install_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing a race to another thread is as good: there is a provider then.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(url: &str) -> Result<HttpTransport, Error> {
        HttpTransport::new(url, Timeouts::default(), false)
    }

    #[test]
    fn a_token_never_travels_in_the_clear_to_another_machine() {
        assert!(matches!(open("http://sync.example.com"), Err(Error::InvalidRemote { .. })));
        assert!(matches!(open("http://127.0.0.1.example.com"), Err(Error::InvalidRemote { .. })));
        assert!(HttpTransport::new("http://10.0.2.2:8080", Timeouts::default(), true).is_ok());
        for url in ["http://127.0.0.1:1", "http://localhost:1/", "http://[::1]:1/base/"] {
            assert!(open(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_used_says_why() {
        for url in ["", "sync.example.com", "ftp://x", "http://a:b@localhost", "http://localhost/?q=1"] {
            assert_eq!(open(url).map(|_| ()).map_err(|error| error.code()), Err("invalid_remote"), "{url}");
        }
    }
}
