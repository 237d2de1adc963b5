//! The machine itself: takes an event, lets every part react, then moves every part on.

use fastrand::Rng;

use super::RUN_FAILURES_MAX;
use super::classify::Meaning;
use super::command::{Command, Outcome, Trouble};
use super::event::{BatchId, Event, Flight, LocalWork, Now};
use super::gate::Gate;
use super::pull::Pull;
use super::push::{Push, PushState};
use super::repair::Mending;
use super::standing::{Standing, Wake, Why};
use crate::backoff::DELAY_MS_MAX;
use turnstone_protocol::limits;

/// The most that can be left of a `Retry-After`, in milliseconds.
const RETRY_LEFT_MS_MAX: u64 = super::RETRY_AFTER_MS_MAX + super::SPREAD_MS_MAX;

/// How the machine behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Syncs by itself after writes, on network and by time; else only when asked.
    pub auto: bool,
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
            poll_ms: Some(900_000),
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
    pub(super) config: Config,
    pub(super) rng: Rng,
    pub(super) gate: Gate,
    pub(super) push: Push,
    pub(super) pull: Pull,
    pub(super) mending: Option<Mending>,
    /// Repairs since something last worked.
    pub(super) repairs: u32,
    /// The network is said to be gone; believed until then.
    pub(super) offline: Option<Wake>,
    pub(super) poll_at_ms: Option<u64>,
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
        Self {
            config,
            rng: Rng::with_seed(seed),
            gate: Gate::new(),
            push: Push::new(config.entries_max, config.bytes_max),
            pull: Pull::new(config.rows_max),
            mending: None,
            repairs: 0,
            offline: None,
            poll_at_ms: None,
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
        let left = |wait: Option<Wake>| match wait {
            Some(Wake { at_ms, why: Why::RetryAfter }) => at_ms.saturating_sub(now.mono_ms),
            _ => 0,
        };
        let push = match self.push.state {
            PushState::Waiting(wait) => Some(wait),
            _ => None,
        };
        (left(push), left(self.pull.wait))
    }

    fn react(&mut self, event: Event, now: Now, out: &mut Vec<Command>) {
        match event {
            Event::Started { push_hold_ms, pull_hold_ms } => self.on_started(push_hold_ms, pull_hold_ms, now, out),
            Event::WorkPending => self.on_work(now),
            Event::Requested => self.on_requested(),
            Event::Poked => self.pull.want(),
            Event::Network { up } => self.on_network(up, now),
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
        for wait in [&mut self.gate.wait, &mut self.offline] {
            if wait.is_some_and(|wait| wait.at_ms <= now.mono_ms) {
                *wait = None;
            }
        }
        if self.config.auto && self.poll_at_ms.is_some_and(|at_ms| at_ms <= now.mono_ms) {
            self.poll_at_ms = None;
            self.pull.want();
        }
        self.wake_push(now, out);
        self.wake_pull(now, out);
        self.advance_apply(out);
        if self.mending.is_none()
            && self.is_active()
            && self.offline.is_none()
            && self.wants()
            && self.advance_gate(out)
        {
            self.advance_push(now, out);
            self.wake_pull(now, out);
            self.advance_pull(now, out);
        }
        self.conclude(now, out);
    }

    /// Whether the machine may start anything by itself.
    pub(super) const fn is_active(&self) -> bool {
        self.config.auto || self.run.is_some()
    }

    fn wants(&self) -> bool {
        self.push.wants() || (self.pull.wait.is_none() && (self.pull.wanted || self.pull.has_outstanding()))
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
            if self.config.auto && self.poll_at_ms.is_none() {
                self.poll_at_ms = self.config.poll_ms.map(|ms| now.mono_ms.saturating_add(ms));
            }
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
        let outcome = if is_quiet {
            Outcome::Quiet { waiting: self.push.waiting_last }
        } else {
            Outcome::Failed(self.trouble.clone().unwrap_or_else(held))
        };
        out.push(Command::Finish { outcome });
    }

    fn on_started(&mut self, push_hold_ms: u64, pull_hold_ms: u64, now: Now, out: &mut Vec<Command>) {
        if push_hold_ms > 0 {
            self.resume_push(push_hold_ms.min(RETRY_LEFT_MS_MAX), now, out);
        }
        if pull_hold_ms > 0 {
            self.resume_pull(pull_hold_ms.min(RETRY_LEFT_MS_MAX), now, out);
        }
        if self.config.auto {
            self.push.look = true;
            self.pull.want();
        }
    }

    fn on_work(&mut self, now: Now) {
        if self.config.auto && self.run.is_none() && !self.push.makes_progress() {
            self.push.put_off(now);
        } else {
            self.push.look = true;
        }
    }

    fn on_requested(&mut self) {
        self.run = Some(Run { failures: 0 });
        self.offline = None;
        self.cut_waits();
        self.push.look = true;
        self.pull.want();
    }

    fn on_network(&mut self, up: bool, now: Now) {
        if up {
            self.offline = None;
            self.cut_waits();
            self.push.look = true;
            self.pull.want();
        } else if self.offline.is_none() {
            // A hint that can stick would stop syncing for ever: believe it for a minute.
            self.offline = Some(Wake { at_ms: now.mono_ms.saturating_add(DELAY_MS_MAX), why: Why::Offline });
        }
    }

    /// Ends every wait that was this device's own idea; what the server asked for is kept.
    fn cut_waits(&mut self) {
        self.gate.wait = None;
        self.gate.backoff.succeeded();
        self.push.backoff.succeeded();
        self.pull.backoff.succeeded();
        self.push.again = None;
        if let PushState::Waiting(wait) = self.push.state
            && wait.why != Why::RetryAfter
        {
            self.push.state = PushState::Rest;
        }
        if self.pull.wait.is_some_and(|wait| wait.why != Why::RetryAfter) {
            self.pull.wait = None;
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
