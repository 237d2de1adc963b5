//! The only loop of a client: feeds events to the sync machine and runs its commands. The only place that starts
//! threads and arms timers.
//!
//! A store that only reads and writes starts nothing. The first sync, watch or `auto_sync` starts a small runtime of
//! its own: one thread for the network, a few that may wait for the disk. Nothing of it runs on the app's executor.

mod answers;
mod background;
mod commands;
mod hold;
mod local;
mod run;
mod tasks;
mod wire;

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use turnstone_engine::oplog::Moment;
use turnstone_engine::sync::{Config, Event};

use self::run::{Loop, Message, Setup};
pub(crate) use self::tasks::Tasks;
use self::wire::Wire;
use crate::Error;
use crate::background::{BackgroundReport, Budget, Conditions, RunReason};
use crate::clock::{Clock, Entropy};
use crate::observe::{Hub, Offload, View};
use crate::options::{Link, Options, Remote};
use crate::report::SyncReport;
use crate::storage::Database;
use crate::transport::{TokenProvider, Transport};

/// How long closing waits for the transaction under way.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// How long suspending waits for the loop, twice.
const SUSPEND_PATIENCE: Duration = Duration::from_millis(350);
/// Threads that may wait for the disk or for a token.
const BLOCKING_THREADS_MAX: usize = 8;

/// The driver of one store.
pub(crate) struct Driver {
    view: View,
    hub: Arc<Hub>,
    server: Option<Server>,
    config: Config,
    lent: Option<Handle>,
    clock: Clock,
    /// When the store was opened.
    opened: Moment,
    entropy: Entropy,
    knock: Knock,
    engine: Mutex<Engine>,
    is_suspended: AtomicBool,
    /// What the device is like, as was said last: also for a loop that starts later.
    conditions: Arc<Mutex<Conditions>>,
}

/// The server a store syncs with.
struct Server {
    wire: Arc<Wire>,
    tokens: Arc<dyn TokenProvider>,
}

/// The threads, once something needed them.
enum Engine {
    Cold,
    Warm(Runtime),
    /// A simulation's thread.
    Lent(Handle),
    Stopped,
}

/// Tells the driver that something happened. Never waits.
#[derive(Clone)]
pub(crate) struct Knock {
    to_loop: Arc<Mutex<Option<UnboundedSender<Message>>>>,
    work_pending: Arc<AtomicBool>,
}

impl Driver {
    pub(crate) fn new(options: &Options, database: Database, hub: Arc<Hub>) -> Result<Self, Error> {
        let server = options.remote.as_ref().map(Server::new).transpose()?;
        let poll_ms = options.poll.map(|every| u64::try_from(every.as_millis()).unwrap_or(u64::MAX));
        Ok(Self {
            view: View::new(database, options.storage.entropy.clone(), server.is_some()),
            hub,
            server,
            config: Config { auto: options.auto_sync, poll_ms, ..options.bounds },
            lent: options.lent.clone(),
            clock: options.storage.clock.clone(),
            opened: options.storage.clock.now(),
            entropy: options.storage.entropy.clone(),
            knock: Knock { to_loop: Arc::default(), work_pending: Arc::default() },
            engine: Mutex::new(Engine::Cold),
            is_suspended: AtomicBool::new(false),
            conditions: Arc::default(),
        })
    }

    /// Starts what runs by itself, if anything does.
    pub(crate) fn start(&self) -> Result<(), Error> {
        if self.config.auto && self.server.is_some() { self.loop_sender().map(drop) } else { Ok(()) }
    }

    pub(crate) fn view(&self) -> View {
        self.view.clone()
    }

    pub(crate) fn knock(&self) -> Knock {
        self.knock.clone()
    }

    /// Where blocking reads run.
    pub(crate) fn offload(&self) -> Result<Offload, Error> {
        self.warm(&mut self.engine()).map(Offload)
    }

    /// Asks for a sync, and gives what it comes to.
    pub(crate) fn sync(&self) -> Result<impl Future<Output = Result<SyncReport, Error>> + Send + use<>, Error> {
        let (reply, answer) = oneshot::channel();
        self.loop_sender()?.send(Message::Sync(reply)).map_err(|_| Error::Closed)?;
        Ok(async { answer.await.unwrap_or(Err(Error::Closed)) })
    }

    /// Begins a background run, and gives what it comes to.
    pub(crate) fn run_background(
        &self,
        budget: Budget,
        reason: RunReason,
    ) -> Result<impl Future<Output = Result<BackgroundReport, Error>> + Send + use<>, Error> {
        let (reply, answer) = oneshot::channel();
        self.loop_sender()?.send(Message::Run(reply, budget, reason)).map_err(|_| Error::Closed)?;
        Ok(async { answer.await.unwrap_or(Err(Error::Closed)) })
    }

    /// The system takes its time back. Never waits.
    pub(crate) fn expire(&self) {
        self.knock.send(Message::Expire);
    }

    /// What the device is like now.
    pub(crate) fn set_conditions(&self, conditions: Conditions) {
        *self.conditions.lock().unwrap_or_else(PoisonError::into_inner) = conditions;
        self.knock.tell(Event::Conditions(conditions));
    }

    /// Ends the loop and waits for it. What it had begun in the database is done or undone then.
    pub(crate) fn stop(&self) {
        let engine = std::mem::replace(&mut *self.engine(), Engine::Stopped);
        let runtime = match engine {
            Engine::Warm(runtime) => runtime,
            Engine::Lent(_) => return self.stop_lent(),
            Engine::Cold | Engine::Stopped => return,
        };
        // On one of the loop's own threads (a token provider that drops the last handle) waiting would be for ever.
        let is_own = Handle::try_current().is_ok_and(|current| current.id() == runtime.handle().id());
        if let Some(stopped) = self.end_loop(Error::Closed)
            && !is_own
        {
            let _ = stopped.recv_timeout(STOP_PATIENCE);
        }
        runtime.shutdown_background();
    }

    /// Ends the loop, if it runs, within a second: requests under way are given up, what had begun in the database is
    /// done or undone. No attempt is burnt, and nothing starts until [`Driver::resume`].
    pub(crate) fn suspend(&self) {
        self.is_suspended.store(true, Ordering::Release);
        let Some(stopped) = self.end_loop(Error::Suspended) else { return };
        let is_lent = matches!(*self.engine(), Engine::Lent(_));
        if !is_lent && stopped.recv_timeout(SUSPEND_PATIENCE).is_err() {
            // It waits for a transaction of the app: turn it away there.
            let _ = self.view.database.refuse();
            let _ = stopped.recv_timeout(SUSPEND_PATIENCE);
        }
        self.view.rest();
    }

    /// Lets syncing start again, and starts what runs by itself.
    pub(crate) fn resume(&self) -> Result<(), Error> {
        self.is_suspended.store(false, Ordering::Release);
        self.start()
    }

    /// Tells the loop to end, and those who wait for a sync why.
    fn end_loop(&self, why: Error) -> Option<mpsc::Receiver<()>> {
        let to_loop = self.knock.to_loop.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let (reply, stopped) = mpsc::sync_channel(1);
        to_loop.send(Message::Stop(reply, why)).is_ok().then_some(stopped)
    }

    /// Asks the loop to end; it does when its thread is driven on.
    fn stop_lent(&self) {
        drop(self.end_loop(Error::Closed));
    }

    fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runtime, started if need be.
    fn warm(&self, engine: &mut Engine) -> Result<Tasks, Error> {
        match engine {
            Engine::Warm(runtime) => return Ok(Tasks::threaded(runtime.handle().clone())),
            Engine::Lent(runtime) => return Ok(Tasks::lent(runtime.clone())),
            Engine::Stopped => return Err(Error::Closed),
            Engine::Cold => {}
        }
        if let Some(runtime) = &self.lent {
            *engine = Engine::Lent(runtime.clone());
            return Ok(Tasks::lent(runtime.clone()));
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .thread_name("turnstone")
            .enable_all()
            .build()
            .map_err(|_| Error::Internal { what: "the system gave no thread" })?;
        let handle = runtime.handle().clone();
        *engine = Engine::Warm(runtime);
        Ok(Tasks::threaded(handle))
    }

    /// The way to the loop, started if need be.
    fn loop_sender(&self) -> Result<UnboundedSender<Message>, Error> {
        let mut engine = self.engine();
        let server = self.server.as_ref().ok_or(Error::NoRemote)?;
        let runtime = self.warm(&mut engine)?;
        if self.is_suspended.load(Ordering::Acquire) {
            return Err(Error::Suspended);
        }
        let mut way = self.knock.to_loop.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(to_loop) = &*way {
            return Ok(to_loop.clone());
        }
        let (to_loop, inbox) = tokio::sync::mpsc::unbounded_channel();
        let seed = self.entropy.next()? as u64;
        let setup = Setup {
            view: self.view.clone(),
            hub: Arc::clone(&self.hub),
            wire: Arc::clone(&server.wire),
            tokens: Arc::clone(&server.tokens),
            clock: self.clock.clone(),
            opened: self.opened,
            entropy: self.entropy.clone(),
            runtime: runtime.clone(),
            work_pending: Arc::clone(&self.knock.work_pending),
            to_loop: to_loop.clone(),
            conditions: *self.conditions.lock().unwrap_or_else(PoisonError::into_inner),
        };
        runtime.spawn(Loop::new(setup, self.config, seed).run(inbox));
        self.knock.work_pending.store(false, Ordering::Release);
        *way = Some(to_loop.clone());
        Ok(to_loop)
    }
}

impl Server {
    fn new(remote: &Remote) -> Result<Self, Error> {
        let transport: Arc<dyn Transport> = match &remote.link {
            #[cfg(feature = "http")]
            Link::Http { url, timeouts, plain } => {
                Arc::new(crate::transport::HttpTransport::new(url, *timeouts, *plain)?)
            }
            Link::Custom(transport) => Arc::clone(transport),
        };
        Ok(Self { wire: Arc::new(Wire::new(transport)), tokens: Arc::clone(&remote.tokens) })
    }
}

impl Knock {
    /// Local writes committed. One message stands for all that come before it is read.
    pub(crate) fn work_pending(&self) {
        if let Some(to_loop) = &*self.to_loop.lock().unwrap_or_else(PoisonError::into_inner)
            && !self.work_pending.swap(true, Ordering::AcqRel)
        {
            let _ = to_loop.send(Message::Work);
        }
    }

    pub(crate) fn token_changed(&self) {
        self.tell(Event::TokenChanged);
    }

    pub(crate) fn network_changed(&self, up: bool) {
        self.tell(Event::Network { up });
    }

    pub(crate) fn poked(&self) {
        self.tell(Event::Poked);
    }

    fn tell(&self, event: Event) {
        self.send(Message::Event(event));
    }

    fn send(&self, message: Message) {
        if let Some(to_loop) = &*self.to_loop.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = to_loop.send(message);
        }
    }
}
