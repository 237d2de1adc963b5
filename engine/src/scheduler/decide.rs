//! What the scheduler decides from what it remembers.

use super::conditions::Kind;
use super::decision::{Background, Cause, Decision, Rest, Wake, Why, Work};
use super::plan::{Part, Scheduler};

impl Scheduler {
    /// What happens next, given what there is to do.
    #[must_use]
    pub fn decide(&self, work: Work, now_ms: u64) -> Decision {
        if work.busy {
            return Decision::Now { why: self.cause };
        }
        if !self.is_active() {
            return Decision::Idle { why: Rest::OnlyWhenAsked };
        }
        let push = work.push.then(|| self.start(true, Part::Push));
        let again = self.waits(Part::Again).map(|wait| later(self.start(true, Part::Again), Some(wait)));
        let debounce = self.debounce.map(|debounce| Wake { at_ms: debounce.until_ms, why: Why::Debounce });
        let debounce = debounce.map(|wait| later(self.start(true, Part::Push), Some(wait)));
        let pull = work.pull.then(|| self.start(false, Part::Pull));
        let polls = self.poll_at_ms.filter(|_| self.polls()).map(|at_ms| Wake { at_ms, why: Why::Poll });
        let poll = polls.map(|wait| later(self.start(false, Part::Pull), Some(wait)));
        let starts = [(true, push), (true, again), (true, debounce), (false, pull), (false, poll)];
        let allowed = starts.iter().filter(|(is_push, _)| self.disallowed(*is_push).is_none());
        let soonest = allowed
            .filter_map(|(_, start)| *start)
            .min_by_key(|start| start.map_or((0, Why::Debounce), |wake| (wake.at_ms.max(1), wake.why)));
        match soonest {
            Some(None) => Decision::Now { why: self.cause },
            Some(Some(wake)) if wake.at_ms <= now_ms => Decision::Now { why: Cause::WaitOver },
            Some(Some(wake)) if self.conditions.foreground || self.is_asked => Decision::At(wake),
            _ => match self.wish(work, now_ms) {
                Some(wish) if !self.conditions.foreground => Decision::Background(wish),
                _ => Decision::Idle { why: Rest::NothingToDo },
            },
        }
    }

    /// What the operating system is to hold for us, whatever becomes of the process: what was written comes first.
    #[must_use]
    pub fn wish(&self, work: Work, now_ms: u64) -> Option<Background> {
        if !self.config.auto {
            return None;
        }
        let is_ready = work.push || self.debounce.is_some();
        let has_writes = is_ready || self.waits(Part::Again).is_some();
        let kind = self.kind(has_writes);
        let wait = if is_ready {
            self.wait_of(true, Part::Push)
        } else if has_writes {
            later(self.wait_of(true, Part::Push), self.waits(Part::Again))
        } else if work.pull {
            self.wait_of(false, Part::Pull)
        } else {
            let at_ms = self.poll_at_ms.unwrap_or(now_ms.saturating_add(self.config.poll_ms?));
            later(self.wait_of(false, Part::Pull), Some(Wake { at_ms, why: Why::Poll }))
        };
        let held = wait.or(self.offline).map(|wait| wait.why);
        let why = held.or_else(|| self.disallowed(has_writes)).unwrap_or(Why::TimeUp);
        let earliest_ms = wait.map_or(now_ms, |wait| wait.at_ms.max(now_ms));
        Some(Background { kind, constraints: kind.constraints(), earliest_ms, why })
    }

    /// When a lane could start; none: now.
    fn start(&self, is_push: bool, part: Part) -> Option<Wake> {
        later(self.offline, self.wait_of(is_push, part))
    }

    /// The same without regard to hints about the network, which the system knows better.
    fn wait_of(&self, is_push: bool, part: Part) -> Option<Wake> {
        let breaker = self.breaker.opens_at_ms(is_push).map(|at_ms| Wake { at_ms, why: Why::ServerTrouble });
        later(later(self.waits(Part::Gate), breaker), self.waits(part))
    }

    pub(super) const fn kind(&self, is_push: bool) -> Kind {
        match (is_push, self.is_bootstrap) {
            (true, _) => Kind::SmallPush,
            (false, true) => Kind::Bootstrap,
            (false, false) => Kind::Pull,
        }
    }
}

/// The later of two; none is now.
fn later(one: Option<Wake>, other: Option<Wake>) -> Option<Wake> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if one.at_ms >= other.at_ms { one } else { other }),
        (one, other) => one.or(other),
    }
}
