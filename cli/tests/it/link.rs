//! The faulty link does to a connection exactly what it says, and counts it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use turnstone_cli::proxy::{Faults, Link, LinkConfig, Rate, Summary};

/// A server that counts what reaches it and answers each request with its number.
struct Counting {
    addr: SocketAddr,
    whole: Arc<AtomicU64>,
    bodies: Arc<Mutex<Vec<String>>>,
    bytes: Arc<AtomicU64>,
}

async fn counting(chunked: bool) -> Counting {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (whole, bytes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let server = Counting { addr, whole: whole.clone(), bodies: bodies.clone(), bytes: bytes.clone() };
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (whole, bytes, bodies) = (whole.clone(), bytes.clone(), bodies.clone());
            tokio::spawn(async move {
                let mut seen = Vec::new();
                loop {
                    let mut buffer = [0u8; 4096];
                    let Ok(n) = stream.read(&mut buffer).await else { return };
                    if n == 0 {
                        return;
                    }
                    bytes.fetch_add(n as u64, Ordering::SeqCst);
                    seen.extend_from_slice(&buffer[..n]);
                    let text = String::from_utf8_lossy(&seen).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length: usize =
                        head.lines().find_map(|l| l.strip_prefix("Content-Length: ")).unwrap_or("0").parse().unwrap();
                    if body.len() < length {
                        continue;
                    }
                    bodies.lock().unwrap().push(body.to_owned());
                    seen.clear();
                    let number = whole.fetch_add(1, Ordering::SeqCst) + 1;
                    let answer = format!("answer {number} {}", "x".repeat(3000));
                    let answer = if chunked {
                        let (a, b) = answer.split_at(1000);
                        format!(
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{a}\r\n{:x};x=y\r\n{b}\r\n0\r\nT: 1\r\n\r\n",
                            a.len(),
                            b.len()
                        )
                    } else {
                        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len())
                    };
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    server
}

async fn link(server: &Counting, faults: Faults) -> Link {
    let listen = "127.0.0.1:0".parse().unwrap();
    Link::start(LinkConfig { listen, to: server.addr.to_string(), seed: 1, faults }).await.unwrap()
}

/// Sends one request and reads until the link closes or stays silent.
async fn ask(link: &Link, body: &str) -> Result<String, ErrorKind> {
    let mut stream = TcpStream::connect(link.local_addr()).await.map_err(|e| e.kind())?;
    let request =
        format!("POST /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.map_err(|e| e.kind())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map_err(|e| e.kind())?;
    Ok(String::from_utf8(answer).unwrap())
}

fn only(change: impl FnOnce(&mut Faults)) -> Faults {
    let mut faults = Faults::NONE;
    change(&mut faults);
    faults
}

#[tokio::test]
async fn a_good_link_changes_nothing() {
    for chunked in [false, true] {
        let server = counting(chunked).await;
        let link = link(&server, Faults::NONE).await;
        let answer = ask(&link, "hello").await.unwrap();
        assert!(answer.contains("answer 1"), "{answer}");
        assert!(answer.matches('x').count() >= 3000);
        assert_eq!(server.bodies.lock().unwrap().as_slice(), ["hello"]);
        let summary = link.stop().await;
        assert_eq!((summary.passed, summary.faults()), (1, 0));
        assert_eq!(summary.bytes_up, server.bytes.load(Ordering::SeqCst));
        assert_eq!(summary.bytes_down, answer.len() as u64);
    }
}

#[tokio::test]
async fn one_connection_carries_many_requests_also_when_they_come_at_once() {
    let server = counting(false).await;
    let link = link(&server, Faults::NONE).await;
    let mut stream = TcpStream::connect(link.local_addr()).await.unwrap();
    stream
        .write_all(b"POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nAGET /b HTTP/1.1\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("answer 1") && answer.contains("answer 2"));
    assert_eq!(link.stop().await.exchanges, 2);
}

#[tokio::test]
async fn a_dropped_request_never_reaches_the_server() {
    let server = counting(false).await;
    let link = link(&server, only(|f| f.drop = Rate::ALWAYS)).await;
    assert_eq!(ask(&link, "hello").await.unwrap(), "");
    assert_eq!(server.bytes.load(Ordering::SeqCst), 0);
    assert_eq!(link.stop().await.dropped, 1);
}

#[tokio::test]
async fn a_duplicated_request_reaches_the_server_twice_and_is_answered_once() {
    let server = counting(false).await;
    let link = link(&server, only(|f| f.duplicate = Rate::ALWAYS)).await;
    for _ in 0..8 {
        let answer = ask(&link, "hello").await.unwrap();
        assert_eq!(answer.matches("HTTP/1.1").count(), 1);
    }
    assert_eq!(server.bodies.lock().unwrap().as_slice(), ["hello"; 16]);
    assert_eq!(link.stop().await.duplicated, 8);
}

#[tokio::test]
async fn a_late_replay_reaches_the_server_after_a_later_request() {
    let server = counting(false).await;
    let link = link(&server, only(|f| f.replay_late = Rate::ALWAYS)).await;
    assert!(ask(&link, "first").await.unwrap().contains("answer 1"));
    link.set_faults(Faults::NONE);
    assert!(ask(&link, "second").await.unwrap().contains("answer 2"));
    assert_eq!(server.bodies.lock().unwrap().as_slice(), ["first", "second", "first"]);
    assert_eq!(link.stop().await.replayed_late, 1);
}

#[tokio::test]
async fn a_cut_comes_after_the_server_answered() {
    let server = counting(false).await;
    let link = link(&server, only(|f| f.cut_after_commit = Rate::ALWAYS)).await;
    assert_eq!(ask(&link, "hello").await.unwrap(), "");
    assert_eq!(server.whole.load(Ordering::SeqCst), 1, "the server did its part");
    assert_eq!(link.stop().await.cut_after_commit, 1);
}

#[tokio::test]
async fn a_reset_leaves_a_part_of_the_request_or_of_the_answer() {
    let server = counting(false).await;
    let faults = only(|f| {
        f.reset_after_bytes = Rate::ALWAYS;
        f.reset_bytes_max = 2000;
    });
    let link = link(&server, faults).await;
    let mut short_answers = 0;
    for _ in 0..20 {
        match ask(&link, &"b".repeat(5000)).await {
            Ok(answer) => assert!(answer.len() < 3000, "a whole answer came through a reset"),
            Err(kind) => assert_eq!(kind, ErrorKind::ConnectionReset),
        }
        short_answers += 1;
    }
    let summary: Summary = link.stop().await;
    assert_eq!(summary.reset_up + summary.reset_down, short_answers);
    assert!(summary.reset_up > 0 && summary.reset_down > 0, "{summary:?}");
    assert_eq!(server.whole.load(Ordering::SeqCst), summary.reset_down, "a request cut short is not a request");
}

#[tokio::test]
async fn a_half_open_exchange_is_silent_for_a_bounded_time() {
    let server = counting(false).await;
    let faults = only(|f| {
        f.half_open = Rate::ALWAYS;
        f.half_open_ms_max = 150;
    });
    let link = link(&server, faults).await;
    let start = Instant::now();
    assert_eq!(ask(&link, "hello").await.unwrap(), "");
    assert!(start.elapsed() >= Duration::from_millis(140), "{:?}", start.elapsed());
    assert_eq!(link.stop().await.half_open, 1);
}

#[tokio::test]
async fn a_captive_portal_answers_200_and_html() {
    let server = counting(false).await;
    let link = link(&server, only(|f| f.captive = Rate::ALWAYS)).await;
    let answer = ask(&link, "hello").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("text/html"), "{answer}");
    assert_eq!(server.bytes.load(Ordering::SeqCst), 0);
    assert_eq!(link.stop().await.captive, 1);
}

#[tokio::test]
async fn an_unavailable_gateway_says_when_to_come_back() {
    let server = counting(false).await;
    let link = link(&server, only(|f| f.unavailable = Rate::ALWAYS)).await;
    let answer = ask(&link, "hello").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("Retry-After: 1\r\n"), "{answer}");
    assert_eq!(link.stop().await.unavailable, 1);
}

#[tokio::test]
async fn delays_are_counted_and_bounded() {
    let server = counting(false).await;
    let faults = only(|f| {
        f.delay = Rate::ALWAYS;
        f.delay_ms_max = 60;
    });
    let link = link(&server, faults).await;
    for _ in 0..5 {
        let start = Instant::now();
        assert!(ask(&link, "hello").await.unwrap().contains("answer"));
        assert!(start.elapsed() < Duration::from_secs(2));
    }
    assert!(link.stop().await.delayed >= 4);
}

#[tokio::test]
async fn airplane_mode_breaks_open_exchanges_and_refuses_new_ones() {
    let server = counting(false).await;
    let faults = only(|f| {
        f.half_open = Rate::ALWAYS;
        f.half_open_ms_max = 60_000;
    });
    let link = link(&server, faults).await;
    let (answer, ()) = tokio::join!(ask(&link, "hello"), async {
        while link.summary().half_open == 0 {
            tokio::task::yield_now().await;
        }
        link.set_offline(true);
    });
    assert!(answer.is_ok_and(|text| text.is_empty()), "the open exchange broke long before its minute was over");
    let refused = ask(&link, "hello").await;
    assert!(refused.is_err() || refused.is_ok_and(|text| text.is_empty()));
    link.set_faults(Faults::NONE);
    link.set_offline(false);
    assert!(ask(&link, "hello").await.unwrap().contains("answer"));
    assert_eq!(link.stop().await.refused_offline, 1);
}

#[tokio::test]
async fn a_server_that_is_down_closes_the_client_and_one_that_moved_is_found() {
    let server = counting(false).await;
    let link = link(&server, Faults::NONE).await;
    link.set_target("127.0.0.1:1");
    assert!(ask(&link, "hello").await.is_ok_and(|text| text.is_empty()));
    link.set_target(server.addr.to_string());
    assert!(ask(&link, "hello").await.unwrap().contains("answer 1"));
    let summary = link.stop().await;
    assert_eq!((summary.server_failed, summary.passed), (1, 1));
}
