//! The built-in transport against servers that misbehave below HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use turnstone::transport::{HttpTransport, Method, Request, Timeouts, Transport, TransportError};

/// Listens, reads one request, and writes exactly these bytes.
async fn server_that_writes(answer: &'static [u8], then_hang: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "a server beside the test")]
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4096];
        let _ = socket.read(&mut buffer).await.unwrap();
        socket.write_all(answer).await.unwrap();
        if then_hang {
            std::future::pending::<()>().await;
        }
    });
    url
}

fn request(answer_bytes_max: usize) -> Request {
    let headers = vec![("authorization", "Bearer secret".to_owned())];
    let path = "/sync/v1/pull".to_owned();
    Request { method: Method::Post, path, headers, body: Bytes::from("{}"), answer_bytes_max }
}

async fn exchange(url: &str, answer_bytes_max: usize) -> Result<(u16, Bytes), TransportError> {
    exchange_within(url, answer_bytes_max, Duration::from_secs(20)).await
}

async fn exchange_within(url: &str, answer_bytes_max: usize, read: Duration) -> Result<(u16, Bytes), TransportError> {
    let timeouts = Timeouts { connect: Duration::from_secs(20), read, total: Duration::from_secs(60) };
    let transport = HttpTransport::new(url, timeouts, false).unwrap();
    let response = transport.exchange(request(answer_bytes_max)).await?;
    Ok((response.status, response.body))
}

#[tokio::test]
async fn an_answer_comes_back_whole() {
    let url = server_that_writes(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", false).await;
    assert_eq!(exchange(&url, 100).await, Ok((200, Bytes::from("hello"))));
}

#[tokio::test]
async fn a_redirect_is_not_followed_so_no_token_travels_elsewhere() {
    let answer = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/login\r\ncontent-length: 0\r\n\r\n";
    let url = server_that_writes(answer, false).await;
    assert_eq!(exchange(&url, 100).await, Ok((302, Bytes::new())));
}

#[tokio::test]
async fn a_cut_answer_is_broken_never_shorter() {
    let url = server_that_writes(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello", false).await;
    assert_eq!(exchange(&url, 100).await, Err(TransportError::Broken));
    let url = server_that_writes(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", false).await;
    assert_eq!(exchange(&url, 100).await, Err(TransportError::Broken));
}

/// A connection that is open at one end only: TCP alone would wait for minutes.
#[tokio::test]
async fn a_half_open_connection_ends_by_the_time_out() {
    let read = Duration::from_millis(300);
    let url = server_that_writes(b"", true).await;
    assert_eq!(exchange_within(&url, 100, read).await, Err(TransportError::Timeout));
    let url = server_that_writes(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello", true).await;
    assert_eq!(exchange_within(&url, 100, read).await, Err(TransportError::Timeout));
}

#[tokio::test]
async fn nobody_listening_is_offline() {
    // No port that was free a moment ago: another test may have taken it.
    assert_eq!(exchange("http://127.0.0.1:1", 100).await, Err(TransportError::Offline));
}

/// I-58: an answer longer than asked for is refused, announced or not.
#[tokio::test]
async fn a_longer_answer_than_asked_for_is_refused() {
    let url = server_that_writes(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n", true).await;
    assert_eq!(exchange(&url, 100).await, Err(TransportError::TooLarge));
    let answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n8\r\n12345678\r\n8\r\n12345678\r\n";
    let url = server_that_writes(answer, true).await;
    assert_eq!(exchange(&url, 10).await, Err(TransportError::TooLarge));
}
