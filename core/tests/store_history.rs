//! A server whose history went back or is another one: the app is told, and gets everything back (I-40, I-62).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod kit;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};

use kit::{Device, MemoryServer, assert_converged, good_token, refuse};
use serde_json::{Value as Json, json};
use turnstone::transport::{Exchange, MemoryTransport, Request, StaticToken, Transport};
use turnstone::{Remote, Store};
use turnstone_protocol::{Code, Problem};

/// What an answer is turned into, by the end of its path.
type Lie = fn(&str, &mut Json);

/// A link on which the server may lie until the app is told, and which writes down what the app was told at each request.
#[derive(Clone)]
struct Lying {
    server: MemoryTransport,
    lie: Arc<Mutex<Option<Lie>>>,
    app: Arc<OnceLock<Store>>,
    told: Arc<Mutex<BTreeSet<String>>>,
}

impl Lying {
    fn device(server: &MemoryServer) -> (Self, Device) {
        let link = Self { server: server.transport(), lie: Arc::default(), app: Arc::default(), told: Arc::default() };
        let device = Device::open("ann", Remote::custom(link.clone(), StaticToken::new(good_token())));
        (link, device)
    }

    fn watch(&self, device: &Device) {
        assert!(self.app.set(device.store.clone()).is_ok());
    }

    fn was_told(&self) -> bool {
        self.told.lock().unwrap().contains("epoch_suspect")
    }
}

impl Transport for Lying {
    fn exchange(&self, request: Request) -> Exchange<'_> {
        if let Some(error) = self.app.get().and_then(|app| app.status().unwrap().last_error) {
            self.told.lock().unwrap().insert(error.code);
        }
        let path = request.path.clone();
        Box::pin(async move {
            let mut answer = self.server.exchange(request).await?;
            if let Some(lie) = self.lie.lock().unwrap().filter(|_| !self.was_told()) {
                let mut json = serde_json::from_slice(&answer.body).unwrap();
                lie(&path, &mut json);
                answer.body = json.to_string().into();
            }
            Ok(answer)
        })
    }
}

/// The head of this history was 3 when the lie begins.
fn shorter_by_its_word(path: &str, answer: &mut Json) {
    if path.contains("/hello") {
        answer["head"] = json!(2);
    }
}

fn shorter_by_its_page(_: &str, answer: &mut Json) {
    let page = if answer["pull"].is_null() { answer } else { &mut answer["pull"] };
    if !page["at"].is_null() {
        page["at"] = json!(2);
        page["commits"] = json!([]);
    }
}

/// I-62: it keeps its epoch and takes every cursor; that its numbers went back gives it away.
#[test]
fn i_62_a_server_that_goes_back_and_hides_it_is_noticed_and_nothing_is_lost() {
    for lie in [shorter_by_its_word, shorter_by_its_page] as [Lie; 2] {
        let server = MemoryServer::new();
        let (link, ann) = Lying::device(&server);
        for title in ["a", "b", "c"] {
            ann.insert(title);
            ann.sync();
        }
        ann.sync();
        // The next process asks the server anew what it is.
        let ann = ann.reopen();
        link.watch(&ann);
        let id = ann.insert("not sent yet");
        *link.lie.lock().unwrap() = Some(lie);
        ann.sync_until_quiet();
        assert!(link.was_told());
        let ben = server.device("ben");
        ben.sync();
        assert_converged(&server, &[&ann, &ben]);
        assert_eq!(ben.field(&id, "title").as_deref(), Some("not sent yet"));
        assert_eq!(ben.store.query("SELECT count(*) FROM notes", &[]).unwrap().rows[0][0], 4.into());
    }
}

/// I-40, I-62: a backup put back under the same epoch; then it grows another way, beyond where the device stood.
#[test]
fn i_40_a_history_put_back_or_grown_another_way_is_noticed_and_given_back() {
    for others in [0, 5] {
        let server = MemoryServer::new();
        let (link, ann) = Lying::device(&server);
        link.watch(&ann);
        ann.insert("kept by the backup");
        ann.sync();
        server.backup();
        ann.insert("forgotten");
        ann.insert("forgotten too");
        ann.sync();
        ann.sync();
        assert!(!link.was_told());
        server.restore(false);
        let ben = server.device("ben");
        for n in 0..others {
            ben.insert(&format!("another history {n}"));
            ben.sync();
        }
        ann.insert("written after it");
        ann.sync_until_quiet();
        assert!(link.was_told(), "{others} commits of another history");
        ben.sync_until_quiet();
        assert_converged(&server, &[&ann, &ben]);
        assert_eq!(ben.store.query("SELECT count(*) FROM notes", &[]).unwrap().rows[0][0], (4 + others).into());
    }
}

fn everything_is_stable(_: &str, answer: &mut Json) {
    let page = if answer["pull"].is_null() { answer } else { &mut answer["pull"] };
    if !page["at"].is_null() {
        page["stable"] = page["at"].clone();
    }
}

/// I-40, rule 17: what was stable in a history that has ended says nothing about the next one. What a device was told of the
/// first, and could not act on while something of its own was held back, must not make it forget what the second may lose.
#[test]
fn i_40_what_was_stable_in_a_history_that_ended_is_not_forgotten_in_the_next() {
    let server = MemoryServer::new();
    let (link, ann) = Lying::device(&server);
    ann.insert("kept by the backup");
    ann.sync();
    server.backup();
    *link.lie.lock().unwrap() = Some(everything_is_stable);
    for n in 0..8 {
        ann.insert(&format!("stable {n}"));
        ann.sync();
    }
    server.intercept(|request, body| {
        let is_refused = request.path.ends_with("/push") && String::from_utf8_lossy(body).contains("POISON");
        is_refused.then(|| refuse(&Problem::new(Code::Malformed, "No.")))
    });
    let held_back = ann.insert("POISON");
    ann.set(&held_back, "body", "builds on it");
    ann.sync_until_quiet();
    assert_eq!(ann.store.status().unwrap().parked_groups, 1);

    // Another history begins, in which nothing is stable yet, and is backed up once.
    *link.lie.lock().unwrap() = None;
    server.restore(true);
    ann.sync_until_quiet();
    server.backup();
    let (early, late) = (ann.insert("early"), ann.insert("late"));
    ann.sync_until_quiet();
    server.intercept(|_, _| None);
    ann.store.retry_dead_letter(ann.store.dead_letters().unwrap()[0].id).unwrap();
    ann.sync_until_quiet();
    ann.sync();
    assert_eq!(ann.store.status().unwrap().parked_groups, 0);

    server.restore(false);
    ann.sync_until_quiet();
    let ben = server.device("ben");
    ben.sync_until_quiet();
    for (id, title) in [(&early, "early"), (&late, "late")] {
        assert_eq!(ben.field(id, "title").as_deref(), Some(title), "it was forgotten");
    }
    assert_converged(&server, &[&ann, &ben]);
}
