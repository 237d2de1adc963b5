//! What hosts bring along: the system's scheduler, a witness, keys.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::kit::{Device, TestServer, Tokens, no_hooks, options, wait};
use super::stores::code;
use crate::background::{FfiConditions, FfiKind, FfiNetwork, FfiWish};
use crate::error::FfiError;
use crate::hooks::{FfiHookFailure, FfiKeyProvider, FfiPlatformScheduler, FfiWitness};
use crate::open::{FfiHooks, FfiOptions};
use crate::records::FfiOrigin;
use crate::store::FfiStore;

struct Wishes(Sender<Option<FfiWish>>);

impl FfiPlatformScheduler for Wishes {
    fn schedule(&self, wish: Option<FfiWish>) -> Result<(), FfiHookFailure> {
        self.0.send(wish).map_err(|_| FfiHookFailure::Failed)
    }
}

/// The next wish that is of this kind.
fn next_of(wishes: &Receiver<Option<FfiWish>>, kind: FfiKind) -> FfiWish {
    loop {
        let wish = wishes.recv_timeout(Duration::from_secs(30)).expect("a wish comes");
        if let Some(wish) = wish.filter(|wish| wish.kind == kind) {
            return wish;
        }
    }
}

#[test]
fn the_platform_scheduler_holds_what_is_wished() {
    let server = TestServer::start();
    let (tell, wishes) = channel();
    let scheduler: Arc<dyn FfiPlatformScheduler> = Arc::new(Wishes(tell));
    let hooks = FfiHooks { tokens: Some(Tokens::good()), scheduler: Some(scheduler), ..no_hooks() };
    let device = Device::opened(hooks, |options| FfiOptions {
        url: Some(server.url()),
        auto_sync: true,
        poll_ms: Some(900_000),
        ..options
    });
    device.sync();
    let away = FfiConditions { network: FfiNetwork::Offline, foreground: false, ..super::background::IN_FRONT };
    device.store.set_conditions(away).unwrap();
    device.insert("to be sent");
    assert!(!next_of(&wishes, FfiKind::SmallPush).battery_not_low, "what a person wrote");
    device.sync();
    // The pull of that very sync may have been wished for, too. Then only news are, later.
    while next_of(&wishes, FfiKind::Pull).earliest_at_ms.is_none() {}
    wait(device.store.clone().shutdown()).unwrap();
    // The store has let go of its scheduler: nothing comes any more.
    while wishes.recv_timeout(Duration::from_secs(30)).is_ok() {}
}

/// A place outside the database.
#[derive(Clone, Default)]
struct Outside {
    text: Arc<Mutex<Option<String>>>,
    locked: Arc<Mutex<bool>>,
}

impl FfiWitness for Outside {
    fn read(&self) -> Result<Option<String>, FfiHookFailure> {
        if *self.locked.lock().unwrap() { Err(FfiHookFailure::Failed) } else { Ok(self.text.lock().unwrap().clone()) }
    }

    fn write(&self, token: String) -> Result<(), FfiHookFailure> {
        *self.text.lock().unwrap() = Some(token);
        Ok(())
    }
}

/// Opens, and gives where it came from and its present life.
fn visit(path: &Path, outside: &Outside) -> (FfiOrigin, String) {
    let hooks = FfiHooks { witness: Some(Arc::new(outside.clone())), ..no_hooks() };
    let store = wait(FfiStore::open(options(path), hooks)).unwrap();
    let life = wait(store.clone().identity()).unwrap().incarnation;
    let origin = store.origin().unwrap();
    wait(store.shutdown()).unwrap();
    (origin, life)
}

#[test]
fn a_copied_database_renews_its_identity() {
    let (phone, other) = (tempfile::TempDir::new().unwrap(), tempfile::TempDir::new().unwrap());
    let (path, copy) = (phone.path().join("app.db"), other.path().join("app.db"));
    let (here, there) = (Outside::default(), Outside::default());
    let (origin, life) = visit(&path, &here);
    assert_eq!(origin, FfiOrigin::New);
    assert_eq!(visit(&path, &here), (FfiOrigin::Known, life.clone()));
    std::fs::copy(&path, &copy).unwrap();

    // A key store that cannot be read for a moment decides nothing.
    *there.locked.lock().unwrap() = true;
    assert_eq!(visit(&copy, &there), (FfiOrigin::Unknown, life.clone()));
    *there.locked.lock().unwrap() = false;
    let (origin, renewed) = visit(&copy, &there);
    assert_eq!(origin, FfiOrigin::Copied);
    assert_ne!(renewed, life, "the twin syncs under a life of its own");
    assert_eq!(visit(&copy, &there), (FfiOrigin::Known, renewed));
    assert_eq!(visit(&path, &here), (FfiOrigin::Known, life), "the original goes on as it was");
}

#[test]
fn a_lost_database_is_not_silently_a_new_one() {
    let folder = tempfile::TempDir::new().unwrap();
    let outside = Outside::default();
    assert_eq!(visit(&folder.path().join("app.db"), &outside).0, FfiOrigin::New);
    assert_eq!(visit(&folder.path().join("again.db"), &outside).0, FfiOrigin::Lost);
    assert_eq!(visit(&folder.path().join("again.db"), &outside).0, FfiOrigin::Known);
}

struct Keys;

impl FfiKeyProvider for Keys {
    fn key(&self) -> Result<Vec<u8>, FfiHookFailure> {
        Ok(vec![7; 32])
    }
}

#[test]
fn a_key_provider_is_refused_with_a_reason() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("app.db");
    let refused = wait(FfiStore::open(options(&path), FfiHooks { keys: Some(Arc::new(Keys)), ..no_hooks() }));
    assert!(matches!(&refused, Err(FfiError::InvalidArgument { text, .. }) if text.contains("not built")));
    assert_eq!(code(refused), ("invalid", "no_encryption".to_owned()));
    assert!(!path.exists(), "nothing was made that looks encrypted and is not");
}
