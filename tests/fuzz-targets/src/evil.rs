//! A server that answers whatever it likes: nothing crashes, every row stays the fold of its ops, and no group that
//! it gave no verdict on is lost (I-62).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes as Body;
use serde::Deserialize;
use serde_json::Value as Json;
use turnstone::testing::inspect;
use turnstone::transport::{MemoryTransport, Request, Response, StaticToken, Transport, TransportError};
use turnstone::{Entropy, Error, Options, Remote, Schema, Store, Value};
use turnstone_crash_tests::link::Slot;
use turnstone_crash_tests::scenario::World;
use turnstone_crash_tests::scenarios::server as honest;
use turnstone_crash_tests::time::Time;
use turnstone_protocol::{Code, Gid};
use turnstone_vfs::{DiskImage, Mount};

use crate::bytes::Bytes;

const PATH: &str = "/client.db";
const NOW_MS: u64 = 1_750_000_000_000;
/// More answers than this are not given: then nobody answers.
const ANSWERS_MAX: usize = 48;

thread_local! {
    static WORLD: World = World::new(2);
}

pub(crate) fn server(data: &[u8]) {
    WORLD.with(|world| {
        let start = start();
        world.load(&start.disks);
        let [device, server] = &world.machines[..] else { panic!("two machines") };
        let slot = Slot::default();
        slot.set_now_ms(NOW_MS);
        slot.set(Some(Arc::new(honest::open(server, honest::SCHEMA).expect("the server opens"))));
        let evil = Arc::new(Mutex::new(Evil::new(data)));
        let time = Time::new(NOW_MS).expect("a time");
        let _inside = time.enter();
        let honest = slot.transport(honest::who());
        let answers = Arc::clone(&evil);
        let transport = MemoryTransport::new(move |request| lock(&answers).answer(&honest, request));
        let store = open(device, &time, 2, Some(transport)).expect("the store opens");
        let mut groups = start.groups.clone();
        for round in 0..3 {
            if let Err(error) = time.sync(&store).expect("a sync ends") {
                judge(&error);
            }
            // The app goes on meanwhile.
            let id = format!("late{round}");
            let written = store.write_once(&id.clone(), move |tx| {
                tx.upsert("notes", &id, [("title", "late")])?;
                tx.upsert("notes", "a", [("body", Value::from(format!("round {round}")))])?;
                Ok(())
            });
            groups.extend(written.expect("local writes go on").gid);
            time.advance_ms(600_000);
        }
        account(&store, &groups, &lock(&evil));
        let _ = store.close();
        time.settle();
    });
}

/// Every group that got no verdict is still there, and everything holds that must always hold.
fn account(store: &Store, groups: &BTreeSet<Gid>, evil: &Evil) {
    let faults = inspect::faults(store).expect("the file reads");
    assert_eq!(faults, Vec::<String>::new());
    let status = store.status().expect("the status reads");
    if !evil.said_decided {
        let unheard = groups.iter().filter(|gid| !evil.verdicts.contains(gid)).count() as u64;
        assert!(
            status.pending_groups + status.dead_letters >= unheard,
            "{unheard} groups had no verdict, {} wait, {} are dead letters",
            status.pending_groups,
            status.dead_letters
        );
    }
}

/// Errors are typed; a loop that died says `closed`.
fn judge(error: &Error) {
    assert!(!matches!(error.code(), "internal" | "closed"), "{error}");
}

struct Evil {
    script: Vec<u8>,
    at: usize,
    given: usize,
    /// The last answers, to be given again.
    kept: Vec<Response>,
    /// Groups that an answer named with a verdict.
    verdicts: BTreeSet<Gid>,
    /// A page said that groups of this device are decided.
    said_decided: bool,
}

impl Evil {
    fn new(data: &[u8]) -> Self {
        let script = data.to_vec();
        Self { script, at: 0, given: 0, kept: Vec::new(), verdicts: BTreeSet::new(), said_decided: false }
    }

    fn answer(&mut self, honest: &MemoryTransport, request: Request) -> Result<Response, TransportError> {
        self.given += 1;
        let script = std::mem::take(&mut self.script);
        let mut bytes = Bytes::new(script.get(self.at..).unwrap_or_default());
        let left = bytes.left();
        let answer = if bytes.is_empty() || self.given > ANSWERS_MAX {
            Err(TransportError::Offline)
        } else {
            self.choose(&mut bytes, honest, request)
        };
        self.at += left - bytes.left();
        self.script = script;
        if let Ok(answer) = &answer {
            self.note(&answer.body);
            self.kept.push(answer.clone());
        }
        answer
    }

    fn choose(
        &mut self,
        bytes: &mut Bytes<'_>,
        honest: &MemoryTransport,
        request: Request,
    ) -> Result<Response, TransportError> {
        match bytes.below(9) {
            0 | 1 => ask(honest, request),
            2 => ask(honest, request).map(|answer| altered(bytes, answer)),
            3 => ask(honest, request).map(|answer| other_number(bytes, answer)),
            4 => {
                let at = bytes.below(self.kept.len().max(1));
                self.kept.get(at).cloned().ok_or(TransportError::Broken)
            }
            5 => {
                let code = &Code::ALL[bytes.below(Code::ALL.len())];
                let status = bytes.one_of(&[400, 401, 403, 404, 409, 410, 413, 415, 426, 429, 500, 503]);
                let problem = format!(
                    r#"{{"type":"about:blank","title":"no","status":{status},"code":"{}","class":"retry"}}"#,
                    code.as_str()
                );
                Ok(response(status, "application/problem+json", None, problem.into_bytes()))
            }
            6 => Err(bytes.one_of(&[TransportError::Timeout, TransportError::Broken, TransportError::TooLarge])),
            7 => {
                // The answer to another question.
                let path = bytes.one_of(&["/sync/v1/hello", "/sync/v1/pull", "/sync/v1/push"]);
                ask(honest, Request { path: path.to_owned(), ..request })
            }
            _ => {
                let status = bytes.one_of(&[200, 200, 204, 206, 301, 400, 409, 410, 500]);
                let kind = bytes.one_of(&["application/json", "application/problem+json", "text/html", ""]);
                let packing = bytes.one_of(&[None, None, Some("zstd"), Some("gzip"), Some("br")]);
                let length = bytes.below(256);
                let body = bytes.take(length).to_vec();
                Ok(response(status, kind, packing, body))
            }
        }
    }

    /// Remembers what an answer says about groups.
    fn note(&mut self, body: &[u8]) {
        let Ok(said) = serde_json::from_slice::<Json>(body) else { return };
        for said in [Some(&said), said.get("pull")].into_iter().flatten() {
            for verdict in said.get("verdicts").and_then(Json::as_array).into_iter().flatten() {
                self.verdicts.extend(verdict.get("gid").and_then(|gid| Gid::deserialize(gid).ok()));
            }
            // Runs name groups by seq alone: whose they are is not followed.
            self.said_decided |= said.get("applied").and_then(Json::as_array).is_some_and(|runs| !runs.is_empty());
            let commits = said.get("commits").and_then(Json::as_array).into_iter().flatten();
            self.said_decided |= said.get("acked").is_some_and(|acked| *acked != 0)
                || commits.into_iter().any(|commit| commit.get("own").is_some());
        }
    }
}

fn ask(honest: &MemoryTransport, request: Request) -> Result<Response, TransportError> {
    let mut exchange = honest.exchange(request);
    let mut waits = std::task::Context::from_waker(std::task::Waker::noop());
    match exchange.as_mut().poll(&mut waits) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => Err(TransportError::Timeout),
    }
}

/// Some bytes of it changed, or its end cut off.
fn altered(bytes: &mut Bytes<'_>, answer: Response) -> Response {
    let mut body = answer.body.to_vec();
    for _ in 0..=bytes.below(4) {
        let at = bytes.place() % body.len().max(1);
        match (bytes.below(4), body.get_mut(at)) {
            (0, Some(_)) => body.truncate(at),
            (_, Some(byte)) => *byte = bytes.byte(),
            _ => {}
        }
    }
    Response { body: Body::from(body), ..answer }
}

/// One number of it is another one.
fn other_number(bytes: &mut Bytes<'_>, answer: Response) -> Response {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let is_digit = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let starts: Vec<usize> = (0..text.len()).filter(|at| is_digit(*at) && (*at == 0 || !is_digit(at - 1))).collect();
    let Some(start) = starts.get(bytes.place() % starts.len().max(1)).copied() else { return answer };
    let end = (start..text.len()).find(|at| !is_digit(*at)).unwrap_or(text.len());
    let numbers = ["0", "1", "2", "7", "9007199254740992", "9223372036854775807", "18446744073709551615", "-1", "1e9"];
    let body = format!("{}{}{}", &text[..start], bytes.one_of(&numbers), &text[end..]);
    Response { body: Body::from(body), ..answer }
}

fn response(status: u16, kind: &str, packing: Option<&str>, body: Vec<u8>) -> Response {
    let mut headers = vec![("content-type".to_owned(), kind.to_owned())];
    headers.extend(packing.map(|packing| ("content-encoding".to_owned(), packing.to_owned())));
    Response { status, headers, body: Body::from(body) }
}

fn open(device: &Mount, time: &Time, life: u64, transport: Option<MemoryTransport>) -> Result<Store, Error> {
    let schema = Schema::parse(honest::SCHEMA).expect("our own schema");
    let options = Options::new(PATH, schema)
        .vfs(device.name())
        .clock(time.clock().clone())
        .entropy(Entropy::seeded(life))
        .auto_sync(false);
    let options = match transport {
        Some(transport) => options.remote(Remote::custom(transport, StaticToken::new("token"))),
        None => options,
    };
    Store::open(time.drive(options))
}

/// Where every run begins: a device with three groups to send, a server with rows of somebody else.
struct Start {
    disks: Vec<DiskImage>,
    groups: BTreeSet<Gid>,
}

fn start() -> &'static Start {
    static START: OnceLock<Start> = OnceLock::new();
    START.get_or_init(|| {
        let world = World::new(2);
        let [device, server] = &world.machines[..] else { panic!("two machines") };
        let service = honest::open(server, honest::SCHEMA).expect("the server opens");
        for action in 0..3 {
            honest::push(&service, action, 1).expect("somebody else's rows");
        }
        drop(service);
        let time = Time::new(NOW_MS).expect("a time");
        let _inside = time.enter();
        let store = open(device, &time, 1, None).expect("a new database opens");
        let mut groups = BTreeSet::new();
        for n in 0..3i64 {
            let written = store.write_once(&format!("w{n}"), move |tx| {
                tx.upsert("notes", "a", [("title", Value::from(format!("a{n}")))])?;
                tx.increment("notes", "a", "views", n + 1)?;
                tx.insert_with_id("notes", &format!("own{n}"), [("title", "own")])
            });
            groups.extend(written.expect("a local write").gid);
        }
        store.close().expect("an orderly end");
        Start { disks: world.machines.iter().map(|machine| machine.disk().snapshot()).collect(), groups }
    })
}

fn lock(evil: &Mutex<Evil>) -> std::sync::MutexGuard<'_, Evil> {
    evil.lock().unwrap_or_else(PoisonError::into_inner)
}
