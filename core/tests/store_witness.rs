//! Where a database came from: a token outside it tells a copy, a loss and a crash apart (I-43).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod kit;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use turnstone::{Durability, Options, Origin, Store, Witness, WitnessError};

/// A key store of the test's own. Asked to write, it can keep the database as a crash at that moment would leave it.
#[derive(Clone, Default)]
struct Outside {
    text: Arc<Mutex<Option<String>>>,
    is_locked: Arc<Mutex<bool>>,
    crash: Arc<Mutex<Option<(PathBuf, PathBuf)>>>,
}

impl Witness for Outside {
    fn read(&self) -> Result<Option<String>, WitnessError> {
        if *self.is_locked.lock().unwrap() { Err(WitnessError) } else { Ok(self.text.lock().unwrap().clone()) }
    }

    fn write(&self, token: &str) -> Result<(), WitnessError> {
        if let Some((from, to)) = &*self.crash.lock().unwrap() {
            copy(from, to);
        }
        *self.text.lock().unwrap() = Some(token.to_owned());
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) {
    for end in ["app.db", "app.db-wal"] {
        if from.join(end).exists() {
            std::fs::copy(from.join(end), to.join(end)).unwrap();
        }
    }
}

/// Opens, and gives where it came from and its present life.
fn visit(folder: &Path, outside: &Outside) -> (Origin, String) {
    let options = Options::new(folder.join("app.db"), kit::schema()).durability(Durability::Process);
    let store = Store::open(options.witness(outside.clone())).unwrap();
    let seen = (store.origin(), store.identity().unwrap().1.to_string());
    store.close().unwrap();
    seen
}

#[test]
fn i_43_a_copy_a_loss_and_a_locked_key_store_are_told_apart() {
    let (here, there) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (mine, theirs) = (Outside::default(), Outside::default());
    let (origin, life) = visit(here.path(), &mine);
    assert_eq!(origin, Origin::New);
    assert_eq!(visit(here.path(), &mine), (Origin::Known, life.clone()));
    *mine.is_locked.lock().unwrap() = true;
    assert_eq!(visit(here.path(), &mine), (Origin::Unknown, life.clone()), "it decides nothing");
    *mine.is_locked.lock().unwrap() = false;
    copy(here.path(), there.path());
    let (origin, other) = visit(there.path(), &theirs);
    assert!(origin == Origin::Copied && other != life, "it lives a life of its own");
    assert_eq!(visit(there.path(), &theirs), (Origin::Known, other));
    assert_eq!(visit(here.path(), &mine), (Origin::Known, life), "the original goes on");
    let empty = TempDir::new().unwrap();
    assert_eq!(visit(empty.path(), &mine).0, Origin::Lost);
    assert_eq!(visit(empty.path(), &mine).0, Origin::Known, "said once");
}

#[test]
fn i_43_a_crash_between_the_two_writes_is_no_false_alarm() {
    let (here, dead) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let outside = Outside::default();
    *outside.crash.lock().unwrap() = Some((here.path().to_owned(), dead.path().to_owned()));
    let (_, life) = visit(here.path(), &outside);
    assert_eq!(visit(dead.path(), &outside), (Origin::Known, life.clone()), "it is not lost");
    assert_eq!(visit(dead.path(), &outside), (Origin::Known, life));
    // The same for a copy, which took its new life before.
    let (copied, killed, other) = (TempDir::new().unwrap(), TempDir::new().unwrap(), Outside::default());
    copy(here.path(), copied.path());
    *other.crash.lock().unwrap() = Some((copied.path().to_owned(), killed.path().to_owned()));
    let (_, anew) = visit(copied.path(), &other);
    assert_eq!(visit(killed.path(), &other), (Origin::Known, anew));
}
