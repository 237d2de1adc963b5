//! Reads whole HTTP/1.1 messages from a connection, byte for byte as they came.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// The longest head (request or status line plus headers).
const HEAD_BYTES_MAX: usize = 64 << 10;
/// The longest message. Above every limit of the protocol, so that the server's own limits answer first.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// A message as it came, and what the link has to know about it.
#[derive(Debug, Clone)]
pub(super) struct Message {
    /// The bytes, unchanged.
    pub(super) bytes: Vec<u8>,
    /// Whether the sender closes the connection after it.
    pub(super) closes: bool,
}

/// Which end a message comes from; the rules for where it ends differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// A client's request.
    Request,
    /// A server's answer.
    Answer,
}

/// One connection and the bytes read ahead on it.
#[derive(Debug)]
pub(super) struct Connection {
    /// The connection itself.
    pub(super) stream: TcpStream,
    ahead: Vec<u8>,
}

impl Connection {
    pub(super) const fn new(stream: TcpStream) -> Self {
        Self { stream, ahead: Vec::new() }
    }

    /// Reads the next message; `None` where the peer closed between messages.
    ///
    /// # Errors
    /// An I/O error, or `InvalidData` for what is not HTTP/1.1 or is over a bound.
    pub(super) async fn message(&mut self, side: Side) -> io::Result<Option<Message>> {
        let Some(head_len) = self.head().await? else { return Ok(None) };
        let head = Head::parse(self.ahead.get(..head_len).unwrap_or_default(), side)?;
        let end = match head.body {
            Body::None => head_len,
            Body::Length(len) => {
                let end = head_len.saturating_add(len);
                self.fill(end).await?;
                end
            }
            Body::Chunked => self.chunks(head_len).await?,
            Body::UntilClose => {
                while self.more().await? {}
                self.ahead.len()
            }
        };
        let rest = self.ahead.split_off(end);
        let bytes = std::mem::replace(&mut self.ahead, rest);
        Ok(Some(Message { bytes, closes: head.closes }))
    }

    async fn head(&mut self) -> io::Result<Option<usize>> {
        loop {
            if let Some(at) = find(&self.ahead, b"\r\n\r\n") {
                return Ok(Some(at + 4));
            }
            if self.ahead.len() > HEAD_BYTES_MAX {
                return Err(invalid("the head is too long"));
            }
            if !self.more().await? {
                return if self.ahead.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    async fn fill(&mut self, end: usize) -> io::Result<()> {
        if end > MESSAGE_BYTES_MAX {
            return Err(invalid("the message is too long"));
        }
        while self.ahead.len() < end {
            if !self.more().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    /// Reads chunks from `at` on and returns where the message ends.
    async fn chunks(&mut self, mut at: usize) -> io::Result<usize> {
        loop {
            let line = self.line(at).await?;
            let size = chunk_size(self.ahead.get(at..line).unwrap_or_default())?;
            at = line + 2;
            if size == 0 {
                break;
            }
            at = at.saturating_add(size).saturating_add(2);
            self.fill(at).await?;
        }
        // Trailers, then an empty line.
        loop {
            let line = self.line(at).await?;
            let empty = line == at;
            at = line + 2;
            if empty {
                return Ok(at);
            }
        }
    }

    /// Where the line that starts at `from` ends (its CR).
    async fn line(&mut self, from: usize) -> io::Result<usize> {
        loop {
            if let Some(at) = self.ahead.get(from..).and_then(|rest| find(rest, b"\r\n")) {
                return Ok(from + at);
            }
            if !self.more().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn more(&mut self) -> io::Result<bool> {
        if self.ahead.len() > MESSAGE_BYTES_MAX {
            return Err(invalid("the message is too long"));
        }
        self.ahead.reserve(16 << 10);
        Ok(self.stream.read_buf(&mut self.ahead).await? > 0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    None,
    Length(usize),
    Chunked,
    UntilClose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    body: Body,
    closes: bool,
}

impl Head {
    fn parse(bytes: &[u8], side: Side) -> io::Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| invalid("the head is not text"))?;
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let (mut length, mut chunked, mut closes) = (None, false, false);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.parse().map_err(|_| invalid("a content-length is not a number"))?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                chunked = value.to_ascii_lowercase().contains("chunked");
            } else if name.eq_ignore_ascii_case("connection") {
                closes = value.eq_ignore_ascii_case("close");
            }
        }
        let body = match (chunked, length, side) {
            (true, ..) => Body::Chunked,
            (false, Some(length), _) => Body::Length(length),
            (false, None, Side::Request) => Body::None,
            (false, None, Side::Answer) if bodiless(first) => Body::None,
            (false, None, Side::Answer) => Body::UntilClose,
        };
        Ok(Self { body, closes: closes || body == Body::UntilClose })
    }
}

fn bodiless(status_line: &str) -> bool {
    let status = status_line.split(' ').nth(1).unwrap_or_default();
    status.starts_with('1') || matches!(status, "204" | "304")
}

fn chunk_size(line: &[u8]) -> io::Result<usize> {
    let text = std::str::from_utf8(line).map_err(|_| invalid("a chunk size is not text"))?;
    let digits = text.split(';').next().unwrap_or_default().trim();
    usize::from_str_radix(digits, 16).map_err(|_| invalid("a chunk size is not a number"))
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
