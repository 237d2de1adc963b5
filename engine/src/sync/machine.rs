//! The machine itself: takes an event, lets every part react, then moves every part on.

use super::RUN_FAILURES_MAX;
use super::classify::Meaning;
use super::command::{Command, Outcome, Trouble};
use super::event::{BatchId, Event, Failure, Flight, Lane, LocalWork, Now};
use super::gate::Gate;
use super::pull::Pull;
use super::push::Push;
use super::repair::Mending;
use super::standing::Standing;
use crate::scheduler::{self, Background, Cause, Change, Decision, Part, Scheduler, Why, Work};
use turnstone_protocol::limits;
use turnstone_protocol::plant::{self, Bug};

/// How the machine behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Syncs by itself after writes, on network and by time; else only when asked.
    pub auto: bool,
    /// How long a sync waits for further writes, in milliseconds; only with `auto`.
    pub debounce_ms: u64,
    /// Looks for news this often while quiet, in milliseconds; only with `auto`.
    pub poll_ms: Option<u64>,
    /// The most entries of a push.
    pub entries_max: usize,
    /// The most bytes of bodies in a push, except that one group always fits.
    pub bytes_max: usize,
    /// The most rows of a page.
    pub rows_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            auto: false,
            debounce_ms: scheduler::DEBOUNCE_MS,
            poll_ms: Some(scheduler::POLL_MS),
            entries_max: limits::PUSH_GROUPS_MAX,
            bytes_max: 4 << 20,
            rows_max: limits::PAGE_ROWS_MAX,
        }
    }
}

/// A sync that somebody asked for and waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    failures: u32,
}

/// The sync state machine of one database.
#[derive(Debug)]
pub struct Sync {
    pub(super) scheduler: Scheduler,
    pub(super) gate: Gate,
    pub(super) push: Push,
    pub(super) pull: Pull,
    pub(super) mending: Option<Mending>,
    /// Repairs since something last worked.
    pub(super) repairs: u32,
    /// A pull reached the end since `Synced` was last said.
    pub(super) pulled_to_end: bool,
    run: Option<Run>,
    trouble: Option<Trouble>,
    ids: u32,
}

impl Sync {
    /// Makes a machine. `seed` is all its randomness.
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        let Config { auto, debounce_ms, poll_ms, .. } = config;
        Self {
            scheduler: Scheduler::new(scheduler::Config { auto, debounce_ms, poll_ms }, seed),
            gate: Gate::new(),
            push: Push::new(config.entries_max, config.bytes_max),
            pull: Pull::new(config.rows_max),
            mending: None,
            repairs: 0,
            pulled_to_end: false,
            run: None,
            trouble: None,
            ids: 0,
        }
    }

    /// Takes an event and says what to do. Time must not go back.
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Command> {
        let mut out = Vec::new();
        self.react(event, now, &mut out);
        self.advance(now, &mut out);
        out
    }

    /// What is left of each lane's `Retry-After`, in milliseconds: push, pull. To be kept over a restart.
    #[must_use]
    pub fn holds_ms(&self, now: Now) -> (u64, u64) {
        let left = |part| match self.scheduler.waits(part) {
            Some(wait) if wait.why == Why::RetryAfter => wait.at_ms.saturating_sub(now.mono_ms),
            _ => 0,
        };
        (left(Part::Push), left(Part::Pull))
    }

    /// What happens next, and why.
    #[must_use]
    pub fn decision(&self, now: Now) -> Decision {
        self.scheduler.decide(self.work(), now.mono_ms)
    }

    /// What the operating system is to hold for us, in case the process ends.
    #[must_use]
    pub fn wish(&self, now: Now) -> Option<Background> {
        self.scheduler.wish(self.work(), now.mono_ms)
    }

    /// What there is to do.
    #[must_use]
    pub fn work(&self) -> Work {
        let busy =
            self.gate.is_busy() || self.mending.is_some() || self.push.has_outstanding() || self.pull.has_outstanding();
        Work { push: self.push.wants(), pull: self.pull.wanted, busy }
    }

    fn react(&mut self, event: Event, now: Now, out: &mut Vec<Command>) {
        match event {
            Event::Started { push_hold_ms, pull_hold_ms } => self.on_started(push_hold_ms, pull_hold_ms, now, out),
            Event::Bootstrap(is_bootstrap) => self.scheduler.bootstrap(is_bootstrap),
            Event::WorkPending => self.on_work(now),
            Event::Requested => {
                self.on_requested(Cause::Requested);
                if plant::on(Bug::SyncWaitsItsTurn) {
                    self.scheduler.wait(Part::Pull, 10_000, Why::RetryAfter, now.mono_ms);
                }
            }
            Event::Granted => {
                self.on_requested(Cause::Granted);
                self.push.is_first = true;
                self.pull.postpone();
            }
            Event::Expired => self.on_expired(out),
            Event::Poked => {
                self.scheduler.poked();
                self.pull.want();
            }
            Event::Network { up } => {
                let change = self.scheduler.network(up, now.mono_ms);
                self.on_change(change);
            }
            Event::Conditions(conditions) => {
                let change = self.scheduler.conditions(conditions, now.mono_ms);
                self.on_change(change);
            }
            Event::TokenChanged => self.on_token_changed(),
            Event::Tick => {}
            Event::Token { result } => self.on_token(result, now, out),
            Event::Hello { flight, result } => self.on_hello(flight, result, now, out),
            Event::Sealed { batch } => self.on_sealed(batch, out),
            Event::Pushed { flight, result } => self.on_pushed(flight, result, now, out),
            Event::Settled { decided, waiting, reset } => self.on_settled(decided, waiting, reset, now, out),
            Event::Mended { done } => self.on_mended(done, now, out),
            Event::Fetched { flight, result } => self.on_fetched(flight, result, now, out),
            Event::Applied { flight, outcome } => self.on_applied(flight, outcome, now, out),
            Event::StorageFailed { work } => self.on_storage_failed(work, now, out),
        }
    }

    fn advance(&mut self, now: Now, out: &mut Vec<Command>) {
        self.take_due(now, out);
        self.date_pull(now);
        self.advance_apply(out);
        if self.mending.is_none() && self.scheduler.is_active() && self.wants() && self.advance_gate(out) {
            self.advance_push(now, out);
            self.date_pull(now);
            self.advance_pull(now, out);
        }
        self.conclude(now, out);
    }

    fn take_due(&mut self, now: Now, out: &mut Vec<Command>) {
        let due = self.scheduler.advance(now.mono_ms);
        if due.push {
            self.release_push(out);
        }
        if due.pull {
            self.release_pull(out);
        }
        if due.again {
            self.restart_round();
        }
        if due.poll {
            self.pull.want();
        }
        self.push.look |= due.debounce;
        if self.push.look {
            self.scheduler.flushed();
        }
    }

    /// Whether a lane would start something, and may.
    fn wants(&self) -> bool {
        let may = |is_push| self.scheduler.held_back(is_push).is_none() && self.scheduler.disallowed(is_push).is_none();
        let pull_wants = self.pull.wanted || self.pull.has_outstanding();
        (self.push_wants() && may(true)) || (pull_wants && self.scheduler.waits(Part::Pull).is_none() && may(false))
    }

    /// Says what is over: everything synced, or a requested sync ended.
    fn conclude(&mut self, now: Now, out: &mut Vec<Command>) {
        let (push, pull) = (self.push_standing(), self.pull_standing());
        let is_quiet = (push, pull) == (Standing::Quiet, Standing::Quiet) && !self.gate.is_busy();
        if is_quiet {
            if std::mem::take(&mut self.pulled_to_end) && self.push.waiting_last == 0 {
                self.trouble = None;
                out.push(Command::Synced);
            }
            self.scheduler.quiet(now.mono_ms);
        }
        let Some(run) = self.run else { return };
        let goes_on = |standing| match standing {
            Standing::Active => true,
            Standing::Quiet => false,
            Standing::Waiting(why) => matches!(why, Why::Backoff | Why::Storage) && run.failures < RUN_FAILURES_MAX,
        };
        if goes_on(push) || goes_on(pull) || self.gate.is_busy() {
            return;
        }
        self.run = None;
        self.scheduler.answered();
        let outcome = if is_quiet {
            Outcome::Quiet { waiting: self.push.waiting_last }
        } else {
            Outcome::Failed(self.trouble.clone().unwrap_or_else(held))
        };
        out.push(Command::Finish { outcome });
    }

    fn on_started(&mut self, push_hold_ms: u64, pull_hold_ms: u64, now: Now, out: &mut Vec<Command>) {
        if push_hold_ms > 0 {
            self.resume_push(push_hold_ms, now, out);
        }
        if pull_hold_ms > 0 {
            self.resume_pull(pull_hold_ms, now, out);
        }
        if self.scheduler.is_active() {
            self.push.look = true;
            self.pull.want();
        }
    }

    fn on_work(&mut self, now: Now) {
        if plant::on(Bug::WakeLost) && self.push.has_outstanding() {
            return;
        }
        if self.scheduler.is_active() && self.run.is_none() && !self.push_makes_progress() {
            self.scheduler.written(now.mono_ms);
        } else {
            self.push.look = true;
        }
    }

    fn on_requested(&mut self, cause: Cause) {
        self.run = Some(Run { failures: 0 });
        self.scheduler.asked(cause);
        self.try_everything();
    }

    /// The time that was given is over: ends what was begun for it, as if it had not been. What a person who looks on
    /// would want anyway goes on.
    fn on_expired(&mut self, out: &mut Vec<Command>) {
        self.run = None;
        self.push.is_first = false;
        self.scheduler.expired();
        if !self.scheduler.goes_on_alone() {
            self.gate.drop_hello(out);
            self.drop_push(out);
            self.drop_pull(out);
        }
    }

    fn on_change(&mut self, change: Change) {
        if change.at_once {
            self.try_everything();
        }
        self.push.look |= change.leaving;
    }

    fn try_everything(&mut self) {
        self.push.look = true;
        self.pull.want();
    }

    /// A server that works answered.
    pub(super) fn answered(&mut self, part: Part) {
        self.gate.worked();
        self.scheduler.worked(part);
    }

    /// A request of a lane, or of the gate, failed: tells the breaker whether the server is to blame.
    pub(super) fn blame(&mut self, lane: Option<Lane>, failure: &Failure, now: Now) {
        let failed = match failure {
            Failure::Timeout => true,
            // A server that says when to come back is obeyed, and not second-guessed.
            Failure::Status { status: 500..=599, retry_after_ms: None, .. } => true,
            Failure::Status { status: ..500, code: Some(_), .. } => {
                self.scheduler.spoke();
                false
            }
            _ => false,
        };
        if failed && self.scheduler.server_failed(lane == Some(Lane::Push), now.mono_ms) {
            self.pull.want();
        }
    }

    fn on_storage_failed(&mut self, work: LocalWork, now: Now, out: &mut Vec<Command>) {
        self.note(Trouble { code: "storage".to_owned(), class: turnstone_protocol::Class::Retry }, out);
        self.run_failed();
        match work {
            LocalWork::Seal(batch) => self.push_storage_failed(Some(batch), now),
            LocalWork::Settle(_) => self.push_storage_failed(None, now),
            LocalWork::Apply(flight) => self.pull_storage_failed(flight, now, out),
            LocalWork::Mend => self.on_mended(false, now, out),
        }
    }

    /// Remembers what went wrong, for the status and for who waits.
    pub(super) fn note(&mut self, trouble: Trouble, out: &mut Vec<Command>) {
        let command = Command::Trouble(trouble.clone());
        if !out.contains(&command) {
            out.push(command);
        }
        self.trouble = Some(trouble);
    }

    /// A requested sync does not wait for an outage to end.
    pub(super) const fn run_failed(&mut self) {
        if let Some(run) = &mut self.run {
            run.failures = run.failures.saturating_add(1);
        }
    }

    pub(super) fn run_failed_by(&mut self, meaning: &Meaning) {
        match meaning {
            Meaning::Offline | Meaning::NotServed => {
                if let Some(run) = &mut self.run {
                    run.failures = RUN_FAILURES_MAX;
                }
            }
            _ => self.run_failed(),
        }
    }

    pub(super) const fn next_flight(&mut self) -> Flight {
        self.ids = self.ids.wrapping_add(1);
        Flight(self.ids)
    }

    pub(super) const fn next_batch(&mut self) -> BatchId {
        self.ids = self.ids.wrapping_add(1);
        BatchId(self.ids)
    }
}

/// What a sync is told that met only an older `Retry-After`.
fn held() -> Trouble {
    Trouble { code: "retry_after".to_owned(), class: turnstone_protocol::Class::Retry }
}
