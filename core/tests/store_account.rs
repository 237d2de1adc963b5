//! I-48: what one account wrote is never read or sent by another, whoever the token turns out to be for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod kit;

use std::path::Path;
use std::sync::{Arc, Mutex};

use kit::{Counter, Device, MemoryServer, json, key, now_ms, nowhere, refuse};
use turnstone::transport::{TokenError, TokenReason};
use turnstone::{Durability, Error, ErrorClass, Options, Remote, Store};
use turnstone_engine::sync::Phase;
use turnstone_protocol::{Class, Code, Problem};
use turnstone_server::token;

/// Gives the tokens of whoever is signed in.
#[derive(Clone)]
struct SignedIn(Arc<Mutex<(&'static str, &'static str)>>);

impl SignedIn {
    fn new(tenant: &'static str, sub: &'static str) -> Self {
        Self(Arc::new(Mutex::new((tenant, sub))))
    }

    fn becomes(&self, tenant: &'static str, sub: &'static str) {
        *self.0.lock().unwrap() = (tenant, sub);
    }

    fn token(&self) -> String {
        let (tenant, sub) = *self.0.lock().unwrap();
        token::mint(&key(), tenant, sub, None, 3_600, now_ms()).unwrap()
    }

    fn remote(&self, server: &MemoryServer) -> Remote {
        let own = self.clone();
        let tokens = move |_: TokenReason| -> Result<String, TokenError> { Ok(own.token()) };
        Remote::custom(server.transport(), tokens)
    }
}

fn titles(device: &Device) -> Vec<String> {
    let rows = device.store.query("SELECT title FROM notes ORDER BY title", &[]).unwrap().rows;
    rows.iter().map(|row| format!("{:?}", row[0])).collect()
}

/// What the server took from anybody: none of it may be what somebody else wrote.
fn pushes_taken(server: &MemoryServer) -> usize {
    server.seen().iter().filter(|seen| seen.path == "push" && seen.status == 200).map(|seen| seen.groups).sum()
}

fn assert_stopped(device: &Device, error: &Error) {
    assert!(matches!(error, Error::SyncStopped { code: Code::OtherAccount, class: Class::Auth }), "{error:?}");
    assert_eq!((error.code(), error.class()), ("sync_other_account", ErrorClass::AuthRequired));
    let status = device.store.status().unwrap();
    assert_eq!(status.phase, Phase::NeedsAuth);
    assert_eq!(status.last_error.unwrap().code, "other_account");
}

fn options(path: &Path) -> Options {
    Options::new(path, kit::schema()).durability(Durability::Process)
}

#[test]
fn i_48_a_database_of_one_account_does_not_open_for_another() {
    let ann = Device::open_with("ann", nowhere(), |options| options.account("ann"));
    ann.insert("one");
    ann.insert("two");
    let path = ann.folder.path().join("app.db");
    ann.store.close().unwrap();
    let before = std::fs::read(&path).unwrap();

    let refused = Store::open(options(&path).account("ben")).map(drop).unwrap_err();
    assert_eq!(refused, Error::OtherAccount { pending_groups: 2 });
    assert_eq!((refused.code(), refused.class()), ("other_account", ErrorClass::OtherAccount));
    assert!(std::fs::read(&path).unwrap() == before, "the file was changed");

    let again = ann.reopen_with(|options| options.account("ann"));
    assert_eq!((titles(&again).len(), again.pending()), (2, 2), "she finds everything as she left it");
    let again = again.reopen();
    assert_eq!(again.pending(), 2, "an app that names nobody goes on as ever");
}

/// The phone of a process that was killed: what waits stands in the log still.
#[test]
fn i_48_what_waits_is_counted_after_a_kill_too() {
    let ann = Device::open_with("ann", nowhere(), |options| options.account("ann"));
    ann.insert("one");
    let killed = ann.killed(|options| options);
    killed.store.close().unwrap();
    let refused = Store::open(options(&killed.folder.path().join("app.db")).account("ben")).map(drop).unwrap_err();
    assert_eq!(refused, Error::OtherAccount { pending_groups: 1 });
}

#[test]
fn what_was_written_before_anybody_signed_in_is_theirs_who_sign_in_first() {
    let nobody = Device::open("nobody", nowhere());
    nobody.insert("before signing in");
    let ann = nobody.reopen_with(|options| options.account("ann"));
    assert_eq!((titles(&ann).len(), ann.pending()), (1, 1));
    ann.store.close().unwrap();
    let refused = Store::open(options(&ann.folder.path().join("app.db")).account("ben")).map(drop).unwrap_err();
    assert_eq!(refused.code(), "other_account");
}

#[test]
fn an_account_is_compared_and_never_told() {
    let name = "ann@example.com";
    let asked = options(Path::new("app.db")).account(name);
    assert!(!format!("{asked:?}").contains("ann@"));
    let ann = Device::open_with("ann", nowhere(), |options| options.account(name));
    ann.insert("a note");
    ann.store.close().unwrap();
    let bytes = std::fs::read(ann.folder.path().join("app.db")).unwrap();
    assert!(!bytes.windows(name.len()).any(|window| window == name.as_bytes()));
    for wrong in [String::new(), "x".repeat(256)] {
        let refused = Store::open(options(&ann.folder.path().join("app.db")).account(wrong)).map(drop).unwrap_err();
        assert_eq!((refused.code(), refused.class()), ("invalid_account", ErrorClass::InvalidArgument));
    }
    Store::open(options(&ann.folder.path().join("long.db")).account("x".repeat(255))).unwrap();
}

/// No account was ever named: the server's word on whose token it is must do.
#[test]
fn i_48_pending_changes_are_never_pushed_as_somebody_else() {
    for other in [("tenant", "ben"), ("other", "ann")] {
        let server = MemoryServer::new();
        let person = SignedIn::new("tenant", "ann");
        let ann = Device::open("ann", person.remote(&server));
        ann.insert("sent as Ann");
        ann.sync();
        ann.insert("written as Ann");

        // Between two runs of the app somebody else signs in.
        person.becomes(other.0, other.1);
        let phone = ann.reopen();
        let error = phone.store.sync_blocking().unwrap_err();
        assert_stopped(&phone, &error);
        assert_eq!((phone.pending(), pushes_taken(&server)), (1, 1), "nothing of hers went out as {other:?}");
        let others = Device::open("others", person.remote(&server));
        others.insert("of somebody else");
        others.sync();
        phone.store.sync_blocking().unwrap_err();
        assert_eq!(titles(&phone).len(), 2, "nothing of theirs came in");

        person.becomes("tenant", "ann");
        phone.store.token_changed();
        assert_eq!(phone.sync().groups_pushed, 1);
        assert_eq!((phone.pending(), phone.store.status().unwrap().last_error), (0, None));
    }
}

/// The server said hello to Ann; the token is over before the push, or the pull, and the next one is Ben's.
#[test]
fn i_48_a_token_that_changes_hands_during_a_sync_moves_nothing() {
    for lane in ["/push", "/pull"] {
        for other in [("tenant", "ben"), ("other", "ben")] {
            let server = MemoryServer::new();
            let ben = Device::open("ben", SignedIn::new(other.0, other.1).remote(&server));
            ben.insert("of Ben");
            ben.sync();
            server.forget_seen();

            let person = SignedIn::new("tenant", "ann");
            let ann = Device::open("ann", person.remote(&server));
            if lane == "/push" {
                ann.insert("of Ann");
            }
            let (over, changed) = (Counter::default(), person.clone());
            server.intercept(move |request, _| {
                let is_over = request.path.ends_with(lane) && over.get() == 0;
                is_over.then(|| {
                    over.next();
                    changed.becomes(other.0, other.1);
                    refuse(&Problem::new(Code::TokenExpired, "The token is over."))
                })
            });
            let error = ann.store.sync_blocking().unwrap_err();
            assert_stopped(&ann, &error);
            assert_eq!((pushes_taken(&server), ann.pending()), (0, u64::from(lane == "/push")), "{lane} {other:?}");
            // One tenant's rows are all its users': what she pulls with her own token is hers to see.
            if lane == "/pull" || other.0 != "tenant" {
                assert!(!titles(&ann).iter().any(|title| title.contains("of Ben")), "{lane} {other:?}");
            }

            person.becomes("tenant", "ann");
            ann.store.token_changed();
            ann.sync();
            assert_eq!(ann.pending(), 0);
        }
    }
}

/// A backend that names principals and does not look at the header: the client compares for itself, before anything.
#[test]
fn i_48_what_a_server_says_to_somebody_else_means_nothing_here() {
    let server = MemoryServer::new();
    let person = SignedIn::new("tenant", "ann");
    let ann = Device::open("ann", person.remote(&server));
    ann.insert("sent");
    ann.sync();
    let life = ann.store.identity().unwrap();
    ann.insert("pending");
    let phone = ann.reopen();
    server.forget_seen();
    server.intercept(|request, _| {
        let text = format!(
            r#"{{"epoch":"{:032x}","tier":0,"schema":1,"schema_hash":"","schema_min":99,"head":0,"stable":0,
                "last_seq":7,"principal":"somebody-else","now":1,"hlc":"0000000000000000"}}"#,
            5
        );
        request.path.contains("/hello").then(|| json(200, "application/json", text))
    });
    let error = phone.store.sync_blocking().unwrap_err();
    assert_stopped(&phone, &error);
    assert_eq!(phone.pending(), 1);
    assert!(server.paths().iter().all(|path| path == "hello"), "{:?}", server.paths());
    assert_eq!(phone.store.identity().unwrap(), life, "another's epoch and seqs renew nothing");

    server.intercept(|_, _| None);
    phone.store.token_changed();
    assert_eq!(phone.sync().groups_pushed, 1);
}

/// A name that could not travel in a header is no answer of a server.
#[test]
fn a_principal_that_cannot_travel_is_a_network_fault() {
    let server = MemoryServer::new();
    let ann = server.device("ann");
    ann.insert("kept");
    server.intercept(|request, _| {
        let text = r#"{"epoch":"00000000000000000000000000000001","tier":0,"schema":1,"schema_hash":"","schema_min":0,
            "head":0,"stable":0,"principal":"two\r\nlines","now":1,"hlc":"0000000000000000"}"#;
        request.path.contains("/hello").then(|| json(200, "application/json", text.to_owned()))
    });
    assert!(ann.store.sync_blocking().is_err());
    assert_eq!((ann.pending(), pushes_taken(&server)), (1, 0));
    server.intercept(|_, _| None);
    assert_eq!(ann.sync().groups_pushed, 1);
}
