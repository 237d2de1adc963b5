//! The driver: alone, closed in the middle, dropped, with much to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod kit;

use std::sync::mpsc;
use std::time::Duration;

use kit::{Counter, Device, HttpServer, MemoryServer};
use turnstone::{Store, transport::Timeouts};

/// A2, H1: nobody asks, and it is synced.
#[test]
fn i_18_auto_sync_pushes_a_few_seconds_after_a_write() {
    let server = MemoryServer::new();
    let ann = Device::open_with("ann", server.remote(), |options| options.auto_sync(true));
    ann.insert("by itself");
    let watch = ann.store.watch_status().unwrap();
    while watch.next_blocking().unwrap().pending_groups > 0 {}
    let ben = server.device("ben");
    ben.sync();
    assert_eq!(ben.store.query("SELECT title FROM notes", &[]).unwrap().rows.len(), 1);
}

/// I-18: automatic syncing survives a bad start without a write, a restart or a reconnect.
#[test]
fn i_18_auto_sync_drains_once_faults_stop() {
    let server = MemoryServer::new();
    let left = Counter::default();
    server.intercept(move |_, _| (left.next() < 3).then(|| kit::html(502)));
    let ann = Device::open_with("ann", server.remote(), |options| options.auto_sync(true));
    ann.insert("by itself");
    let watch = ann.store.watch_status().unwrap();
    while watch.next_blocking().unwrap().pending_groups > 0 {}
}

/// I-48 in part: a sync in flight when the store is closed writes nothing afterwards.
#[test]
fn closing_during_a_sync_ends_it_and_nothing_is_written_afterwards() {
    let server = MemoryServer::new();
    let ann = server.device("ann");
    for at in 0..20 {
        ann.insert(&format!("note {at}"));
    }
    let (reached, wait) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let (reached, released) = (std::sync::Mutex::new(reached), std::sync::Mutex::new(released));
    server.intercept(move |request, _| {
        if request.path.ends_with("/push") {
            reached.lock().unwrap().send(()).unwrap();
            let _ = released.lock().unwrap().recv_timeout(Duration::from_secs(5));
        }
        None
    });
    let store = ann.store.clone();
    #[expect(clippy::disallowed_methods, reason = "a sync beside the test")]
    let syncing = std::thread::spawn(move || store.sync_blocking());
    wait.recv().unwrap();
    release.send(()).unwrap();
    ann.store.close().unwrap();
    let result = syncing.join().unwrap();
    assert!(result.is_ok() || result.unwrap_err().code() == "closed");
    let file = ann.folder.path().join("app.db");
    let before = std::fs::read(&file).unwrap();
    std::thread::park_timeout(Duration::from_millis(100));
    assert_eq!(std::fs::read(&file).unwrap(), before);
    server.intercept(|_, _| None);
    let ann = ann.reopen();
    ann.sync();
    assert_eq!(ann.pending(), 0);
    let ben = server.device("ben");
    ben.sync();
    assert_eq!(ben.store.query("SELECT count(*) FROM notes", &[]).unwrap().rows[0][0], 20.into(), "each once");
}

#[test]
fn a_store_can_be_dropped_and_opened_again_at_once_also_inside_a_runtime() {
    let server = MemoryServer::new();
    let folder = tempfile::TempDir::new().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for _ in 0..20 {
        let options = turnstone::Options::new(folder.path().join("app.db"), kit::schema()).remote(server.remote());
        let store = Store::open(options.auto_sync(true)).unwrap();
        store.write(|tx| tx.insert("notes", [("title", "a")])).unwrap();
        runtime.block_on(async {
            store.sync_now().await.unwrap();
            let _watch = store.watch("SELECT title FROM notes", &[]).unwrap();
            drop(store);
        });
    }
}

#[test]
fn many_callers_may_sync_at_once() {
    let server = MemoryServer::new();
    let ann = server.device("ann");
    let callers: Vec<_> = (0..16)
        .map(|at| {
            let store = ann.store.clone();
            #[expect(clippy::disallowed_methods, reason = "callers beside each other")]
            std::thread::spawn(move || {
                let title = format!("note {at}");
                store.write(move |tx| tx.insert("notes", [("title", title)])).unwrap();
                store.sync_blocking().unwrap();
                assert_eq!(store.status().unwrap().parked_groups, 0);
            })
        })
        .collect();
    for caller in callers {
        caller.join().unwrap();
    }
    assert_eq!(ann.pending(), 0);
}

/// W4: at most 12 requests for 10,000 offline groups, pull included.
#[test]
fn w4_a_backlog_of_ten_thousand_takes_twelve_requests_at_most() {
    let server = MemoryServer::new();
    let clock = kit::PatientClock::default();
    let ann = Device::open_with("ann", server.remote(), |options| options.clock(clock.clock()));
    for at in 0..10_000 {
        ann.insert(&format!("note {at}"));
    }
    // Where pushing takes many seconds a pull no longer waits for its end, which makes more requests.
    clock.stop();
    let report = ann.sync();
    assert_eq!((report.groups_pushed, ann.pending()), (10_000, 0));
    assert!(report.requests <= 12, "{} requests: {:?}", report.requests, server.paths());
    assert!(report.bytes_up <= 10_000 * 200, "{} bytes an op", report.bytes_up / 10_000);
    assert_eq!(ann.hash(), server.state_hash());
}

/// C6, C8: a long backlog comes in pages.
#[test]
fn a_first_sync_of_many_pages_arrives_whole() {
    let server = MemoryServer::new();
    let ann = server.device("ann");
    for at in 0..30 {
        ann.store
            .write(move |tx| (0..100).try_for_each(|n| tx.insert("notes", [("title", format!("{at}/{n}"))]).map(drop)))
            .unwrap();
    }
    ann.sync();
    let ben = server.device("ben");
    let report = ben.sync();
    assert_eq!(report.rows_pulled, 3_000);
    assert_eq!(ben.hash(), server.state_hash());
    assert!(server.paths().iter().filter(|path| *path == "pull").count() >= 3);
}

/// A push that hangs does not hold a pull back (C11), and ends by its time-out.
#[test]
fn c11_a_pull_lands_while_a_push_hangs() {
    let server = HttpServer::new();
    let ben = server.device("ben");
    ben.insert("from Ben");
    ben.sync();
    // Everything but pushes goes through to the server; pushes are accepted and never answered.
    let proxy = HangingPushes::new(server.addr);
    let timeouts = Timeouts { read: Duration::from_secs(60), total: Duration::from_secs(60), ..Timeouts::default() };
    let remote = turnstone::Remote::http(
        format!("http://{}", proxy.addr),
        turnstone::transport::StaticToken::new(kit::good_token()),
    );
    let ann = Device::open("ann", kit::nowhere());
    ann.insert("from Ann");
    let ann = ann.reopen_with(|options| options.remote(remote.timeouts(timeouts)).auto_sync(true));
    let watch = ann.store.watch("SELECT count(*) FROM notes", &[]).unwrap();
    while watch.next_blocking().unwrap().rows[0][0] != 2.into() {}
    assert_eq!(ann.pending(), 1);
    ann.store.close().unwrap();
}

/// Passes bytes on, except those of a push.
struct HangingPushes {
    addr: std::net::SocketAddr,
}

impl HangingPushes {
    fn new(to: std::net::SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        #[expect(clippy::disallowed_methods, reason = "a proxy beside the test")]
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = std::net::TcpStream::connect(to).unwrap();
                pass(client.try_clone().unwrap(), server.try_clone().unwrap(), true);
                pass(server, client, false);
            }
        });
        Self { addr }
    }
}

#[expect(clippy::disallowed_methods, reason = "a proxy beside the test")]
fn pass(mut from: std::net::TcpStream, mut to: std::net::TcpStream, stop_at_push: bool) {
    use std::io::{Read, Write};
    std::thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok(bytes @ 1..) = from.read(&mut buffer) {
            if stop_at_push && buffer[..bytes].starts_with(b"POST /sync/v1/push") {
                std::thread::park();
            }
            if to.write_all(&buffer[..bytes]).is_err() {
                break;
            }
        }
    });
}
