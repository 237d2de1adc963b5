//! Hooks that call the store they belong to (I-63): each of them, with a limit on how long that may take.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::alone::is_alone;
use super::kit::{Device, TestServer, insert, mint, no_hooks, options, wait};
use super::stores::code;
use super::sync::{HostHttp, host};
use crate::background::{FfiConditions, FfiWish};
use crate::hooks::http::{FfiHttpFailure, FfiHttpRequest, FfiHttpResponse, FfiHttpTransport};
use crate::hooks::log::{FfiLogLevel, FfiLogSink, set_log_sink};
use crate::hooks::{FfiHookFailure, FfiPlatformScheduler, FfiTokenFailure, FfiTokenProvider, FfiWitness};
use crate::open::{FfiHooks, FfiOptions};
use crate::records::FfiTokenReason;
use crate::store::FfiStore;

/// Runs a test that hangs where a hook waits for itself.
fn limited(test: impl FnOnce() + Send + 'static) {
    let (done, ended) = channel();
    #[expect(clippy::disallowed_methods, reason = "what may hang is not waited for")]
    let running = std::thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    let in_time = ended.recv_timeout(Duration::from_secs(60));
    assert!(in_time.is_ok() || running.is_finished(), "a hook that calls its store waits for ever");
    running.join().unwrap();
}

/// So often a hook calls its store: what it writes there would keep the hooks busy for ever.
const CALLS_MAX: usize = 3;

/// The store that the hooks call, once it is open, and how often they did.
#[derive(Clone, Default)]
struct Own {
    store: Arc<OnceLock<Arc<FfiStore>>>,
    calls: Arc<AtomicUsize>,
    /// Whether they close it, too.
    closes: bool,
}

impl Own {
    /// Everything that an app may ask of a store inside a hook.
    async fn call(&self) {
        let Some(store) = self.store.get().filter(|_| self.calls() < CALLS_MAX) else { return };
        let store = || Arc::clone(store);
        store().status().await.unwrap();
        store().query("SELECT count(*) FROM notes".to_owned(), Vec::new(), None).await.unwrap();
        store().write(vec![insert("by a hook")], None).await.unwrap();
        let watch = store().watch("SELECT title FROM notes".to_owned(), Vec::new()).await.unwrap();
        assert!(watch.clone().next().await.unwrap().is_some());
        watch.cancel().unwrap();
        let transaction = store().begin().await.unwrap();
        transaction.clone().apply(vec![insert("and in a transaction")]).await.unwrap();
        transaction.commit().await.unwrap();
        store().set_conditions(super::background::IN_FRONT).unwrap();
        store().poke().unwrap();
        store().token_changed().unwrap();
        store().next_wake().unwrap();
        if self.closes {
            store().shutdown().await.unwrap();
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Opens the store, with hooks that call it.
    fn opened(&self, server: &TestServer, hooks: FfiHooks) -> Device {
        let tokens: Arc<dyn FfiTokenProvider> = Arc::new(Tokens(Own::default()));
        let syncs_by_itself = hooks.scheduler.is_some();
        let hooks = FfiHooks { tokens: hooks.tokens.clone().or(Some(tokens)), ..hooks };
        let device = Device::opened(hooks, |options| FfiOptions {
            url: Some(server.url()),
            auto_sync: syncs_by_itself,
            ..options
        });
        assert!(self.store.set(device.store.clone()).is_ok());
        device
    }
}

struct Tokens(Own);

#[async_trait::async_trait]
impl FfiTokenProvider for Tokens {
    async fn token(&self, _: FfiTokenReason) -> Result<String, FfiTokenFailure> {
        self.0.call().await;
        Ok(mint(3_600))
    }
}

#[test]
fn a_token_provider_may_call_its_store() {
    limited(|| {
        let (server, own) = (TestServer::start(), Own::default());
        let device = own.opened(&server, FfiHooks { tokens: Some(Arc::new(Tokens(own.clone()))), ..no_hooks() });
        device.sync();
        assert!(own.calls() > 0);
        assert_eq!(wait(device.store.clone().status()).unwrap().pending_groups, 0, "what it wrote was sent");
    });
}

#[test]
fn a_token_provider_may_close_its_store() {
    limited(|| {
        let (server, own) = (TestServer::start(), Own { closes: true, ..Own::default() });
        let device = own.opened(&server, FfiHooks { tokens: Some(Arc::new(Tokens(own.clone()))), ..no_hooks() });
        assert_eq!(code(wait(device.store.clone().sync(None))), ("closed", "closed".to_owned()));
        // The sync ends as closing begins; the hook still waits for the rest of it.
        while wait(device.store.clone().status()).is_ok() {
            std::thread::yield_now();
        }
        assert_eq!(code(wait(device.store.clone().status())), ("closed", "closed".to_owned()));
    });
}

struct Http(Own, Arc<HostHttp>);

#[async_trait::async_trait]
impl FfiHttpTransport for Http {
    async fn exchange(&self, request: FfiHttpRequest) -> Result<FfiHttpResponse, FfiHttpFailure> {
        self.0.call().await;
        self.1.exchange(request).await
    }
}

#[test]
fn a_transport_may_call_its_store() {
    limited(|| {
        let (server, own) = (TestServer::start(), Own::default());
        let http: Arc<dyn FfiHttpTransport> = Arc::new(Http(own.clone(), host(&server, 0)));
        let device = own.opened(&server, FfiHooks { transport: Some(http), ..no_hooks() });
        device.sync();
        device.sync();
        assert_eq!(own.calls(), CALLS_MAX);
        assert_eq!(device.titles().len(), 2 * CALLS_MAX);
    });
}

#[test]
fn a_transport_may_close_its_store() {
    limited(|| {
        let (server, own) = (TestServer::start(), Own { closes: true, ..Own::default() });
        let http: Arc<dyn FfiHttpTransport> = Arc::new(Http(own.clone(), host(&server, 0)));
        let device = own.opened(&server, FfiHooks { transport: Some(http), ..no_hooks() });
        assert_eq!(code(wait(device.store.clone().sync(None))), ("closed", "closed".to_owned()));
    });
}

struct Scheduler(Own);

impl FfiPlatformScheduler for Scheduler {
    fn schedule(&self, _: Option<FfiWish>) -> Result<(), FfiHookFailure> {
        wait(self.0.call());
        Ok(())
    }
}

#[test]
fn a_scheduler_may_call_its_store() {
    for closes in [false, true] {
        limited(move || {
            let (server, own) = (TestServer::start(), Own { closes, ..Own::default() });
            let scheduler: Arc<dyn FfiPlatformScheduler> = Arc::new(Scheduler(own.clone()));
            let device = own.opened(&server, FfiHooks { scheduler: Some(scheduler), ..no_hooks() });
            // What is to be sent is wished for when nobody looks on.
            let away = FfiConditions { foreground: false, ..super::background::IN_FRONT };
            while own.calls() == 0 {
                let _ = wait(device.store.clone().write(vec![insert("a new wish")], None));
                let _ = device.store.set_conditions(away);
                std::thread::park_timeout(Duration::from_millis(10));
            }
        });
    }
}

struct Sink(Own);

impl FfiLogSink for Sink {
    fn log(&self, _: FfiLogLevel, _: String, _: String) -> Result<(), FfiHookFailure> {
        wait(self.0.call());
        Ok(())
    }
}

#[test]
fn a_log_sink_may_call_its_store() {
    if !is_alone("tests::reentry::a_log_sink_may_call_its_store") {
        return;
    }
    limited(|| {
        let (server, own) = (TestServer::start(), Own::default());
        set_log_sink(Some(Arc::new(Sink(own.clone()))), FfiLogLevel::Trace).unwrap();
        let device = own.opened(&server, no_hooks());
        // The first lines may be told before the sink knows its store.
        while own.calls() < CALLS_MAX {
            device.sync();
            std::thread::park_timeout(Duration::from_millis(10));
        }
        set_log_sink(None, FfiLogLevel::Trace).unwrap();
    });
}

/// Opens stores while one is opened: another, and the very one.
struct Opener {
    path: PathBuf,
    calls: AtomicUsize,
}

impl FfiWitness for Opener {
    fn read(&self) -> Result<Option<String>, FfiHookFailure> {
        let other = wait(FfiStore::open(options(&self.path.with_extension("other")), no_hooks())).unwrap();
        wait(other.clone().write(vec![insert("elsewhere")], None)).unwrap();
        wait(other.shutdown()).unwrap();
        let same = wait(FfiStore::open(options(&self.path), no_hooks()));
        assert_eq!(code(same), ("unavailable", "already_open".to_owned()), "it is being opened");
        self.calls.fetch_add(1, Ordering::SeqCst);
        Ok(None)
    }

    fn write(&self, _: String) -> Result<(), FfiHookFailure> {
        Ok(())
    }
}

#[test]
fn a_witness_may_open_other_stores_and_is_told_that_its_own_is_being_opened() {
    limited(|| {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("app.db");
        let opener = Arc::new(Opener { path: path.clone(), calls: AtomicUsize::new(0) });
        let hooks = FfiHooks { witness: Some(opener.clone()), ..no_hooks() };
        wait(wait(FfiStore::open(options(&path), hooks)).unwrap().shutdown()).unwrap();
        assert_eq!(opener.calls.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_write_inside_a_transaction_is_not_waited_for_for_ever() {
    limited(|| {
        let device = Device::offline();
        wait(async {
            let store = || Arc::clone(&device.store);
            let transaction = store().begin().await.unwrap();
            transaction.clone().apply(vec![insert("never")]).await.unwrap();
            store().query("SELECT count(*) FROM notes".to_owned(), Vec::new(), None).await.unwrap();
            // Reads are fine; a write waits for the transaction, which waits for its next step, and loses.
            store().write(vec![insert("made")], None).await.unwrap();
            assert_eq!(code(transaction.commit().await), ("retryable", "transaction_lost".to_owned()));
        });
        assert_eq!(device.titles(), ["made"]);
    });
}
