//! What each unhappy answer leads to, with a real store: nothing is lost, nothing blocks the rest (I-17, I-60).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod kit;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use kit::{Counter, Device, MemoryServer, good_token, html, json, mint, now_ms, refuse};
use turnstone::testing::Fault;
use turnstone::transport::{Response, TokenError, TokenReason};
use turnstone::{Clock, Error, Remote};
use turnstone_engine::oplog::Moment;
use turnstone_protocol::{Class, Code, Problem};

fn push_only(path: &str) -> bool {
    path.ends_with("/push")
}

fn code_of(error: &Error) -> String {
    match error {
        Error::SyncStopped { code, .. } => code.as_str().to_owned(),
        other => other.code().to_owned(),
    }
}

/// H13: an expired token is renewed once, with the reason, and the same sync goes on.
#[test]
fn i_17_an_expired_token_is_renewed_with_its_reason_and_nothing_is_lost() {
    let server = MemoryServer::new();
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&reasons);
    let tokens = move |reason| {
        asked.lock().unwrap().push(reason);
        let expired = mint(1, now_ms() - 3_600_000);
        Ok(if reason == TokenReason::First { expired } else { good_token() })
    };
    let ann = Device::open("ann", Remote::custom(server.transport(), tokens));
    ann.insert("kept");
    assert_eq!(ann.sync().groups_pushed, 1);
    assert_eq!(*reasons.lock().unwrap(), [TokenReason::First, TokenReason::Expired]);
    ann.insert("another");
    ann.sync();
    assert_eq!(reasons.lock().unwrap().len(), 2, "a good token is kept");
}

#[test]
fn i_17_a_token_refused_twice_needs_a_person_and_keeps_everything() {
    let server = MemoryServer::new();
    let signed_in = Counter::default();
    let person = signed_in.clone();
    let tokens = move |_| if person.get() > 0 { Ok(good_token()) } else { Ok("not-a-token".to_owned()) };
    let ann = Device::open("ann", Remote::custom(server.transport(), tokens));
    ann.insert("kept");
    let error = ann.store.sync_blocking().unwrap_err();
    assert_eq!((error.class(), code_of(&error).as_str()), (turnstone::ErrorClass::AuthRequired, "token_rejected"));
    assert_eq!(ann.pending(), 1);
    let status = ann.store.status().unwrap();
    assert_eq!(status.last_error.unwrap().class, Class::Auth);
    signed_in.next();
    assert_eq!(ann.sync().groups_pushed, 1);
    assert_eq!(ann.store.status().unwrap().last_error, None);
}

#[test]
fn nobody_signed_in_is_said_and_a_panicking_provider_is_not_fatal() {
    let server = MemoryServer::new();
    let ann = Device::open("ann", Remote::custom(server.transport(), |_| Err(TokenError::SignIn)));
    assert_eq!(code_of(&ann.store.sync_blocking().unwrap_err()), "sign_in");
    let calls = Counter::default();
    let tokens = move |_| if calls.next() == 0 { panic!("planted") } else { Ok(good_token()) };
    let ben = Device::open("ben", Remote::custom(server.transport(), tokens));
    ben.insert("kept");
    assert_eq!(ben.sync().groups_pushed, 1, "I-63: asked again after a back-off");
}

/// C11: what others wrote arrives although nothing of ours may go up.
#[test]
fn i_17_a_403_stops_the_push_keeps_the_ops_and_goes_on_pulling() {
    let server = MemoryServer::new();
    let (ann, ben) = (server.device("ann"), server.device("ben"));
    ben.insert("from Ben");
    ben.sync();
    server
        .intercept(|request, _| push_only(&request.path).then(|| refuse(&Problem::new(Code::Forbidden, "Read only."))));
    ann.insert("from Ann");
    let error = ann.store.sync_blocking().unwrap_err();
    assert_eq!(code_of(&error), "forbidden");
    assert_eq!(ann.pending(), 1);
    assert_eq!(ann.store.query("SELECT count(*) FROM notes", &[]).unwrap().rows[0][0], 2.into());
}

#[test]
fn i_17_a_413_splits_the_batch() {
    let server = MemoryServer::new();
    server.intercept(|request, body| {
        let too_large = push_only(&request.path) && body.len() > 4_000;
        too_large.then(|| refuse(&Problem::new(Code::TooLarge, "Too large.")))
    });
    let ann = server.device("ann");
    for at in 0..40 {
        ann.insert(&format!("note {at}"));
    }
    let report = ann.sync();
    assert_eq!((report.groups_pushed, report.rejected, ann.pending()), (40, 0, 0));
    let sizes: Vec<usize> = server.seen().iter().filter(|seen| seen.path == "push").map(|seen| seen.groups).collect();
    assert!(sizes.len() < 14, "a refused size is not tried again: {sizes:?}");
}

#[test]
fn i_60_one_group_too_large_by_itself_is_set_aside_and_the_rest_goes_on() {
    let server = MemoryServer::new();
    server.intercept(|request, body| {
        let too_large = push_only(&request.path) && body.len() > 20_000;
        too_large.then(|| html(413))
    });
    let ann = server.device("ann");
    ann.insert("before");
    let id = ann.insert(&"x".repeat(30_000));
    ann.insert("after");
    let report = ann.sync();
    assert_eq!((report.groups_pushed, ann.pending()), (2, 0));
    let letters = ann.store.dead_letters().unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].code.as_str(), letters[0].ops[0].id.as_str()), ("too_large", id.as_str()));
}

fn holds(body: &[u8], word: &str) -> bool {
    String::from_utf8_lossy(body).contains(word)
}

/// I-16, I-60: bisecting finds it, a void uses up its seq, everything else goes on, and it can be sent again.
#[test]
fn i_60_a_poison_group_is_isolated_and_can_be_sent_again() {
    let server = MemoryServer::new();
    server.intercept(|request, body| {
        (push_only(&request.path) && holds(body, "POISON")).then(|| json(400, "application/json", "{}".to_owned()))
    });
    let ann = server.device("ann");
    for at in 0..30 {
        ann.insert(&if at == 17 { "POISON".to_owned() } else { format!("note {at}") });
    }
    let report = ann.sync();
    assert_eq!((report.groups_pushed, ann.pending()), (29, 0));
    let letters = ann.store.dead_letters().unwrap();
    assert_eq!(letters.len(), 1);
    let pushes = server.paths().iter().filter(|path| *path == "push").count();
    assert!(pushes <= 14, "{pushes} requests for one poison among 30");
    server.intercept(|_, _| None);
    ann.store.retry_dead_letter(letters[0].id).unwrap();
    assert_eq!(ann.sync().groups_pushed, 1);
    assert_eq!(ann.store.dead_letters().unwrap(), []);
    let ben = server.device("ben");
    ben.sync();
    assert_eq!(ben.store.query("SELECT count(*) FROM notes", &[]).unwrap().rows[0][0], 30.into());
}

/// An outage looks like a queue full of poison.
#[test]
fn a_server_that_refuses_everything_costs_one_dead_letter_at_most() {
    let server = MemoryServer::new();
    server.intercept(|request, _| push_only(&request.path).then(|| json(400, "application/json", "{}".to_owned())));
    let ann = server.device("ann");
    for at in 0..10 {
        ann.insert(&format!("note {at}"));
    }
    for _ in 0..3 {
        ann.store.sync_blocking().unwrap_err();
    }
    assert!(ann.store.dead_letters().unwrap().len() <= 1);
    server.intercept(|_, _| None);
    ann.sync();
    let letters = ann.store.dead_letters().unwrap();
    for letter in letters {
        ann.store.retry_dead_letter(letter.id).unwrap();
    }
    ann.sync();
    let ben = server.device("ben");
    ben.sync();
    assert_eq!(ben.store.query("SELECT count(*) FROM notes", &[]).unwrap().rows[0][0], 10.into());
}

#[test]
fn i_17_a_captive_portal_consumes_nothing() {
    let server = MemoryServer::new();
    let (ann, link) = server.faulty_device("ann", 1, 0);
    ann.insert("kept");
    link.script(std::iter::repeat_n(Fault::Portal, 10));
    let error = ann.store.sync_blocking().unwrap_err();
    assert_eq!((code_of(&error).as_str(), ann.pending()), ("not_turnstone", 1));
    link.script([Fault::Fine]);
    ann.sync_until_quiet();
    assert_eq!((ann.pending(), ann.store.dead_letters().unwrap().len()), (0, 0));
}

/// H6: what a server asked for outlives the process, as time remaining.
#[test]
fn i_17_retry_after_is_obeyed_also_after_a_restart() {
    let server = MemoryServer::new();
    let at_ms = Arc::new(AtomicU64::new(0));
    let clock = || {
        let at_ms = Arc::clone(&at_ms);
        Clock::virtual_time(move || Moment {
            wall_ms: 1_800_000_000_000,
            boot_id: [1; 16],
            boot_ms: at_ms.load(Ordering::SeqCst),
        })
    };
    let ann = Device::open_with("ann", server.remote(), |options| options.clock(clock()));
    ann.insert("kept");
    server.intercept(|request, _| {
        push_only(&request.path).then(|| {
            let mut busy = refuse(&Problem::new(Code::Unavailable, "Busy."));
            busy.headers.push(("retry-after".to_owned(), "2".to_owned()));
            busy
        })
    });
    assert_eq!(code_of(&ann.store.sync_blocking().unwrap_err()), "unavailable");
    server.intercept(|_, _| None);
    at_ms.fetch_add(1_500, Ordering::SeqCst);
    let ann = ann.reopen_with(|options| options.clock(clock()));
    server.forget_seen();
    ann.store.sync_blocking().unwrap_err();
    assert!(!server.paths().contains(&"push".to_owned()), "not before its time, though the process is a new one");
    assert_eq!(ann.pending(), 1);
    at_ms.fetch_add(1_200, Ordering::SeqCst);
    assert_eq!(ann.sync().groups_pushed, 1);
    let ann = ann.reopen_with(|options| options.clock(clock()));
    ann.insert("another");
    assert_eq!(ann.sync().groups_pushed, 1, "it is over, also for the next process");
}

/// Tier 0: a backend that serves push and pull and nothing else.
#[test]
fn a_server_without_hello_works() {
    let server = MemoryServer::new();
    server.intercept(|request, _| {
        request.path.contains("/hello").then(|| refuse(&Problem::new(Code::NotFound, "Not served.")))
    });
    let (ann, ben) = (server.device("ann"), server.device("ben"));
    ann.insert("kept");
    ann.sync();
    ben.sync();
    assert_eq!(ann.hash(), ben.hash());
}

#[test]
fn a_server_that_speaks_no_zstd_gets_something_simpler() {
    let server = MemoryServer::new();
    server.intercept(|request, _| {
        let packed = request.headers.iter().any(|(name, value)| *name == "content-encoding" && value == "zstd");
        packed.then(|| refuse(&Problem::new(Code::UnsupportedEncoding, "No.")))
    });
    let ann = server.device("ann");
    ann.insert("x".repeat(5_000).as_str());
    assert_eq!(ann.sync().groups_pushed, 1);
    let packed: Vec<_> =
        server.seen().iter().filter(|seen| seen.path == "push").map(|seen| seen.packed.clone()).collect();
    assert_eq!(packed, [Some("zstd".to_owned()), Some("gzip".to_owned())]);
}

#[test]
fn an_app_that_is_too_old_is_told_so_and_keeps_everything() {
    let server = MemoryServer::with(|settings| settings.schema_min = 2);
    let ann = server.device("ann");
    ann.insert("kept");
    let error = ann.store.sync_blocking().unwrap_err();
    assert_eq!((error.class(), ann.pending()), (turnstone::ErrorClass::UpgradeRequired, 1));
}

#[test]
fn a_store_without_a_server_or_network_says_so_at_once() {
    let ann = Device::open("ann", kit::nowhere());
    ann.insert("kept");
    assert_eq!(code_of(&ann.store.sync_blocking().unwrap_err()), "offline");
    let folder = tempfile::TempDir::new().unwrap();
    let alone = turnstone::Store::open(turnstone::Options::new(folder.path().join("a.db"), kit::schema())).unwrap();
    assert_eq!(alone.sync_blocking().unwrap_err(), Error::NoRemote);
}

/// I-62 in part: an answer that makes no sense takes nothing away.
#[test]
fn a_server_that_talks_nonsense_takes_nothing() {
    let server = MemoryServer::new();
    let turn = Counter::default();
    server.intercept(move |request, _| {
        push_only(&request.path).then(|| {
            let nonsense = ["[]", "{\"epoch\":1}", "{\"verdicts\":[]}", "null", ""];
            let at = usize::try_from(turn.next()).unwrap() % nonsense.len();
            json(200, "application/json", nonsense[at].to_owned())
        })
    });
    let ann = server.device("ann");
    ann.insert("kept");
    for _ in 0..3 {
        let error = ann.store.sync_blocking().unwrap_err();
        assert_eq!(error.class(), turnstone::ErrorClass::Retryable);
    }
    assert_eq!((ann.pending(), ann.store.dead_letters().unwrap().len()), (1, 0));
    server.intercept(|_, _| None::<Response>);
    assert_eq!(ann.sync().groups_pushed, 1);
}

/// I-62: pages without end and without content are not followed; the sync ends, and is tried again after a pause.
#[test]
fn a_server_that_always_promises_more_is_not_asked_at_once_again() {
    let server = MemoryServer::new();
    let pulls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&pulls);
    server.intercept(move |request, _| {
        let number = if request.path.ends_with("/pull") { counted.fetch_add(1, Ordering::SeqCst) } else { 50 };
        (number < 50).then(|| {
            let page = format!(
                r#"{{"epoch":"00000000000000000000000000000001","commits":[],"cursor":"{number}","at":0,"more":true,
                "acked":0,"stable":0,"hlc":"0000000000000000","now":1}}"#
            );
            json(200, "application/json", page)
        })
    });
    let ann = server.device("ann");
    let error = ann.store.sync_blocking().unwrap_err();
    assert_eq!(error.class(), turnstone::ErrorClass::Retryable);
    let pulls = pulls.load(Ordering::SeqCst);
    assert!((1..5).contains(&pulls), "{pulls} pulls");
}

/// I-17, I-18: a device that is killed every two seconds during a `Retry-After` neither hammers nor waits for ever,
/// whether the system tells its boots apart or not.
#[test]
fn i_17_retry_after_survives_kill_after_kill() {
    for boots_are_known in [true, false] {
        let server = MemoryServer::new();
        let asked_ms = Arc::new(AtomicU64::new(u64::MAX));
        let at_ms = Arc::new(AtomicU64::new(0));
        let open = |process: u8| {
            let (at_ms, opened_ms) = (Arc::clone(&at_ms), at_ms.load(Ordering::SeqCst));
            Clock::virtual_time(move || {
                let ms = at_ms.load(Ordering::SeqCst);
                let (boot_id, boot_ms) = if boots_are_known { ([1; 16], ms) } else { ([process; 16], ms - opened_ms) };
                Moment { wall_ms: 1_800_000_000_000, boot_id, boot_ms }
            })
        };
        let clock = open(0);
        let mut ann = Device::open_with("ann", server.remote(), |options| options.clock(clock));
        ann.insert("kept");
        server.intercept(|request, _| {
            push_only(&request.path).then(|| {
                let mut busy = refuse(&Problem::new(Code::Unavailable, "Busy."));
                busy.headers.push(("retry-after".to_owned(), "60".to_owned()));
                busy
            })
        });
        assert_eq!(code_of(&ann.store.sync_blocking().unwrap_err()), "unavailable");
        server.intercept(|_, _| None);
        server.forget_seen();
        for process in 1..=90 {
            let clock = open(process);
            ann = ann.killed(|options| options.clock(clock));
            let _ = ann.store.sync_blocking();
            let left = || ann.store.query("SELECT value FROM _ts_meta WHERE key = 'retry_after_ms'", &[]).unwrap().rows;
            let before = left();
            at_ms.fetch_add(2_000, Ordering::SeqCst);
            let _ = ann.store.sync_blocking();
            if server.paths().contains(&"push".to_owned()) {
                asked_ms.store(at_ms.load(Ordering::SeqCst), Ordering::SeqCst);
                break;
            }
            // What is left is written down behind the scenes.
            for _ in 0..200 {
                if boots_are_known || left() != before {
                    break;
                }
                std::thread::park_timeout(std::time::Duration::from_millis(5));
            }
        }
        let asked_ms = asked_ms.load(Ordering::SeqCst);
        assert!((60_000..=130_000).contains(&asked_ms), "known boots: {boots_are_known}: after {asked_ms} ms");
        assert_eq!(ann.pending(), 0);
    }
}

fn too_large() -> Response {
    refuse(&Problem::new(Code::TooLarge, "Too large."))
}

/// I-17, I-18, I-60: groups that are too large for the server alone become letters, however they lie among others.
#[test]
fn i_60_groups_too_large_for_the_server_are_set_aside_and_nothing_else_waits() {
    for bytes_max in [2_000, 40_000, 1 << 19] {
        let server = MemoryServer::new();
        server.intercept(move |request, body| (push_only(&request.path) && body.len() > bytes_max).then(too_large));
        let (ann, ben) = (server.device("ann"), server.device("ben"));
        for n in 0..120 {
            let large = [10, 11, 12, 60, 119].contains(&n);
            ann.insert(&"x".repeat(if large { bytes_max + 1 } else { 200 }));
        }
        let mut syncs = 0;
        while ann.pending() > 0 {
            let _ = ann.store.sync_blocking();
            syncs += 1;
            assert!(syncs < 12, "limit {bytes_max}: {} still wait", ann.pending());
        }
        assert_eq!(ann.store.dead_letters().unwrap().len(), 5, "limit {bytes_max}");
        assert!(ann.store.dead_letters().unwrap().iter().all(|letter| letter.code == Code::TooLarge));
        ben.sync();
        assert_eq!(ann.hash(), ben.hash());
        assert!(server.paths().iter().filter(|path| *path == "push").count() < 140, "limit {bytes_max}");
    }
}

/// I-18: a proxy that refuses everything as too large for a while costs one letter, not the size of all later pushes.
#[test]
fn i_18_after_a_storm_of_413_a_backlog_drains_in_large_pushes_again() {
    let server = MemoryServer::new();
    let ann = server.device("ann");
    for _ in 0..600 {
        ann.insert("kept");
    }
    server.intercept(|request, _| push_only(&request.path).then(too_large));
    for _ in 0..20 {
        ann.store.sync_blocking().unwrap_err();
    }
    assert_eq!(ann.store.dead_letters().unwrap().len(), 1, "one at most is blamed");
    server.intercept(|_, _| None);
    server.forget_seen();
    ann.sync_until_quiet();
    assert_eq!(ann.pending(), 0);
    let pushes = server.paths().iter().filter(|path| *path == "push").count();
    let sizes: Vec<usize> = server.seen().iter().filter(|seen| seen.path == "push").map(|seen| seen.groups).collect();
    assert!(pushes <= 60, "{pushes} pushes for 600 groups: {sizes:?}");
}

/// The report counts a transaction whose verdict was lost, when the page shows it, and never twice.
#[test]
fn a_group_whose_verdict_was_lost_is_counted_once() {
    let server = MemoryServer::new();
    let (ann, link) = server.faulty_device("ann", 7, 0);
    ann.sync();
    let before = ann.store.totals();
    let mut written = 0;
    for _ in 0..3 {
        ann.insert("answer lost");
        link.script([Fault::LostAnswer]);
        let _ = ann.store.sync_blocking();
        ann.insert("answer heard");
        ann.sync_until_quiet();
        written += 2;
    }
    let totals = ann.store.totals();
    assert_eq!(totals.groups_pushed - before.groups_pushed, written);
    assert_eq!(totals.applied + totals.merged + totals.rejected, totals.groups_pushed);
}
