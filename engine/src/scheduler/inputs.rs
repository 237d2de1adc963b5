//! What happens to the scheduler: writes, people, the network, what the device is like.

use super::conditions::Conditions;
use super::debounce::Debounce;
use super::decision::{Cause, Wake, Why};
use super::plan::{Change, Part, Scheduler};
use super::{OFFLINE_MS_BACKGROUND, OFFLINE_MS_FOREGROUND};
use crate::backoff;

impl Scheduler {
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
}
