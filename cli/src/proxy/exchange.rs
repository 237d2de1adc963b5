//! Carries the exchanges of one client connection, each to its fate.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::faults::{Direction, Fate};
use super::link::Shared;
use super::message::{Connection, Message, Side};
use super::tally::add;

const CAPTIVE_PAGE: &str = "<!DOCTYPE html><html><head><title>Free Wi-Fi</title></head>\
<body><h1>Welcome</h1><p>Accept the terms to go online.</p></body></html>\n";

/// What becomes of the client's connection after an exchange.
enum After {
    /// It takes another request.
    Open,
    /// It closes in an orderly way.
    Close,
    /// It resets.
    Reset,
}

/// Carries exchanges until one of them ends the connection.
///
/// # Errors
/// The I/O error that ended it.
pub(super) async fn carry(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut client = Connection::new(stream);
    while let Some(request) = client.message(Side::Request).await? {
        add(&shared.tally.exchanges, 1);
        match one(&mut client, request, shared).await {
            Ok(After::Open) => {}
            Ok(After::Close) => break,
            Ok(After::Reset) => {
                client.stream.set_zero_linger()?;
                break;
            }
            Err(error) => {
                add(&shared.tally.server_failed, 1);
                return Err(error);
            }
        }
    }
    Ok(())
}

async fn one(client: &mut Connection, request: Message, shared: &Shared) -> io::Result<After> {
    let n = shared.next_number();
    let plan = shared.faults().plan(shared.seed, n);
    tracing::debug!(n, ?plan, bytes = request.bytes.len(), "exchange");
    let tally = &shared.tally;
    if plan.delay_ms > 0 {
        add(&tally.delayed, 1);
        crate::edge::sleep_ms(plan.delay_ms).await;
    }
    match plan.fate {
        Fate::Pass => {
            let answer = ask(shared, &request.bytes).await?;
            add(&tally.passed, 1);
            replay(shared).await;
            give(client, &request, &answer, shared).await
        }
        Fate::Drop => {
            add(&tally.dropped, 1);
            Ok(After::Close)
        }
        Fate::Duplicate { racing } => {
            add(&tally.duplicated, 1);
            let answer = twice(shared, &request.bytes, racing).await?;
            give(client, &request, &answer, shared).await
        }
        Fate::ReplayLate => {
            let answer = ask(shared, &request.bytes).await?;
            shared.keep_for_replay(request.bytes.clone());
            give(client, &request, &answer, shared).await
        }
        Fate::CutAfterCommit => {
            ask(shared, &request.bytes).await?;
            add(&tally.cut_after_commit, 1);
            Ok(After::Close)
        }
        Fate::Reset { direction, after_bytes } => reset(client, &request, shared, direction, after_bytes).await,
        Fate::HalfOpen { ms, forwarded } => {
            add(&tally.half_open, 1);
            if forwarded {
                ask(shared, &request.bytes).await?;
            }
            silence(client, ms).await;
            Ok(After::Close)
        }
        Fate::Captive => {
            add(&tally.captive, 1);
            canned(client, shared, "200 OK", "text/html; charset=utf-8", "", CAPTIVE_PAGE).await
        }
        Fate::Unavailable => {
            add(&tally.unavailable, 1);
            canned(client, shared, "503 Service Unavailable", "text/plain", "Retry-After: 1\r\n", "try later\n").await
        }
    }
}

/// Sends a request over a connection of its own and reads the whole answer.
async fn ask(shared: &Shared, request: &[u8]) -> io::Result<Message> {
    let mut server = dial(shared).await?;
    server.stream.write_all(request).await?;
    add(&shared.tally.bytes_up, len(request));
    server.message(Side::Answer).await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

async fn twice(shared: &Shared, request: &[u8], racing: bool) -> io::Result<Message> {
    if racing {
        let (first, second) = tokio::join!(ask(shared, request), ask(shared, request));
        return second.or(first);
    }
    let first = ask(shared, request).await;
    ask(shared, request).await.or(first)
}

/// Sends the requests kept for a late replay. What the server says to them no longer interests anybody.
async fn replay(shared: &Shared) {
    for old in shared.take_replays() {
        add(&shared.tally.replayed_late, 1);
        if let Err(error) = ask(shared, &old).await {
            tracing::debug!(kind = ?error.kind(), "a late replay got no answer");
        }
    }
}

async fn give(client: &mut Connection, request: &Message, answer: &Message, shared: &Shared) -> io::Result<After> {
    client.stream.write_all(&answer.bytes).await?;
    add(&shared.tally.bytes_down, len(&answer.bytes));
    Ok(if request.closes || answer.closes { After::Close } else { After::Open })
}

async fn reset(
    client: &mut Connection,
    request: &Message,
    shared: &Shared,
    direction: Direction,
    after_bytes: u64,
) -> io::Result<After> {
    let first = |bytes: &[u8]| {
        // At least one byte is missing, or it would not be a fault.
        let most = bytes.len().saturating_sub(1);
        bytes.get(..usize::try_from(after_bytes).unwrap_or(most).min(most)).unwrap_or_default().to_vec()
    };
    match direction {
        Direction::Up => {
            add(&shared.tally.reset_up, 1);
            let mut server = dial(shared).await?;
            let part = first(&request.bytes);
            server.stream.write_all(&part).await?;
            add(&shared.tally.bytes_up, len(&part));
            server.stream.set_zero_linger()?;
        }
        Direction::Down => {
            let answer = ask(shared, &request.bytes).await?;
            add(&shared.tally.reset_down, 1);
            let part = first(&answer.bytes);
            client.stream.write_all(&part).await?;
            add(&shared.tally.bytes_down, len(&part));
            client.stream.flush().await?;
        }
    }
    Ok(After::Reset)
}

/// Waits until the time is over or the client gives up.
async fn silence(client: &mut Connection, ms: u64) {
    let mut byte = [0u8; 1];
    let gone = client.stream.read(&mut byte);
    // Either way the exchange is over; a late byte of the client is lost with it.
    drop(tokio::time::timeout(Duration::from_millis(ms), gone).await);
}

async fn canned(
    client: &mut Connection,
    shared: &Shared,
    status: &str,
    kind: &str,
    headers: &str,
    body: &str,
) -> io::Result<After> {
    let bytes = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{headers}Content-Length: {bytes}\r\nConnection: close\r\n\r\n{body}"
    );
    client.stream.write_all(answer.as_bytes()).await?;
    add(&shared.tally.bytes_down, len(answer.as_bytes()));
    Ok(After::Close)
}

async fn dial(shared: &Shared) -> io::Result<Connection> {
    let stream = TcpStream::connect(shared.target()).await?;
    stream.set_nodelay(true)?;
    Ok(Connection::new(stream))
}

fn len(bytes: &[u8]) -> u64 {
    bytes.len() as u64
}
