//! The loop: one message at a time, turned into events for the machine.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use turnstone_engine::oplog::Moment;
use turnstone_engine::sync::{
    BatchId, Command, Config, Event, Failure, Flight, Lane, Now, Outcome, Phase, Sync, Wake, Why,
};
use turnstone_protocol::Epoch;
use turnstone_protocol::wire::{PullAnswer, PushAnswer};

use super::background::Run;
use super::hold;
use super::local::{Done, Greeted, Job, Place};
use super::wire::{Packed, Wire};
use crate::Error;
use crate::background::{Background, BackgroundReport, Budget, Conditions, Decision, RunReason, Stopped};
use crate::clock::{Clock, Entropy};
use crate::observe::{Hub, NextAttempt, View};
use crate::report::SyncReport;
use crate::sync::{Asked, Batch, Sent};
use crate::transport::{TokenError, TokenProvider};

/// The longest sleep in one go: timers of the system stand still while a phone sleeps, the machine's clock does not.
const SLEEP_MS_MAX: u64 = 30_000;

/// What reaches the loop.
pub(super) enum Message {
    /// An app waits for a sync.
    Sync(oneshot::Sender<Result<SyncReport, Error>>),
    /// The system gave time.
    Run(oneshot::Sender<Result<BackgroundReport, Error>>, Budget, RunReason),
    /// It took it back.
    Expire,
    /// Local writes committed.
    Work,
    /// An event that needs nothing else.
    Event(Event),
    /// The loop must end.
    Stop(mpsc::SyncSender<()>, Error),
    /// The database did what was asked.
    Local(Done),
    /// A token came, or did not.
    Token(Result<String, TokenError>),
    /// What the server says of itself.
    Hello(Flight, Result<Greeted, Failure>),
    /// The answer to a push.
    Pushed(Flight, Result<Box<PushAnswer>, Failure>),
    /// A page.
    Fetched(Flight, Result<Box<PullAnswer>, Failure>),
}

/// What the loop stands on.
pub(super) struct Setup {
    pub(super) view: View,
    pub(super) hub: Arc<Hub>,
    pub(super) wire: Arc<Wire>,
    pub(super) tokens: Arc<dyn TokenProvider>,
    pub(super) clock: Clock,
    /// When the store was opened.
    pub(super) opened: Moment,
    pub(super) entropy: Entropy,
    pub(super) runtime: super::Tasks,
    pub(super) work_pending: Arc<AtomicBool>,
    pub(super) to_loop: UnboundedSender<Message>,
    /// What the device was like when the loop started.
    pub(super) conditions: Conditions,
}

/// A call that waits for a sync, and what had been done before it.
pub(super) struct Waiter {
    pub(super) reply: oneshot::Sender<Result<SyncReport, Error>>,
    pub(super) before: SyncReport,
    pub(super) since_ms: u64,
}

/// A sealed batch; packed ahead where it is known how it will travel.
pub(super) struct Sealed {
    pub(super) batch: Arc<Batch>,
    pub(super) packed: Option<Packed>,
}

/// A page that arrived.
pub(super) struct Arrived {
    /// Taken when it is applied.
    pub(super) answer: Option<Box<PullAnswer>>,
    pub(super) asked: Asked,
    pub(super) cursor: String,
    pub(super) stable: u64,
}

/// The loop's state.
pub(super) struct Loop {
    pub(super) setup: Setup,
    pub(super) machine: Sync,
    pub(super) queue: VecDeque<Job>,
    pub(super) is_busy: bool,
    pub(super) stopping: Option<mpsc::SyncSender<()>>,
    pub(super) token: Arc<str>,
    pub(super) place: Option<Place>,
    /// Requests that wait until the place is known.
    pub(super) unplaced: Vec<Command>,
    pub(super) flights: BTreeMap<Flight, AbortHandle>,
    pub(super) batches: BTreeMap<BatchId, Sealed>,
    pub(super) pushes: BTreeMap<Flight, (Arc<[Sent]>, Option<Asked>)>,
    pub(super) answers: BTreeMap<Flight, (Box<PushAnswer>, Arc<[Sent]>)>,
    pub(super) asked: BTreeMap<Flight, Asked>,
    pub(super) pages: BTreeMap<Flight, Arrived>,
    pub(super) epoch: Option<Epoch>,
    pub(super) stable: u64,
    pub(super) stable_done: u64,
    pub(super) totals: SyncReport,
    pub(super) waiters: Vec<Waiter>,
    pub(super) runs: Vec<Run>,
    /// Background runs are to end at the next safe point.
    pub(super) ending: Option<Stopped>,
    /// What had been done when a run was last told of it.
    pub(super) told: SyncReport,
    /// How the sync ended; whoever waits is told once it shows.
    pub(super) finished: Option<Outcome>,
    /// Whether the machine was told that the next pull brings everything.
    pub(super) told_bootstrap: Option<bool>,
    /// The last failure of the database, for those who wait.
    pub(super) failed: Option<Error>,
    pub(super) synced_saved_ms: u64,
    /// When to write down again what is left of a `Retry-After`, and how long after the last time that is.
    note_hold: Option<(u64, u64)>,
    shown: Option<(Phase, Option<Wake>, Decision, Option<Background>)>,
}

impl Loop {
    pub(super) fn new(setup: Setup, config: Config, seed: u64) -> Self {
        // A loop that ended with a suspension is gone on with.
        let totals = setup.view.doing().totals;
        let told = traffic(&setup.wire, totals);
        Self {
            machine: Sync::new(config, seed),
            queue: VecDeque::from([Job::Begin(setup.opened)]),
            setup,
            is_busy: false,
            stopping: None,
            token: Arc::from(""),
            place: None,
            unplaced: Vec::new(),
            flights: BTreeMap::new(),
            batches: BTreeMap::new(),
            pushes: BTreeMap::new(),
            answers: BTreeMap::new(),
            asked: BTreeMap::new(),
            pages: BTreeMap::new(),
            epoch: None,
            stable: 0,
            stable_done: 0,
            totals,
            waiters: Vec::new(),
            runs: Vec::new(),
            ending: None,
            told,
            finished: None,
            told_bootstrap: None,
            failed: None,
            synced_saved_ms: 0,
            note_hold: None,
            shown: None,
        }
    }

    /// Runs until it is told to stop.
    pub(super) async fn run(mut self, mut inbox: UnboundedReceiver<Message>) {
        self.feed(Event::Conditions(self.setup.conditions));
        loop {
            let message = tokio::select! {
                biased;
                message = inbox.recv() => message,
                () = sleep(self.sleep_ms()) => Some(Message::Event(Event::Tick)),
            };
            let Some(message) = message else { break };
            self.take(message);
            self.tend_runs();
            if self.stopping.is_some() && !self.is_busy {
                break;
            }
        }
        self.end().await;
    }

    pub(super) fn now(&self) -> Now {
        let moment = self.setup.clock.now();
        Now { mono_ms: moment.boot_ms, wall_ms: moment.wall_ms }
    }

    fn sleep_ms(&self) -> Option<u64> {
        let wake = self.machine.wake().map(|wake| wake.at_ms);
        let note = self.note_hold.map(|(at_ms, _)| at_ms);
        let at_ms = [wake, note, self.run_ends_ms()].into_iter().flatten().min()?;
        Some(at_ms.saturating_sub(self.now().mono_ms).clamp(1, SLEEP_MS_MAX))
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Stop(reply, why) => self.stop(reply, &why),
            Message::Local(done) => self.take_done(done),
            _ if self.stopping.is_some() => {}
            Message::Sync(reply) => {
                let waiter = Waiter { reply, before: self.report(), since_ms: self.now().mono_ms };
                self.waiters.push(waiter);
                self.feed(Event::Requested);
            }
            Message::Run(reply, budget, reason) => self.begin_run(reply, budget, reason),
            Message::Expire => self.end_runs(Stopped::Expired),
            Message::Work => {
                self.setup.work_pending.store(false, Ordering::Release);
                self.feed(Event::WorkPending);
            }
            Message::Event(event) => {
                if let Event::Conditions(now) = event {
                    self.note_conditions(now);
                }
                self.feed(event);
            }
            Message::Token(result) => self.take_token(result),
            Message::Hello(flight, result) => self.take_hello(flight, result),
            Message::Pushed(flight, result) => self.take_pushed(flight, result),
            Message::Fetched(flight, result) => self.take_fetched(flight, result),
        }
    }

    /// Gives an event to the machine and does what it says.
    pub(super) fn feed(&mut self, event: Event) {
        let now = self.now();
        for command in self.machine.handle(event, now) {
            self.execute(command);
        }
        self.note_holds(now);
        self.pump();
        self.show(now);
        // Whoever hears that it is over and asks what comes next is told what comes next, not what went before.
        if let Some(outcome) = self.finished.take() {
            self.finish(&outcome);
        }
    }

    /// Writes down what is left of a `Retry-After`, from time to time: a process that is killed must not begin anew.
    fn note_holds(&mut self, now: Now) {
        let holds = self.holds(now);
        self.note_hold = match self.note_hold {
            _ if holds.is_empty() => None,
            None => Some((now.mono_ms + hold::NOTE_MS_FIRST, hold::NOTE_MS_FIRST)),
            Some((at_ms, after_ms)) if at_ms <= now.mono_ms => {
                self.queue.extend(holds);
                Some((now.mono_ms + after_ms * 2, after_ms * 2))
            }
            later => later,
        };
    }

    fn holds(&self, now: Now) -> Vec<Job> {
        let (push_ms, pull_ms) = self.machine.holds_ms(now);
        let lanes = [(Lane::Push, push_ms), (Lane::Pull, pull_ms)];
        lanes.into_iter().filter(|(_, ms)| *ms > 0).map(|(lane, ms)| Job::Hold(lane, ms)).collect()
    }

    /// What was done since the loop began, as far as a report tells.
    pub(super) fn report(&self) -> SyncReport {
        traffic(&self.setup.wire, self.totals)
    }

    /// Shows what the loop does now, if that changed.
    fn show(&mut self, now: Now) {
        let phase = self.machine.phase();
        let is_waiting = !matches!(phase, Phase::Hello | Phase::Pushing | Phase::Pulling);
        let wake = self.machine.wake().filter(|wake| is_waiting && wake.why != Why::PullPatience);
        let (next, wish) = self.next(now);
        if self.shown == Some((phase, wake, next, wish)) {
            return;
        }
        self.shown = Some((phase, wake, next, wish));
        let next_attempt = wake.map(|wake| NextAttempt {
            at_ms: now.wall_ms.saturating_add(wake.at_ms.saturating_sub(now.mono_ms)),
            why: wake.why,
        });
        let totals = self.report();
        self.setup.view.update(|doing| {
            doing.totals = totals;
            doing.phase = phase;
            doing.next_attempt = next_attempt;
            (doing.next, doing.wish) = (next, wish);
        });
        self.setup.hub.sync_changed();
    }

    fn stop(&mut self, reply: mpsc::SyncSender<()>, why: &Error) {
        self.stopping = Some(reply);
        // What only remembers is kept: a process that syncs once and ends must not forget why it failed.
        self.queue.retain(Job::is_note);
        for flight in std::mem::take(&mut self.flights).into_values() {
            flight.abort();
        }
        for waiter in self.waiters.drain(..) {
            let _ = waiter.reply.send(Err(why.clone()));
        }
        for run in self.runs.drain(..) {
            let _ = run.reply.send(Err(why.clone()));
        }
    }

    /// Writes down what must outlive the loop, and says that it is over.
    async fn end(mut self) {
        let mut jobs: Vec<Job> = self.queue.drain(..).collect();
        jobs.extend(self.holds(self.now()));
        jobs.extend(self.unsaved_synced().map(Job::Synced));
        if !jobs.is_empty() {
            let database = self.setup.view.database.clone();
            let work = move || drop(super::local::run_all(&database, &jobs));
            let _ = self.setup.runtime.spawn_blocking(work).await;
        }
        let stopping = self.stopping.take();
        // Whoever waits may open the file again at once: let go of it first.
        drop(self);
        if let Some(reply) = stopping {
            let _ = reply.send(());
        }
    }
}

/// What was done, with what travelled for it.
fn traffic(wire: &Wire, totals: SyncReport) -> SyncReport {
    let (requests, bytes_up, bytes_down) = wire.traffic();
    SyncReport { requests, bytes_up, bytes_down, ..totals }
}

#[expect(clippy::disallowed_methods, reason = "timers of the client are armed here and nowhere else")]
async fn sleep(ms: Option<u64>) {
    match ms {
        Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
        None => std::future::pending().await,
    }
}
