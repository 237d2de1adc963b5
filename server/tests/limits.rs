//! Every input is bounded, and a refusal says so (I-58); a server that stops answers what it took (I-59); logs hold
//! nothing of anybody (I-61).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "requests run beside each other")]

mod common;

use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::http::*;
use common::*;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use turnstone_server::Clock;

async fn post_packed(server: &Running, encoding: &str, body: Vec<u8>) -> (u16, String) {
    let request = server.client.post(server.url("/sync/v1/push")).bearer_auth(token_of("ann"));
    let response = request.header("content-encoding", encoding).body(body).send().await.unwrap();
    let (status, code, _) = problem(response).await;
    (status, code)
}

fn peak_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: 0 kB");
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// I-58: a few hundred kilobytes that would expand to four gigabytes, eight at a time.
#[tokio::test(flavor = "multi_thread")]
async fn i_58_bombs_are_refused_at_once_within_bounded_memory() {
    let server = Running::start().await;
    let mut zstd = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    std::io::copy(&mut std::io::repeat(b' ').take(4 << 30), &mut zstd).unwrap();
    let zstd = zstd.finish().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::copy(&mut std::io::repeat(b' ').take(1 << 30), &mut gzip).unwrap();
    let gzip = gzip.finish().unwrap();
    let before = peak_memory_kib();
    let bombs = (0..8).map(|at| match at % 2 {
        0 => post_packed(&server, "zstd", zstd.clone()),
        _ => post_packed(&server, "gzip", gzip.clone()),
    });
    for (status, code) in futures_util::future::join_all(bombs).await {
        assert!(matches!((status, code.as_str()), (413, "too_large") | (503, "unavailable")), "{status} {code}");
    }
    let grown = peak_memory_kib() - before;
    assert!(grown < 512 << 10, "peak memory grew by {grown} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn i_58_a_body_over_the_limit_is_refused_and_its_client_hears_it() {
    let server = Running::with(|config| {
        config.limits.request_packed_bytes_max = 100_000;
        config.limits.request_expanded_bytes_max = 300_000;
    })
    .await;
    // With a declared length, and without one: both are sent whole before the answer is read.
    assert_eq!(post_packed(&server, "identity", vec![b'x'; 8 << 20]).await, (413, "too_large".to_owned()));
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let head = format!(
        "POST /sync/v1/push HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ntransfer-encoding: chunked\r\n\r\n",
        token_of("ann")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..64 {
        stream.write_all(b"10000\r\n").await.unwrap();
        stream.write_all(&vec![b'x'; 0x10000]).await.unwrap();
        stream.write_all(b"\r\n").await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 1024];
    let read = stream.read(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer[..read]).starts_with("HTTP/1.1 413 "));
    let wide = zstd::bulk::compress(&vec![b' '; 400_000], 3).unwrap();
    assert_eq!(post_packed(&server, "zstd", wide).await, (413, "too_large".to_owned()));
}

/// I-58: depth, numbers, names: nothing that can be written in JSON makes the server fail.
#[tokio::test(flavor = "multi_thread")]
async fn i_58_hostile_json_gets_a_verdict_or_a_problem() {
    let server = Running::start().await;
    let ann = token_of("ann");
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let post = async |text: String| {
        let request = server.client.post(server.url("/sync/v1/push")).bearer_auth(&ann);
        let response = request.body(text).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str::<Json>(&response.text().await.unwrap()).unwrap())
    };
    assert_eq!(post(deep.clone()).await.0, 400);
    let shell =
        |groups: &str| push_body(1, &[]).to_string().replace("\"groups\":[]", &format!("\"groups\":[{groups}]"));
    let (status, body) = post(shell(&deep)).await;
    assert_eq!((status, &body["code"]), (400, &json!("malformed")));
    let group = |value: &str| {
        let group = group(7, 1, json!([create("n", "VALUE")])).to_string();
        shell(&group.replace("\"VALUE\"", value))
    };
    for value in [deep.as_str(), "1e999", "\"\\u0000\"", "\"\\ud800\"", "-", "9007199254740993", "{\"a\":NaN}"] {
        let (status, body) = post(group(value)).await;
        let outcome = &body["verdicts"][0]["verdict"];
        assert!(status == 400 || (status == 200 && outcome == &json!("rejected")), "{status} {outcome}");
    }
    let (status, _) = post("\u{feff}".to_owned() + &push_body(1, &[]).to_string()).await;
    assert_eq!(status, 400);
    assert_eq!(post(shell("")).await.0, 200, "it still serves");
}

/// Text of every kind is stored exactly.
#[tokio::test(flavor = "multi_thread")]
async fn any_text_comes_back_exactly() {
    let server = Running::start().await;
    let ann = token_of("ann");
    let limit = "x".repeat(1 << 20);
    let texts =
        ["👩🏽‍🚀 e\u{301} \u{202e}rtl\u{202c} \u{200f}", "\"; DROP TABLE rows; --", "\u{1}\u{1f}\u{7f}\\\"/", "", &limit];
    for (seq, text) in (1u64..).zip(texts) {
        let row = json!([{"op": "create", "table": "notes", "id": text.get(..20).unwrap_or(text).to_owned() + "!", "set": {"body": text}}]);
        let body = push_body(1, &[group(u128::from(seq), seq, row)]);
        let said = answer(server.post("/sync/v1/push", &ann, &body).await).await;
        assert_eq!(said["verdicts"][0]["verdict"], json!("applied"), "text {seq}");
    }
    let page = answer(server.post("/sync/v1/pull", &ann, &pull_body(2, None)).await).await;
    let told: Vec<_> = page["commits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|commit| commit["rows"][0]["fields"]["body"].as_str().unwrap_or("").to_owned())
        .collect();
    assert_eq!(told, texts);
}

/// I-58: more requests than there are places hear it at once, with a time to come back.
#[tokio::test(flavor = "multi_thread")]
async fn i_58_too_many_requests_at_once_are_sent_away() {
    let server = Running::with(|config| config.limits.requests_max = 2).await;
    let hold = async || {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        let head = format!(
            "POST /sync/v1/push HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 10\r\n\r\n{{",
            token_of("ann")
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    let mut held = vec![hold().await, hold().await];
    // Both places are taken once another is turned away. One of these may have been, if a question held its place.
    let response = loop {
        let response = server.client.get(server.url("/healthz")).send().await.unwrap();
        if response.status().as_u16() != 200 {
            break response;
        }
        held.push(hold().await);
    };
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(&problem(response).await.1, "unavailable");
    drop(held);
    while server.client.get(server.url("/healthz")).send().await.unwrap().status().as_u16() != 200 {}
}

/// I-58: a body that trickles in does not hold its place for ever.
#[tokio::test(flavor = "multi_thread")]
async fn i_58_a_request_that_does_not_arrive_is_given_up() {
    let server = Running::with(|config| config.limits.request_ms_max = 100).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let head = format!(
        "POST /sync/v1/pull HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 1000\r\n\r\n{{",
        token_of("ann")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut answer)).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&answer[..read]).starts_with("HTTP/1.1 408 "));
}

/// I-59: requests that were taken are answered; then the port is free.
#[tokio::test(flavor = "multi_thread")]
async fn i_59_a_stopping_server_answers_what_it_took() {
    let mut server = Running::start().await;
    let groups: Vec<Json> =
        (1..=1000).map(|at| group(at, at as u64, json!([create(&at.to_string(), "text")]))).collect();
    let body = push_body(1, &groups).to_string();
    // The head is with the server, the body still on its way, when it is asked to stop.
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let head = format!(
        "POST /sync/v1/push HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        token_of("ann"),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut said = vec![0; go_on.len()];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(said, go_on, "the server has the head, and waits for the body");
    server.ask_to_stop();
    while TcpStream::connect(server.addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answered = Vec::new();
    stream.read_to_end(&mut answered).await.unwrap();
    let answered = String::from_utf8_lossy(&answered);
    assert!(answered.starts_with("HTTP/1.1 200 "));
    assert_eq!(answered.matches("\"verdict\":\"applied\"").count(), 1000);
    let folder = server.stop().await;
    let server = Running::over(folder, |_| {}).await;
    let hello = answer(server.get("/sync/v1/hello", &token_of("ann")).await).await;
    assert_eq!(hello["head"], json!(1000));
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// I-61: everything the server logs while it is used and misused, at every level, without a word of it.
#[tokio::test(flavor = "multi_thread")]
async fn i_61_logs_hold_no_payload_token_cursor_or_name() {
    const CANARY: &str = "canary7291";
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .json()
        .finish();
    // The only test of this binary that listens; others' lines may be in it too, which can only make it stricter.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let server = Running::with(|config| config.clock = Clock::from_fn(|| NOW_MS)).await;
    let tenant = format!("tenant-{CANARY}");
    let token = token_of(&tenant);
    let secret = |at: u128, seq| {
        let row = json!([{"op": "create", "table": "notes", "id": format!("id-{CANARY}-{at}"), "set": {"title": CANARY, "body": {CANARY: 1}}}]);
        group(at, seq, row)
    };
    let good = group(1, 1, json!([create(&format!("id-{CANARY}"), CANARY)]));
    server.post("/sync/v1/push", &token, &push_body(1, std::slice::from_ref(&good))).await;
    let page = answer(server.post("/sync/v1/pull", &token, &pull_body(1, None)).await).await;
    let cursor = page["cursor"].as_str().unwrap().to_owned();
    for body in [
        push_body(1, &[secret(2, 2)]),
        push_body(1, &[secret(1, 1)]),
        push_body(1, &[secret(9, 50)]),
        json!({"device": CANARY}),
        json!(CANARY),
        pull_body(1, Some(&format!("{cursor}{CANARY}"))),
    ] {
        server.post("/sync/v1/push", &token, &body).await;
        server.post("/sync/v1/pull", &token, &body).await;
        server.post("/sync/v1/pull", &format!("{token}{CANARY}"), &body).await;
    }
    server.get(&format!("/{CANARY}?device={CANARY}"), &token).await;
    server.get(&format!("/sync/v1/hello?device={CANARY}&incarnation={cursor}"), &token).await;
    server.client.get(server.url("/healthz")).header("x-request-id", "plain-id").send().await.unwrap();
    let shown =
        format!("{:?} {:?}", key(), turnstone_server::Principal { tenant, sub: CANARY.to_owned(), device: None });
    server.stop().await;
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap() + &shown;
    assert!(logged.contains("gid_reuse") && logged.contains("plain-id"), "the log is on: {}", logged.len());
    let secrets = [CANARY, &token, token.rsplit('.').next().unwrap(), &cursor, "somebody"];
    for line in logged.lines() {
        for secret in secrets {
            assert!(!line.contains(secret), "{} is in a line of the log", &secret[..6]);
        }
    }
}
