//! Background runs in the loop: they share the one sync there is, and end when their time does.

use tokio::sync::oneshot;
use turnstone_engine::sync::{Event, Now, Outcome};
use turnstone_protocol::plant::{self, Bug};

use super::run::Loop;
use crate::Error;
use crate::background::{
    Background, BackgroundReport, Budget, Conditions, Decision, RunOutcome, RunReason, Stopped, Wake, concluded,
};
use crate::report::SyncReport;

/// Wishes are told to hosts in steps of this, in milliseconds: the system is no more exact, and hosts are woken less.
const WISH_STEP_MS: u64 = 10_000;

/// No run is asked for sooner after one that failed, in milliseconds: waking a device costs more than it brings.
const RETRY_MS_MIN: u64 = 30_000;

/// A background run that is waited for.
pub(super) struct Run {
    pub(super) reply: oneshot::Sender<Result<BackgroundReport, Error>>,
    pub(super) budget: Budget,
    pub(super) reason: RunReason,
    /// What had been done when it began: its budget is spent from there.
    pub(super) before: SyncReport,
    /// What it reports begins there.
    pub(super) told: SyncReport,
    pub(super) since_ms: u64,
}

impl Run {
    /// When its time is over.
    fn until_ms(&self) -> u64 {
        self.since_ms.saturating_add(u64::try_from(self.budget.time.as_millis()).unwrap_or(u64::MAX))
    }
}

impl Loop {
    /// Begins a run: whatever is under way for somebody else goes on and serves it too. While nobody looks on, it also
    /// reports what was done since the store woke or since the run before: a store that is woken for a run may have
    /// fetched the news before the run began.
    pub(super) fn begin_run(
        &mut self,
        reply: oneshot::Sender<Result<BackgroundReport, Error>>,
        budget: Budget,
        reason: RunReason,
    ) {
        let (before, since_ms) = (self.report(), self.now().mono_ms);
        let told = if self.setup.conditions.foreground { before } else { self.told };
        self.runs.push(Run { reply, budget, reason, before, told, since_ms });
        self.ending = None;
        self.feed(Event::Granted);
    }

    /// What was done while a person looked on is nothing that a run did.
    pub(super) fn note_conditions(&mut self, now: Conditions) {
        if self.setup.conditions.foreground && !now.foreground {
            self.told = self.report();
        }
        self.setup.conditions = now;
    }

    /// Ends every run: at once where somebody else waits for the sync too, else at the next safe point.
    pub(super) fn end_runs(&mut self, stopped: Stopped) {
        if self.runs.is_empty() || self.ending.is_some() {
            return;
        }
        self.ending = Some(stopped);
        if self.waiters.is_empty() {
            self.feed(Event::Expired);
        }
    }

    /// Ends runs whose time is over or whose bytes are spent, and answers those that have ended.
    pub(super) fn tend_runs(&mut self) {
        let (now_ms, report) = (self.now().mono_ms, self.report());
        let is_spent = |run: &Run| {
            let bytes = (report.bytes_up + report.bytes_down) - (run.before.bytes_up + run.before.bytes_down);
            run.budget.bytes_max.is_some_and(|max| bytes >= max)
        };
        if self.runs.iter().any(|run| run.until_ms() <= now_ms) {
            self.end_runs(Stopped::TimeUp);
        } else if self.runs.iter().any(is_spent) {
            self.end_runs(Stopped::BytesSpent);
        }
        if let Some(stopped) = self.ending
            && (!self.is_busy || !self.waiters.is_empty())
        {
            self.ending = None;
            let told = if plant::on(Bug::DoneTooSoon) { RunOutcome::Done } else { RunOutcome::MoreWork };
            self.answer_runs(told, stopped, None);
        }
    }

    /// The sync they waited for ended by itself.
    pub(super) fn conclude_runs(&mut self, outcome: &Outcome) {
        if !self.runs.is_empty() {
            let now = self.now();
            let (push_ms, pull_ms) = self.machine.holds_ms(now);
            let wish = self.machine.wish(now).map(|wish| wish.earliest_ms);
            let at_ms = wish.or(self.machine.wake().map(|wake| wake.at_ms)).unwrap_or(now.mono_ms);
            let retry_ms = at_ms.saturating_sub(now.mono_ms).max(push_ms).max(pull_ms).max(RETRY_MS_MIN);
            let (told, stopped, code) = concluded(outcome, retry_ms);
            self.ending = None;
            self.answer_runs(told, stopped, code);
        }
    }

    fn answer_runs(&mut self, outcome: RunOutcome, stopped: Stopped, code: Option<turnstone_protocol::Code>) {
        let (report, now_ms) = (self.report(), self.now().mono_ms);
        for run in self.runs.drain(..) {
            let sync = SyncReport { ms: now_ms.saturating_sub(run.since_ms), ..report.since(&run.told) };
            let done = BackgroundReport { outcome, stopped, code: code.clone(), reason: run.reason, sync };
            let _ = run.reply.send(Ok(done));
        }
        self.told = report;
    }

    /// When the next run's time is over.
    pub(super) fn run_ends_ms(&self) -> Option<u64> {
        self.runs.iter().map(Run::until_ms).min()
    }

    /// What happens next and what the system is to hold, in times people and hosts know.
    pub(super) fn next(&self, now: Now) -> (Decision, Option<Background>) {
        let wall = |at_ms: u64| now.wall_ms.saturating_add(at_ms.saturating_sub(now.mono_ms));
        let decision = match self.machine.decision(now) {
            Decision::At(wake) => Decision::At(Wake { at_ms: wall(wake.at_ms), ..wake }),
            Decision::Background(wish) => Decision::Background(in_steps(wish, now, &wall)),
            other => other,
        };
        (decision, self.machine.wish(now).map(|wish| in_steps(wish, now, &wall)))
    }
}

fn in_steps(wish: Background, now: Now, wall: &impl Fn(u64) -> u64) -> Background {
    let earliest_ms = if wish.earliest_ms <= now.mono_ms {
        0
    } else {
        wall(wish.earliest_ms).div_ceil(WISH_STEP_MS).saturating_mul(WISH_STEP_MS)
    };
    Background { earliest_ms, ..wish }
}
