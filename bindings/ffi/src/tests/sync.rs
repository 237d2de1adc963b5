//! Syncing over loopback, with tokens and transports of the app's own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::kit::{Device, TestServer, Tokens, insert, mint, no_hooks, options, wait};
use crate::error::FfiError;
use crate::hooks::FfiTokenFailure;
use crate::hooks::http::{FfiBody, FfiHeader, FfiHttpFailure, FfiHttpRequest, FfiHttpResponse, FfiHttpTransport};
use crate::open::{FfiHooks, FfiOptions};
use crate::records::{FfiRowState, FfiTokenReason};
use crate::store::{FfiCancel, FfiStore};
use crate::value::FfiChange;

#[test]
fn offline_edits_of_different_fields_both_survive() {
    let server = TestServer::start();
    let (a, b) = (Device::on(&server), Device::on(&server));
    let id = a.insert("plan");
    assert_eq!(a.sync().groups_pushed, 1);
    assert_eq!(b.sync().rows_pulled, 1);
    a.set(&id, "title", "plan A");
    b.set(&id, "body", "by b");
    for device in [&a, &b, &a] {
        device.sync();
    }
    for device in [&a, &b] {
        let found = device.query("SELECT title, body FROM notes");
        assert_eq!((found.text(0, 0), found.text(0, 1)), ("plan A".to_owned(), "by b".to_owned()));
    }
    let hash = |device: &Device| wait(Arc::clone(&device.store).state_hash()).unwrap();
    assert_eq!(hash(&a), hash(&b));
    assert_eq!(hash(&a).rows, 1);
    let identity = |device: &Device| wait(Arc::clone(&device.store).identity()).unwrap();
    assert_ne!(identity(&a).device, identity(&b).device);
    assert!(a.store.totals().unwrap().requests >= 2);
}

#[test]
fn a_write_is_waited_for_until_it_is_decided() {
    let server = TestServer::start();
    let device = Device::on(&server);
    let id = device.insert("waited for");
    let store = device.store.clone();
    let watch = wait(store.clone().watch_row_state("notes".to_owned(), id)).unwrap();
    #[expect(clippy::disallowed_methods, reason = "somebody syncs while another waits")]
    let sync = std::thread::spawn(move || wait(store.sync(None)));
    wait(async {
        let mut state = watch.clone().next().await.unwrap();
        while !matches!(state, Some(FfiRowState::Synced | FfiRowState::Failed { .. }) | None) {
            state = watch.clone().next().await.unwrap();
        }
        assert_eq!(state, Some(FfiRowState::Synced));
    });
    sync.join().unwrap().unwrap();
}

#[test]
fn a_refused_change_is_a_dead_letter_with_its_payload() {
    let server = TestServer::start();
    let (first, device) = (Device::on(&server), Device::on(&server));
    let insert = |name: &str| {
        let fields = vec![super::kit::field_of("name", name)];
        vec![FfiChange::Insert { table: "guarded".to_owned(), id: Some("g1".to_owned()), fields }]
    };
    first.write(insert("theirs"));
    first.sync();
    // The table takes no second creator.
    device.write(insert("mine"));
    assert_eq!(device.sync().rejected, 1);
    let letters = wait(Arc::clone(&device.store).dead_letters()).unwrap();
    assert_eq!(letters.len(), 1);
    assert!(letters[0].ops_json.contains("mine") && letters[0].attempts == 1);
    let shown = format!("{letters:?}");
    assert!(shown.contains(&letters[0].reason) && !shown.contains("mine"), "{shown}");
    let state = wait(Arc::clone(&device.store).row_state("guarded".to_owned(), "g1".to_owned())).unwrap();
    assert_eq!(state, FfiRowState::Failed { reason: letters[0].reason.clone() });
    assert_eq!(wait(Arc::clone(&device.store).status()).unwrap().dead_letters, 1);
}

#[test]
fn a_dead_letter_that_is_sent_again_reaches_the_server() {
    let server = TestServer::start();
    let (first, device) = (Device::on(&server), Device::on(&server));
    let named = |name: &str| FfiChange::Insert {
        table: "guarded".to_owned(),
        id: Some("g1".to_owned()),
        fields: vec![super::kit::field_of("name", name)],
    };
    first.write(vec![named("theirs")]);
    first.sync();
    device.write(vec![named("mine")]);
    device.sync();
    let letter = wait(device.store.clone().dead_letters()).unwrap().remove(0);
    // What stood in its way goes.
    first.write(vec![FfiChange::Delete { table: "guarded".to_owned(), id: "g1".to_owned() }]);
    first.sync();
    device.sync();
    wait(device.store.clone().retry_dead_letter(letter.id)).unwrap();
    let status = wait(device.store.clone().status()).unwrap();
    assert_eq!((status.dead_letters, status.pending_groups), (0, 1));
    let again = super::stores::code(wait(device.store.clone().retry_dead_letter(letter.id)));
    assert_eq!(again, ("invalid", "dead_letter_missing".to_owned()));
    let report = device.sync();
    assert_eq!((report.groups_pushed, report.rejected), (1, 0));
    first.sync();
    assert_eq!(first.query("SELECT name FROM guarded").text(0, 0), "mine");
}

#[test]
fn an_expired_token_is_asked_for_again_with_its_reason() {
    let server = TestServer::start();
    let tokens = Tokens::new(vec![Ok(mint(0)), Ok(mint(3_600))]);
    let device = Device::with(&server, tokens.clone());
    device.insert("a");
    assert_eq!(device.sync().groups_pushed, 1);
    assert_eq!(*tokens.reasons.lock().unwrap(), [FfiTokenReason::First, FfiTokenReason::Expired]);

    let nobody = Device::with(&server, Tokens::new(vec![Err(FfiTokenFailure::SignIn)]));
    nobody.insert("b");
    let refused = wait(Arc::clone(&nobody.store).sync(None));
    assert!(matches!(&refused, Err(FfiError::AuthRequired { code, .. }) if code == "sync_auth"), "{refused:?}");
}

#[test]
fn a_token_that_is_refused_again_is_asked_for_as_rejected() {
    let server = TestServer::start();
    let tokens = Tokens::new(vec![Ok(mint(0)), Ok("not a token".to_owned()), Ok(mint(3_600))]);
    let device = Device::with(&server, tokens.clone());
    device.insert("kept");
    // It was renewed once: now somebody has to look.
    let refused = wait(Arc::clone(&device.store).sync(None));
    assert!(matches!(&refused, Err(FfiError::AuthRequired { code, .. }) if code == "sync_auth"), "{refused:?}");
    assert_eq!(device.sync().groups_pushed, 1);
    let asked = [FfiTokenReason::First, FfiTokenReason::Expired, FfiTokenReason::Rejected];
    assert_eq!(*tokens.reasons.lock().unwrap(), asked);
}

#[test]
fn a_cancelled_sync_ends_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let url = Some(format!("http://{}", listener.local_addr().unwrap()));
    let hooks = FfiHooks { tokens: Some(Tokens::good()), ..no_hooks() };
    let store = wait(FfiStore::open(FfiOptions { url, ..options(&folder.path().join("app.db")) }, hooks)).unwrap();
    let cancel = FfiCancel::create().unwrap();
    let done = wait(async {
        let (sync, stop) = (store.clone().sync(Some(cancel.clone())), Arc::clone(&cancel));
        let later = async move {
            tokio::task::yield_now().await;
            stop.cancel().unwrap();
        };
        tokio::join!(sync, later).0
    });
    assert_eq!(done, Err(FfiError::cancelled()));
    wait(store.shutdown()).unwrap();
}

/// A transport of the app's own: a few lines of HTTP, and a place for trouble.
pub(super) struct HostHttp {
    server: String,
    files: AtomicUsize,
    lose: AtomicUsize,
    seen: Mutex<Vec<String>>,
}

#[async_trait::async_trait]
impl FfiHttpTransport for HostHttp {
    async fn exchange(&self, request: FfiHttpRequest) -> Result<FfiHttpResponse, FfiHttpFailure> {
        use std::io::{Read, Write};
        self.seen.lock().unwrap().push(request.path.clone());
        let body = match request.body {
            FfiBody::Bytes { value } => value,
            FfiBody::File { path } => {
                self.files.fetch_add(1, Ordering::SeqCst);
                std::fs::read(path).unwrap()
            }
        };
        let mut head = format!("{} {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n", request.method, request.path);
        for FfiHeader { name, value } in request.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        let mut socket = std::net::TcpStream::connect(&self.server).map_err(|_| FfiHttpFailure::Offline)?;
        socket.write_all(head.as_bytes()).unwrap();
        socket.write_all(&body).unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).map_err(|_| FfiHttpFailure::Broken)?;
        let path = request.path.split('?').next().unwrap();
        if path.ends_with("push")
            && self.lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
        {
            return Err(FfiHttpFailure::Broken);
        }
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let headers = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| FfiHeader { name: name.to_owned(), value: value.to_owned() });
        let headers = headers.collect();
        std::fs::write(&request.answer_file, &answer[end + 4..]).unwrap();
        Ok(FfiHttpResponse { status, headers, body: FfiBody::File { path: request.answer_file } })
    }
}

pub(super) fn host(server: &TestServer, pushes_to_lose: usize) -> Arc<HostHttp> {
    Arc::new(HostHttp {
        server: server.addr.to_string(),
        files: AtomicUsize::new(0),
        lose: AtomicUsize::new(pushes_to_lose),
        seen: Mutex::default(),
    })
}

/// The answer to the first push is lost after the server stored it: whatever is sent again, its effect stays one.
#[test]
fn a_lost_answer_changes_nothing_twice() {
    let server = TestServer::start();
    let host = host(&server, 1);
    let folder = tempfile::TempDir::new().unwrap();
    let hooks = FfiHooks { tokens: Some(Tokens::good()), transport: Some(host.clone()), ..no_hooks() };
    let store = wait(FfiStore::open(options(&folder.path().join("app.db")), hooks)).unwrap();
    let text = |text: &str| text.to_owned();
    let count = FfiChange::Increment { table: text("notes"), id: text("n1"), field: text("views"), by: 5 };
    let make = FfiChange::Insert { table: text("notes"), id: Some(text("n1")), fields: Vec::new() };
    wait(store.clone().write(vec![make, count], None)).unwrap();
    while wait(store.clone().status()).unwrap().pending_groups > 0 {
        let _ = wait(store.clone().sync(None));
    }
    assert_eq!(host.lose.load(Ordering::SeqCst), 0, "an answer was lost");
    let other = Device::on(&server);
    other.sync();
    assert_eq!(other.query("SELECT views FROM notes").int(0, 0), 5);
    wait(store.shutdown()).unwrap();
}

#[test]
fn a_transport_of_the_apps_own_carries_everything_also_as_files() {
    let server = TestServer::start();
    let host = host(&server, 0);
    let folder = tempfile::TempDir::new().unwrap();
    let options = FfiOptions { body_file_above: 100, ..options(&folder.path().join("app.db")) };
    let hooks = FfiHooks { tokens: Some(Tokens::good()), transport: Some(host.clone()), ..no_hooks() };
    let store = wait(FfiStore::open(options, hooks)).unwrap();
    wait(store.clone().write((0..200).map(|n| insert(&format!("note {n}"))).collect(), None)).unwrap();
    let mut synced = Err(FfiError::closed());
    for _ in 0..20 {
        synced = wait(store.clone().sync(None));
        if wait(store.clone().status()).unwrap().pending_groups == 0 {
            break;
        }
    }
    assert!(synced.is_ok(), "{synced:?}");
    assert!(host.files.load(Ordering::SeqCst) > 0, "the large body went as a file");
    // The push brought its pull half along; with nothing to send there is only the pull.
    wait(store.clone().sync(None)).unwrap();
    let seen = host.seen.lock().unwrap().clone();
    for endpoint in ["hello", "push", "pull"] {
        assert!(seen.iter().any(|path| path.contains(&format!("/{endpoint}"))), "{endpoint} went through it: {seen:?}");
    }
    let other = Device::on(&server);
    other.sync();
    assert_eq!(other.titles().len(), 200);
    wait(store.shutdown()).unwrap();
    let left: Vec<_> = std::fs::read_dir(folder.path().join("app.bodies")).unwrap().collect();
    assert!(left.is_empty(), "no file is left behind: {left:?}");
}
