//! Calls stay off the thread they are made on: it may be the one that draws.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use super::background::IN_FRONT;
use super::kit::{insert, no_hooks, options, wait};
use super::stores::ENDLESS;
use crate::error::FfiError;
use crate::hooks::{FfiHookFailure, FfiWitness};
use crate::open::FfiHooks;
use crate::records::FfiOrigin;
use crate::store::{FfiCancel, FfiStore};

/// Answers when it is told to.
struct Slow(Mutex<mpsc::Receiver<()>>);

impl FfiWitness for Slow {
    fn read(&self) -> Result<Option<String>, FfiHookFailure> {
        let told = self.0.lock().unwrap().recv_timeout(Duration::from_secs(30));
        told.map(|()| None).map_err(|_| FfiHookFailure::Failed)
    }

    fn write(&self, _token: String) -> Result<(), FfiHookFailure> {
        Ok(())
    }
}

/// Each call ends only by what this one thread does after it was made.
#[test]
fn no_call_holds_the_thread_it_is_made_on() {
    let folder = tempfile::TempDir::new().unwrap();
    let (tell, told) = mpsc::channel();
    let hooks = FfiHooks { witness: Some(Arc::new(Slow(Mutex::new(told)))), ..no_hooks() };
    let opening = FfiStore::open(options(&folder.path().join("app.db")), hooks);
    let store = wait(async { tokio::join!(opening, async { tell.send(()).unwrap() }).0 }).unwrap();
    assert_eq!(store.origin().unwrap(), FfiOrigin::New);

    let cancel = FfiCancel::create().unwrap();
    let reading = store.clone().query(ENDLESS.to_owned(), Vec::new(), Some(Arc::clone(&cancel)));
    let (read, wrote, changed, ()) = wait(async {
        let transaction = store.clone().begin().await.unwrap();
        let writing = store.clone().write(vec![insert("waits")], None);
        let changing = store.clone().execute("UPDATE notes SET pinned = 1".to_owned(), Vec::new());
        // Polled in this order: the last one is reached when all others wait for it.
        tokio::join!(biased; reading, writing, changing, async {
            store.set_conditions(IN_FRONT).unwrap();
            store.network_changed(true).unwrap();
            store.token_changed().unwrap();
            store.poke().unwrap();
            store.expire().unwrap();
            store.next_wake().unwrap();
            store.totals().unwrap();
            transaction.commit().await.unwrap();
            cancel.cancel().unwrap();
        })
    });
    assert_eq!(read, Err(FfiError::cancelled()));
    assert_eq!((wrote.unwrap().ids.len(), changed.is_ok()), (1, true));
    wait(store.shutdown()).unwrap();
}
