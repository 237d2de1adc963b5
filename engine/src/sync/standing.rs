//! Where the machine stands: the phase it shows, and when and why it wakes next.

use serde::Serialize;

use super::machine::Sync;
use super::push::PushState;

/// Why the machine waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Why {
    /// Further local writes may follow.
    Debounce,
    /// An attempt failed.
    Backoff,
    /// The server asked for patience.
    RetryAfter,
    /// There seems to be no network.
    Offline,
    /// The account may not do this.
    Forbidden,
    /// The server refuses what cannot be blamed on one group.
    Refused,
    /// The server wants to see some groups again later.
    GroupsWaiting,
    /// The database could not be written.
    Storage,
    /// Somebody must sign in.
    SignIn,
    /// The app is too old for this server.
    Upgrade,
    /// A push takes long; the pull goes beside it.
    PullPatience,
    /// It is time to look what is new.
    Poll,
}

/// When the machine wants a [`super::Event::Tick`], and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Wake {
    /// On the clock of [`super::Now::mono_ms`].
    pub at_ms: u64,
    /// Why.
    pub why: Why,
}

/// What a status shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Phase {
    /// Nothing to do.
    Idle,
    /// Getting a token, or asking the server what it is.
    Hello,
    /// Uploading.
    Pushing,
    /// Downloading.
    Pulling,
    /// An attempt failed; see [`Sync::wake`] for when the next one is.
    Waiting(Why),
    /// Somebody must sign in.
    NeedsAuth,
    /// The app is too old for this server.
    Stopped,
}

/// What a lane amounts to, for calls that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Something is outstanding or about to start.
    Active,
    /// Everything is done.
    Quiet,
    /// It waits for a time.
    Waiting(Why),
}

impl Sync {
    /// When the machine wants to be woken, and why; none: only an event can give it something to do.
    #[must_use]
    pub fn wake(&self) -> Option<Wake> {
        if !self.is_active() {
            return None;
        }
        let mut all: Vec<Wake> = Vec::new();
        all.extend(self.gate.wait);
        all.extend(self.pull.wait);
        all.extend(self.push.again);
        all.extend(self.offline);
        all.extend(self.push.debounce.map(|debounce| Wake { at_ms: debounce.until_ms, why: Why::Debounce }));
        if let PushState::Waiting(wait) = self.push.state {
            all.push(wait);
        }
        let could = self.pull.could_start() && self.gate.is_open() && self.offline.is_none() && self.mending.is_none();
        if could && self.pull.wanted {
            let patience = self.pull_patience_ends_ms();
            all.extend(patience.map(|at_ms| Wake { at_ms, why: Why::PullPatience }));
        }
        if self.config.auto {
            all.extend(self.poll_at_ms.map(|at_ms| Wake { at_ms, why: Why::Poll }));
        }
        all.into_iter().min_by_key(|wake| (wake.at_ms, wake.why))
    }

    /// What the machine does now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.gate.wait.map(|wait| wait.why) {
            Some(Why::SignIn) => return Phase::NeedsAuth,
            Some(Why::Upgrade) => return Phase::Stopped,
            _ => {}
        }
        if self.gate.is_busy() {
            return Phase::Hello;
        }
        if matches!(self.push_standing(), Standing::Active) {
            return Phase::Pushing;
        }
        if matches!(self.pull_standing(), Standing::Active) {
            return Phase::Pulling;
        }
        let waits = [
            self.gate.wait.map(|wait| wait.why),
            self.offline.map(|wait| wait.why),
            match self.push_standing() {
                Standing::Waiting(why) => Some(why),
                _ => None,
            },
            match self.pull_standing() {
                Standing::Waiting(why) => Some(why),
                _ => None,
            },
        ];
        waits.into_iter().flatten().next().map_or(Phase::Idle, Phase::Waiting)
    }

    pub(super) fn push_standing(&self) -> Standing {
        if self.mending.is_some() || self.push.has_outstanding() {
            return Standing::Active;
        }
        if let PushState::Waiting(wait) = self.push.state {
            return Standing::Waiting(wait.why);
        }
        if !self.push.wants() {
            return Standing::Quiet;
        }
        self.held_back().map_or(Standing::Active, Standing::Waiting)
    }

    pub(super) fn pull_standing(&self) -> Standing {
        if self.mending.is_some() || self.pull.has_outstanding() {
            return Standing::Active;
        }
        if let Some(wait) = self.pull.wait {
            return Standing::Waiting(wait.why);
        }
        if !self.pull.wanted {
            return Standing::Quiet;
        }
        self.held_back().map_or(Standing::Active, Standing::Waiting)
    }

    /// Why neither lane may start, if so.
    fn held_back(&self) -> Option<Why> {
        self.gate.wait.or(self.offline).map(|wait| wait.why)
    }
}
