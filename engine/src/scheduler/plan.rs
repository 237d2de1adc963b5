//! The scheduler itself: what it remembers of time, what is due, and what waits. What it hears is in `inputs`, what
//! comes of requests in `attempts`.

use fastrand::Rng;

use super::breaker::Breaker;
use super::conditions::Conditions;
use super::debounce::Debounce;
use super::decision::{Cause, Wake, Why};
use super::{DEBOUNCE_MS, DEBOUNCE_MS_MAX, DEBOUNCE_MS_MIN, POLL_MS};
use crate::backoff::Backoff;

/// How a scheduler behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Syncs by itself; else only when asked.
    pub auto: bool,
    /// How long a sync waits for further writes, in milliseconds.
    pub debounce_ms: u64,
    /// Looks for news this often while quiet, in milliseconds; none: never.
    pub poll_ms: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self { auto: false, debounce_ms: DEBOUNCE_MS, poll_ms: Some(POLL_MS) }
    }
}

/// What can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Token and hello, before everything else.
    Gate,
    /// The push lane.
    Push,
    /// The pull lane.
    Pull,
    /// Groups the server wants to see again later.
    Again,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Due {
    /// The push lane's wait is over.
    pub push: bool,
    /// The pull lane's wait is over.
    pub pull: bool,
    /// Groups that waited are to be sent again.
    pub again: bool,
    /// Writes waited long enough for others.
    pub debounce: bool,
    /// It is time to look what is new.
    pub poll: bool,
}

/// What a change of conditions amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    /// Everything is to be tried at once.
    pub at_once: bool,
    /// What was written is to leave at once.
    pub leaving: bool,
}

/// One thing's wait, and how often it failed in a row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Timer {
    pub(super) wait: Option<Wake>,
    pub(super) backoff: Backoff,
}

/// When to sync. See the module.
#[derive(Debug)]
pub struct Scheduler {
    pub(super) config: Config,
    pub(super) rng: Rng,
    pub(super) conditions: Conditions,
    /// The network is said to be gone; believed until then.
    pub(super) offline: Option<Wake>,
    pub(super) debounce: Option<Debounce>,
    pub(super) poll_at_ms: Option<u64>,
    pub(super) timers: [Timer; 4],
    pub(super) breaker: Breaker,
    /// Somebody asked for a sync and waits: what the device is like holds nothing back then.
    pub(super) is_asked: bool,
    /// The operating system took its time back; nothing starts until somebody comes.
    pub(super) is_paused: bool,
    /// The next pull brings everything there is.
    pub(super) is_bootstrap: bool,
    pub(super) cause: Cause,
}

impl Scheduler {
    /// Makes a scheduler. `seed` is all its randomness.
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            config: Config { debounce_ms: config.debounce_ms.clamp(DEBOUNCE_MS_MIN, DEBOUNCE_MS_MAX), ..config },
            rng: Rng::with_seed(seed),
            conditions: Conditions::default(),
            offline: None,
            debounce: None,
            poll_at_ms: None,
            timers: [Timer::default(); 4],
            breaker: Breaker::default(),
            is_asked: false,
            is_paused: false,
            is_bootstrap: false,
            cause: Cause::Opened,
        }
    }

    /// Time passed: ends what is over, and says what that makes due.
    pub fn advance(&mut self, now_ms: u64) -> Due {
        self.breaker.advance(now_ms);
        let over = |wake: Option<Wake>| wake.is_some_and(|wake| wake.at_ms <= now_ms);
        if over(self.offline) {
            self.offline = None;
        }
        let [_, push, pull, again] = self.timers.each_mut().map(|timer| {
            let is_over = over(timer.wait);
            if is_over {
                timer.wait = None;
            }
            is_over
        });
        let debounce = self.debounce.is_some_and(|debounce| debounce.until_ms <= now_ms);
        let poll = self.polls() && self.poll_at_ms.is_some_and(|at_ms| at_ms <= now_ms);
        if poll {
            self.poll_at_ms = None;
        }
        for (due, cause) in [(push || pull || again, Cause::WaitOver), (poll, Cause::Poll), (debounce, Cause::Written)]
        {
            if due {
                self.cause = cause;
            }
        }
        Due { push, pull, again, debounce, poll }
    }

    /// What a part waits for.
    #[must_use]
    pub const fn waits(&self, part: Part) -> Option<Wake> {
        match part {
            Part::Gate => self.timers[0].wait,
            Part::Push => self.timers[1].wait,
            Part::Pull => self.timers[2].wait,
            Part::Again => self.timers[3].wait,
        }
    }

    /// Whether writes wait for others.
    #[must_use]
    pub const fn is_debouncing(&self) -> bool {
        self.debounce.is_some()
    }

    /// Why neither lane may start, if so; a lane's own wait comes on top.
    #[must_use]
    pub fn held_back(&self, is_push: bool) -> Option<Wake> {
        if let Some(wait) = self.waits(Part::Gate).or(self.offline) {
            return Some(wait);
        }
        self.breaker.opens_at_ms(is_push).map(|at_ms| Wake { at_ms, why: Why::ServerTrouble })
    }

    /// What the device's state says against starting a lane, if anything.
    #[must_use]
    pub const fn disallowed(&self, is_push: bool) -> Option<Why> {
        if self.conditions.foreground || self.is_asked {
            return None;
        }
        if self.is_paused {
            return Some(Why::TimeUp);
        }
        if self.kind(is_push).constraints().met_by(&self.conditions) { None } else { Some(Why::Constraints) }
    }

    /// Whether anything may start by itself.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.config.auto || self.is_asked
    }

    /// Whether the next push must be a small one: it finds out whether the server works.
    #[must_use]
    pub const fn probes(&self) -> bool {
        self.breaker.is_half_open()
    }

    /// Whether it syncs by itself, now that a person looks on.
    #[must_use]
    pub const fn goes_on_alone(&self) -> bool {
        self.config.auto && self.conditions.foreground
    }

    /// When to wake next, and why then; none: only an input can give it something to do.
    #[must_use]
    pub fn wake(&self) -> Option<Wake> {
        let debounce = self.debounce.map(|debounce| Wake { at_ms: debounce.until_ms, why: Why::Debounce });
        let poll = self.poll_at_ms.filter(|_| self.polls()).map(|at_ms| Wake { at_ms, why: Why::Poll });
        let breaker = self.breaker.until_ms().map(|at_ms| Wake { at_ms, why: Why::ServerTrouble });
        let own = self.timers.iter().filter_map(|timer| timer.wait);
        own.chain([self.offline, debounce, poll, breaker].into_iter().flatten())
            .min_by_key(|wake| (wake.at_ms, wake.why))
    }

    /// In the background, looking for news is the operating system's to time.
    pub(super) const fn polls(&self) -> bool {
        self.config.auto && self.conditions.foreground
    }

    pub(super) const fn timer(&mut self, part: Part) -> &mut Timer {
        match part {
            Part::Gate => &mut self.timers[0],
            Part::Push => &mut self.timers[1],
            Part::Pull => &mut self.timers[2],
            Part::Again => &mut self.timers[3],
        }
    }
}
