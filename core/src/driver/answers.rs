//! What comes back from the server and the database, turned into events for the machine.

use std::sync::Arc;

use turnstone_engine::sync::{
    ApplyOutcome, Batch as BatchFacts, BatchId, Event, Failure, Flight, LocalWork, Page, ResetCause, TokenResult,
};
use turnstone_protocol::wire::{PullAnswer, PushAnswer};

use super::local::{Done, Greeted, Job, Outcome};
use super::run::{Arrived, Loop, Sealed};
use super::wire::Packed;
use crate::Error;
use crate::sync::{Asked, Batch, Forgotten, PageOutcome, PageReport, VerdictReport};
use crate::transport::TokenError;

impl Loop {
    pub(super) fn take_token(&mut self, result: Result<String, TokenError>) {
        let result = match result {
            // A token with a line break would forge headers.
            Ok(token) if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                self.token = Arc::from(token);
                TokenResult::Ready
            }
            Ok(_) | Err(TokenError::SignIn) => TokenResult::SignIn,
            Err(TokenError::Later) => TokenResult::Later,
        };
        self.feed(Event::Token { result });
    }

    pub(super) fn take_hello(&mut self, flight: Flight, result: Result<Greeted, Failure>) {
        self.flights.remove(&flight);
        match result {
            Ok(greeted) => {
                self.epoch = Some(greeted.answer.epoch);
                self.queue.push_back(Job::Greet(flight, greeted));
                self.pump();
            }
            Err(failure) => self.feed(Event::Hello { flight, result: Err(failure) }),
        }
    }

    pub(super) fn take_pushed(&mut self, flight: Flight, result: Result<Box<PushAnswer>, Failure>) {
        self.flights.remove(&flight);
        let Some((sent, asked)) = self.pushes.remove(&flight) else { return };
        let result = result.map(|mut answer| {
            self.epoch = Some(answer.epoch);
            let page = answer.pull.take().zip(asked).map(|(page, asked)| self.keep_page(flight, Box::new(page), asked));
            self.answers.insert(flight, (answer, sent));
            page
        });
        self.feed(Event::Pushed { flight, result });
    }

    pub(super) fn take_fetched(&mut self, flight: Flight, result: Result<Box<PullAnswer>, Failure>) {
        self.flights.remove(&flight);
        let Some(asked) = self.asked.remove(&flight) else { return };
        let result = result.map(|answer| {
            self.epoch = Some(answer.epoch);
            self.keep_page(flight, answer, asked)
        });
        self.feed(Event::Fetched { flight, result });
    }

    fn keep_page(&mut self, flight: Flight, answer: Box<PullAnswer>, asked: Asked) -> Page {
        let page = Page { more: answer.more };
        let (cursor, stable) = (answer.cursor.clone(), answer.stable);
        self.pages.insert(flight, Arrived { cursor, stable, answer: Some(answer), asked });
        page
    }

    pub(super) fn take_done(&mut self, done: Done) {
        self.is_busy = false;
        if let Some(place) = done.ran.place {
            let is_bootstrap = place.position.cursor.is_none() || place.position.full;
            self.place = Some(place);
            if self.stopping.is_none() && self.told_bootstrap.replace(is_bootstrap) != Some(is_bootstrap) {
                self.feed(Event::Bootstrap(is_bootstrap));
            }
        }
        for (job, result) in done.jobs.iter().zip(done.ran.outcomes) {
            if self.stopping.is_none() {
                self.take_outcome(job, result);
            }
        }
        if self.stopping.is_none() {
            self.pump();
        }
    }

    fn take_outcome(&mut self, job: &Job, result: Result<Outcome, Error>) {
        match result {
            Ok(outcome) => self.take_success(outcome),
            Err(error) => {
                self.failed = Some(error);
                match job {
                    Job::Begin(_) => self.feed(Event::Started { push_hold_ms: 0, pull_hold_ms: 0 }),
                    Job::Locate => self.place_failed(),
                    Job::Greet(flight, _) => self.feed(Event::Hello { flight: *flight, result: Err(Failure::Broken) }),
                    Job::Seal { batch, .. } => self.feed(Event::StorageFailed { work: LocalWork::Seal(*batch) }),
                    Job::Settle(flight, ..) => self.feed(Event::StorageFailed { work: LocalWork::Settle(*flight) }),
                    Job::Apply(flight, ..) => self.feed(Event::StorageFailed { work: LocalWork::Apply(*flight) }),
                    Job::SetAside(..) | Job::Rewind(_) | Job::Renew(_) | Job::Reset(..) => {
                        self.feed(Event::StorageFailed { work: LocalWork::Mend });
                    }
                    Job::ForgetStable(_) | Job::Hold(..) | Job::Trouble(_) | Job::Synced(_) => {}
                }
            }
        }
    }

    fn take_success(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Begun { push_hold_ms, pull_hold_ms, last_error, last_synced_at_ms } => {
                self.setup.view.update(|doing| {
                    doing.is_running = true;
                    doing.last_error = last_error;
                    doing.last_synced_at_ms = last_synced_at_ms;
                });
                self.feed(Event::Started { push_hold_ms, pull_hold_ms });
            }
            Outcome::Located => {
                for command in std::mem::take(&mut self.unplaced) {
                    self.execute(command);
                }
            }
            Outcome::Greeted(flight, greeting) => self.feed(Event::Hello { flight, result: Ok(greeting) }),
            Outcome::Sealed(id, batch, packed) => self.take_sealed(id, *batch, packed),
            Outcome::Settled(report) => self.take_settled(&report),
            Outcome::Mended(done) => self.feed(Event::Mended { done }),
            Outcome::Applied(flight, report) => self.take_applied(flight, report),
            Outcome::Forgot(stable, Forgotten::More) => self.queue.push_back(Job::ForgetStable(stable)),
            Outcome::Forgot(stable, Forgotten::All) => self.stable_done = stable,
            // Tried again after the next sync.
            Outcome::Forgot(_, Forgotten::Waits) => {}
            Outcome::Noted => {}
        }
    }

    fn take_sealed(&mut self, id: BatchId, batch: Batch, packed: Option<Packed>) {
        let facts = BatchFacts {
            id,
            entries: batch.groups.len(),
            voids: batch.groups.iter().filter(|group| group.sent.void).count(),
            bytes: batch.bytes,
            last_seq: batch.groups.last().map_or(0, |group| group.sent.seq),
            more: batch.more,
            waits: batch.waits,
        };
        if facts.entries > 0 {
            self.batches.insert(id, Sealed { batch: Arc::new(batch), packed });
        }
        self.feed(Event::Sealed { batch: facts });
    }

    fn take_settled(&mut self, report: &VerdictReport) {
        let decided = report.applied + report.merged + report.rejected;
        let totals = &mut self.totals;
        totals.groups_pushed += decided as u64;
        totals.applied += report.applied as u64;
        totals.merged += report.merged as u64;
        totals.rejected += report.rejected as u64;
        totals.overlaps += report.overlaps as u64;
        let reset = report.epoch_changed.then_some(ResetCause::EpochChanged);
        self.feed(Event::Settled { decided: decided + report.voided, waiting: report.waiting, reset });
        if report.released {
            self.feed(Event::WorkPending);
        }
    }

    fn take_applied(&mut self, flight: Flight, report: PageReport) {
        let totals = &mut self.totals;
        totals.rows_pulled += report.rows as u64;
        totals.groups_pushed += report.applied as u64;
        totals.applied += report.applied as u64;
        let outcome = match report.outcome {
            PageOutcome::Applied => ApplyOutcome::Done,
            PageOutcome::Stale => ApplyOutcome::Stale,
            PageOutcome::EpochChanged => ApplyOutcome::Reset(ResetCause::EpochChanged),
            PageOutcome::Forked => ApplyOutcome::Forked,
            PageOutcome::EpochSuspect => ApplyOutcome::Reset(ResetCause::EpochSuspect),
            PageOutcome::Torn => ApplyOutcome::Reset(ResetCause::CursorInvalid),
        };
        // What the newest page says, and no more: a server that was put back under its epoch says less than before, and what was
        // stable in the history that has ended is not in this one.
        if report.outcome == PageOutcome::Applied
            && let Some(arrived) = self.pages.get(&flight)
        {
            self.stable = arrived.stable;
            self.stable_done = self.stable_done.min(self.stable);
        }
        self.feed(Event::Applied { flight, outcome });
        self.pages.remove(&flight);
        if report.released {
            self.feed(Event::WorkPending);
        }
    }
}
