//! What comes of requests: back-off, `Retry-After`, the breaker.

use turnstone_protocol::plant::{self, Bug};

use super::decision::{Wake, Why};
use super::plan::{Part, Scheduler};
use super::{RETRY_AFTER_MS_MAX, SPREAD_MS_MAX};
use crate::backoff;

impl Scheduler {
    /// A server that works answered a request of the gate or a lane.
    pub fn worked(&mut self, part: Part) {
        self.timer(part).backoff.succeeded();
        self.timer(Part::Gate).backoff.succeeded();
        self.offline = None;
        if part != Part::Gate {
            // A hello says that somebody is there, not that work gets done.
            self.breaker.worked();
        }
    }

    /// A server that works refused something: it is there.
    pub fn spoke(&mut self) {
        self.breaker.worked();
    }

    /// A part starts its back-off over.
    pub const fn reset(&mut self, part: Part) {
        self.timer(part).backoff.succeeded();
    }

    /// A part cannot go on: it waits by its back-off.
    pub fn fail(&mut self, part: Part, why: Why, now_ms: u64) {
        let max_ms = self.delay_ms_max();
        let mut backoff = self.timer(part).backoff;
        let mut delay_ms = backoff.failed(&mut self.rng, max_ms);
        self.timer(part).backoff = backoff;
        if matches!(why, Why::Forbidden | Why::Refused) {
            // Nothing short of a person or a release mends this.
            delay_ms = self.rng.u64(backoff::DELAY_MS_MAX / 2..=backoff::DELAY_MS_MAX);
        }
        if plant::on(Bug::BackoffUnbounded) {
            delay_ms *= 10;
        }
        self.timer(part).wait = Some(Wake { at_ms: now_ms.saturating_add(delay_ms), why });
    }

    /// A part waits for so long, and for nothing shorter.
    pub fn wait(&mut self, part: Part, ms: u64, why: Why, now_ms: u64) {
        self.timer(part).wait = Some(Wake { at_ms: now_ms.saturating_add(ms), why });
    }

    /// Obeys a `Retry-After`: a little later than asked, so that a fleet does not come back as one. Says how long it
    /// waits, which is what is worth remembering over a restart.
    pub fn hold(&mut self, part: Part, ms: u64, now_ms: u64) -> u64 {
        let ms = ms.min(RETRY_AFTER_MS_MAX);
        let ms = ms.saturating_add(self.rng.u64(0..=(ms / 10).min(SPREAD_MS_MAX)));
        self.resume_hold(part, ms, now_ms)
    }

    /// Waits for what is left of a `Retry-After`.
    pub fn resume_hold(&mut self, part: Part, ms: u64, now_ms: u64) -> u64 {
        let ms = ms.min(RETRY_AFTER_MS_MAX + SPREAD_MS_MAX);
        self.wait(part, ms, Why::RetryAfter, now_ms);
        ms
    }

    /// A part waits no longer.
    pub const fn release(&mut self, part: Part) {
        self.timer(part).wait = None;
    }

    /// A request ended in a server failure or a time-out. Says whether a pull is to find out if the server works.
    pub fn server_failed(&mut self, is_push: bool, now_ms: u64) -> bool {
        let max_ms = self.delay_ms_max();
        self.breaker.failed(is_push, &mut self.rng, now_ms, max_ms) && is_push
    }

    /// The longest back-off: where nobody looks on, a minute is nothing and the battery much.
    const fn delay_ms_max(&self) -> u64 {
        if self.conditions.foreground { backoff::DELAY_MS_MAX } else { backoff::DELAY_MS_MAX_BACKGROUND }
    }
}
