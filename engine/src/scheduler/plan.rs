//! The scheduler itself: what it remembers of time, and what it decides from it.

use fastrand::Rng;

use super::breaker::Breaker;
use super::conditions::Conditions;
use super::debounce::Debounce;
use super::decision::{Cause, Wake, Why};
use super::{
    DEBOUNCE_MS, DEBOUNCE_MS_MAX, DEBOUNCE_MS_MIN, OFFLINE_MS_BACKGROUND, OFFLINE_MS_FOREGROUND, POLL_MS,
    RETRY_AFTER_MS_MAX, SPREAD_MS_MAX,
};
use crate::backoff::{self, Backoff};

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
struct Timer {
    wait: Option<Wake>,
    backoff: Backoff,
}

/// When to sync. See the module.
#[derive(Debug)]
pub struct Scheduler {
    pub(super) config: Config,
    rng: Rng,
    pub(super) conditions: Conditions,
    /// The network is said to be gone; believed until then.
    pub(super) offline: Option<Wake>,
    pub(super) debounce: Option<Debounce>,
    pub(super) poll_at_ms: Option<u64>,
    timers: [Timer; 4],
    pub(super) breaker: Breaker,
    /// Somebody asked for a sync and waits: what the device is like holds nothing back then.
    pub(super) is_asked: bool,
    /// The operating system took its time back; nothing starts until somebody comes.
    is_paused: bool,
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

    // What happens to it.

    /// A local write committed.
    pub fn written(&mut self, now_ms: u64) {
        self.debounce = Some(Debounce::after(self.debounce, self.config.debounce_ms, now_ms));
    }

    /// What was written leaves now: nothing waits for further writes any more.
    pub const fn flushed(&mut self) {
        self.debounce = None;
    }

    /// Somebody asks for a sync and waits, or the system gave time for one.
    pub fn asked(&mut self, cause: Cause) {
        self.is_asked = true;
        self.cause = cause;
        self.start_over();
    }

    /// The sync that was asked for is over.
    pub const fn answered(&mut self) {
        self.is_asked = false;
    }

    /// The system took its time back. In the background nothing starts by itself until somebody comes.
    pub const fn expired(&mut self) {
        self.is_asked = false;
        self.is_paused = !self.conditions.foreground;
    }

    /// The server has news, so they say. Whoever was told so has a network.
    pub const fn poked(&mut self) {
        self.offline = None;
        self.is_paused = false;
        self.cause = Cause::Poked;
    }

    /// There is a new token.
    pub fn token_changed(&mut self) {
        let gate = self.timer(Part::Gate);
        if gate.wait.is_some_and(|wait| matches!(wait.why, Why::SignIn)) {
            gate.wait = None;
        }
        gate.backoff.succeeded();
        self.cause = Cause::TokenChanged;
    }

    /// A hint about the network alone.
    pub fn network(&mut self, up: bool, now_ms: u64) -> Change {
        use super::conditions::Network;
        let network = match (up, self.conditions.network) {
            (false, _) => Network::Offline,
            (true, Network::Offline) => Network::Unknown,
            (true, known) => known,
        };
        let change = self.conditions(Conditions { network, validated: true, ..self.conditions }, now_ms);
        // Said again, it still means: try.
        if up { self.try_at_once(Cause::NetworkBack) } else { change }
    }

    /// What the device is like now.
    pub fn conditions(&mut self, conditions: Conditions, now_ms: u64) -> Change {
        let was = std::mem::replace(&mut self.conditions, conditions);
        if conditions.is_offline() {
            if self.offline.is_none() {
                // A hint that can stick would stop syncing for ever.
                let ms = if conditions.foreground { OFFLINE_MS_FOREGROUND } else { OFFLINE_MS_BACKGROUND };
                self.offline = Some(Wake { at_ms: now_ms.saturating_add(ms), why: Why::Offline });
            } else if let Some(offline) = &mut self.offline
                && conditions.foreground
            {
                offline.at_ms = offline.at_ms.min(now_ms.saturating_add(OFFLINE_MS_FOREGROUND));
            }
        }
        if conditions.foreground && !was.foreground {
            if conditions.is_offline() {
                self.is_paused = false;
                self.shorten(now_ms);
                return Change::default();
            }
            return self.try_at_once(Cause::Foreground);
        }
        if was.is_offline() && !conditions.is_offline() {
            return self.try_at_once(Cause::NetworkBack);
        }
        if !conditions.foreground && was.foreground && self.debounce.is_some() {
            self.cause = Cause::Leaving;
            return Change { at_once: false, leaving: true };
        }
        Change::default()
    }

    /// The database has everything up to some point: pulls bring what is new. Or it has not.
    pub const fn bootstrap(&mut self, is_bootstrap: bool) {
        self.is_bootstrap = is_bootstrap;
    }

    /// Everything is synced: looks for news when it is time.
    pub fn quiet(&mut self, now_ms: u64) {
        if self.config.auto && self.poll_at_ms.is_none() {
            self.poll_at_ms = self.config.poll_ms.map(|ms| now_ms.saturating_add(ms));
        }
    }

    // What comes of attempts.

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

    // Time.

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

    /// The longest back-off: where nobody looks on, a minute is nothing and the battery much.
    const fn delay_ms_max(&self) -> u64 {
        if self.conditions.foreground { backoff::DELAY_MS_MAX } else { backoff::DELAY_MS_MAX_BACKGROUND }
    }

    fn try_at_once(&mut self, cause: Cause) -> Change {
        self.cause = cause;
        self.start_over();
        Change { at_once: true, leaving: false }
    }

    /// Ends every wait that was this device's own idea; what the server asked for is kept.
    fn start_over(&mut self) {
        self.offline = None;
        self.is_paused = false;
        self.breaker.half_open();
        for timer in &mut self.timers {
            timer.backoff.succeeded();
            if timer.wait.is_some_and(|wait| wait.why != Why::RetryAfter) {
                timer.wait = None;
            }
        }
    }

    /// Long waits of the background end with it.
    fn shorten(&mut self, now_ms: u64) {
        let latest_ms = now_ms.saturating_add(backoff::DELAY_MS_MAX);
        for timer in &mut self.timers {
            if let Some(wait) = &mut timer.wait
                && !matches!(wait.why, Why::RetryAfter | Why::Upgrade)
            {
                wait.at_ms = wait.at_ms.min(latest_ms);
            }
        }
        self.breaker.shorten(latest_ms);
    }

    const fn timer(&mut self, part: Part) -> &mut Timer {
        match part {
            Part::Gate => &mut self.timers[0],
            Part::Push => &mut self.timers[1],
            Part::Pull => &mut self.timers[2],
            Part::Again => &mut self.timers[3],
        }
    }
}
