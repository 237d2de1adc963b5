//! The pull lane: one page downloading while another is applied.

use std::collections::VecDeque;

use turnstone_protocol::plant::{self, Bug};

use super::classify::{self, Meaning};
use super::command::Command;
use super::event::{ApplyOutcome, Failure, Flight, Lane, Now, Page};
use super::machine::Sync;
use super::{PAGES_AHEAD_MAX, PULL_PATIENCE_MS, PULL_PATIENCE_MS_MAX};
use crate::scheduler::{Part, Why};

/// The pull lane.
#[derive(Debug)]
pub(super) struct Pull {
    /// A pull from the database's cursor is due.
    pub(super) wanted: bool,
    wanted_since_ms: Option<u64>,
    /// How often one was asked for: what is asked for after a request left is not answered by it.
    pub(super) asks: u32,
    /// The download under way, and the token it went out with.
    flight: Option<(Flight, u32)>,
    /// Pages that arrived and are not applied yet, oldest first.
    staged: VecDeque<(Flight, Page)>,
    applying: bool,
    rows_max: usize,
    rows: usize,
    bad_links: u32,
    stale: u32,
    /// A pull worked since somebody asked.
    pub(super) worked: bool,
    /// A `Retry-After` is written down and must be crossed out.
    pub(super) held: bool,
}

impl Pull {
    pub(super) const fn new(rows_max: usize) -> Self {
        Self {
            wanted: false,
            wanted_since_ms: None,
            asks: 0,
            flight: None,
            staged: VecDeque::new(),
            applying: false,
            rows_max,
            rows: rows_max,
            bad_links: 0,
            stale: 0,
            worked: false,
            held: false,
        }
    }

    /// A pull is due.
    pub(super) const fn want(&mut self) {
        self.wanted = true;
        self.asks = self.asks.wrapping_add(1);
    }

    /// A pull that is due waits anew for a push that makes progress.
    pub(super) const fn postpone(&mut self) {
        self.wanted_since_ms = None;
    }

    /// A pull began that brings everything asked for until then.
    const fn begun(&mut self) {
        self.wanted = false;
        self.wanted_since_ms = None;
    }

    /// Whether an answer is outstanding.
    pub(super) fn has_outstanding(&self) -> bool {
        self.flight.is_some() || !self.staged.is_empty()
    }

    /// Takes a page that came with a push answer; the push was sent after so many asks.
    pub(super) fn stage_half(&mut self, flight: Flight, page: Page, asks: u32) {
        if self.asks == asks {
            self.begun();
        }
        self.stage(flight, page);
    }

    fn stage(&mut self, flight: Flight, page: Page) {
        self.staged.push_back((flight, page));
        self.worked = true;
    }

    /// The answer was too large: half the rows next time. Returns whether that is less than before.
    pub(super) fn ask_less(&mut self) -> bool {
        let was = self.rows;
        self.rows = (self.rows / 2).max(1);
        self.rows < was
    }
}

impl Sync {
    /// The lane's wait is over.
    pub(super) fn release_pull(&mut self, out: &mut Vec<Command>) {
        self.pull.want();
        if self.pull.held {
            self.pull.held = false;
            out.push(Command::Hold { lane: Lane::Pull, ms: 0 });
        }
    }

    /// Whether nothing of this lane is under way or waits, so that a pull may begin at the database's cursor.
    pub(super) fn pull_could_start(&self) -> bool {
        !self.pull.has_outstanding()
            && self.scheduler.waits(Part::Pull).is_none()
            && self.scheduler.disallowed(false).is_none()
            && self.scheduler.held_back(false).is_none()
    }

    /// Remembers since when a pull is due.
    pub(super) const fn date_pull(&mut self, now: Now) {
        if !self.pull.wanted {
            self.pull.wanted_since_ms = None;
        } else if self.pull.wanted_since_ms.is_none() {
            self.pull.wanted_since_ms = Some(now.mono_ms);
        }
    }

    /// Applies the oldest page. Needs no server.
    pub(super) fn advance_apply(&mut self, out: &mut Vec<Command>) {
        if !self.pull.applying
            && let Some((flight, _)) = self.pull.staged.front()
        {
            out.push(Command::Apply { flight: *flight });
            self.pull.applying = true;
        }
    }

    /// Downloads the next page, or begins at the database's cursor.
    pub(super) fn advance_pull(&mut self, now: Now, out: &mut Vec<Command>) {
        let is_asked = self.pull.flight.is_some() && !plant::on(Bug::AskedAgain);
        if is_asked
            || self.scheduler.waits(Part::Pull).is_some()
            || self.scheduler.held_back(false).is_some()
            || self.scheduler.disallowed(false).is_some()
        {
            return;
        }
        let after = match self.pull.staged.back() {
            Some((flight, page)) if page.more && self.pull.staged.len() < PAGES_AHEAD_MAX => Some(*flight),
            Some(_) => return,
            None if self.pull_is_due(now) => None,
            None => return,
        };
        if after.is_none() {
            self.pull.begun();
        }
        let flight = self.next_flight();
        self.pull.flight = Some((flight, self.gate.generation));
        out.push(Command::Fetch { flight, after, rows_max: self.pull.rows });
    }

    fn pull_is_due(&self, now: Now) -> bool {
        self.pull.wanted && self.pull_patience_ends_ms().is_none_or(|at_ms| at_ms <= now.mono_ms)
    }

    /// Until when a pull that is due waits for a push that makes progress: what it brings then includes the push, and
    /// the last push asks for it in the same request. None: it does not wait.
    pub(super) fn pull_patience_ends_ms(&self) -> Option<u64> {
        let since_ms = self.pull.wanted_since_ms?;
        if !self.push_makes_progress() {
            return None;
        }
        let progress_ms = self.push.progress_ms.max(since_ms);
        Some(progress_ms.saturating_add(PULL_PATIENCE_MS).min(since_ms.saturating_add(PULL_PATIENCE_MS_MAX)))
    }

    pub(super) fn on_fetched(
        &mut self,
        flight: Flight,
        result: Result<Page, Failure>,
        now: Now,
        out: &mut Vec<Command>,
    ) {
        let Some((_, generation)) = self.pull.flight.filter(|(current, _)| *current == flight) else {
            return out.push(Command::Discard { flight });
        };
        self.pull.flight = None;
        match result {
            Ok(page) => {
                self.answered(Part::Pull);
                self.pull.bad_links = 0;
                self.pull.rows = (self.pull.rows * 2).min(self.pull.rows_max);
                self.pull.stage(flight, page);
            }
            Err(failure) => {
                out.push(Command::Discard { flight });
                self.pull_failed(&failure, generation, now, out);
            }
        }
    }

    fn pull_failed(&mut self, failure: &Failure, generation: u32, now: Now, out: &mut Vec<Command>) {
        self.pull.want();
        let meaning = classify::meaning(failure);
        if let Meaning::Unauthorized { expired } = meaning {
            return self.on_unauthorized(generation, expired, now, out);
        }
        if meaning == Meaning::OtherAccount {
            return self.on_other_account(generation, now, out);
        }
        self.note(classify::trouble(failure), out);
        self.blame(Some(Lane::Pull), failure, now);
        match &meaning {
            Meaning::AskLess if self.pull.ask_less() => return,
            Meaning::BadLink => {
                self.pull.bad_links = self.pull.bad_links.saturating_add(1);
                if self.pull.bad_links >= 2 {
                    self.pull.ask_less();
                }
                self.wait_pull(Why::Backoff, now);
            }
            Meaning::Later { retry_after_ms: Some(ms) } => self.hold_pull(*ms, now, out),
            Meaning::Forbidden => self.wait_pull(Why::Forbidden, now),
            Meaning::Forked | Meaning::SeqGap { .. } => self.renew(now, out),
            Meaning::Reset(cause) => self.reset(*cause, now, out),
            Meaning::Upgrade => self.stop_for_upgrade(now, out),
            _ => self.wait_pull(Why::Backoff, now),
        }
        self.run_failed_by(&meaning);
    }

    pub(super) fn on_applied(&mut self, flight: Flight, outcome: ApplyOutcome, now: Now, out: &mut Vec<Command>) {
        let Some((front, page)) = self.pull.staged.front().copied() else { return };
        if front != flight || !self.pull.applying {
            return;
        }
        self.pull.applying = false;
        match outcome {
            ApplyOutcome::Done => {
                self.pull.staged.pop_front();
                self.pull.stale = 0;
                self.repairs = 0;
                if page.more && !self.pull.has_outstanding() {
                    self.pull.want();
                } else if !page.more {
                    self.pulled_to_end = true;
                    self.scheduler.bootstrap(false);
                }
            }
            ApplyOutcome::Stale => {
                self.pull.stale = self.pull.stale.saturating_add(1);
                let often = self.pull.stale >= 3;
                self.drop_pull(out);
                if often {
                    self.wait_pull(Why::Backoff, now);
                    self.run_failed();
                }
            }
            ApplyOutcome::Reset(cause) => self.reset(cause, now, out),
            ApplyOutcome::Forked => self.renew(now, out),
        }
    }

    pub(super) fn pull_storage_failed(&mut self, flight: Flight, now: Now, out: &mut Vec<Command>) {
        let is_current = self.pull.staged.front().is_some_and(|(front, _)| *front == flight) && self.pull.applying;
        if is_current {
            self.drop_pull(out);
            self.wait_pull(Why::Storage, now);
        }
    }

    pub(super) fn wait_pull(&mut self, why: Why, now: Now) {
        self.scheduler.fail(Part::Pull, why, now.mono_ms);
    }

    /// Obeys a `Retry-After`, also across a restart.
    pub(super) fn hold_pull(&mut self, ms: u64, now: Now, out: &mut Vec<Command>) {
        let ms = self.scheduler.hold(Part::Pull, ms, now.mono_ms);
        self.pull.held = true;
        out.push(Command::Hold { lane: Lane::Pull, ms });
    }

    /// Waits for what is left of one.
    pub(super) fn resume_pull(&mut self, ms: u64, now: Now, out: &mut Vec<Command>) {
        let ms = self.scheduler.resume_hold(Part::Pull, ms, now.mono_ms);
        self.pull.held = true;
        out.push(Command::Hold { lane: Lane::Pull, ms });
    }

    /// Gives up pages and the download under way: the next pull begins at the database's cursor.
    pub(super) fn drop_pull(&mut self, out: &mut Vec<Command>) {
        out.extend(self.pull.staged.drain(..).map(|(flight, _)| Command::Discard { flight }));
        out.extend(self.pull.flight.take().map(|(flight, _)| Command::Discard { flight }));
        self.pull.applying = false;
        self.pull.want();
    }
}
