//! Where the machine stands: the phase it shows, and when and why it wakes next.

use serde::Serialize;

use super::machine::Sync;
use crate::scheduler::{Part, Wake, Why};

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
        if !self.scheduler.is_active() {
            return None;
        }
        let could = self.pull.wanted && self.pull_could_start() && self.gate.is_open() && self.mending.is_none();
        let patience = self.pull_patience_ends_ms().filter(|_| could);
        let patience = patience.map(|at_ms| Wake { at_ms, why: Why::PullPatience });
        patience.into_iter().chain(self.scheduler.wake()).min_by_key(|wake| (wake.at_ms, wake.why))
    }

    /// What the machine does now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.scheduler.waits(Part::Gate).map(|wait| wait.why) {
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
        let waiting = |standing| match standing {
            Standing::Waiting(why) => Some(why),
            _ => None,
        };
        let waits = [
            self.scheduler.held_back(true).map(|wait| wait.why),
            waiting(self.push_standing()),
            waiting(self.pull_standing()),
        ];
        waits.into_iter().flatten().next().map_or(Phase::Idle, Phase::Waiting)
    }

    pub(super) fn push_standing(&self) -> Standing {
        if self.mending.is_some() || self.push.has_outstanding() {
            return Standing::Active;
        }
        if let Some(wait) = self.scheduler.waits(Part::Push) {
            return Standing::Waiting(wait.why);
        }
        if !self.push.wants() {
            return Standing::Quiet;
        }
        self.held_back(true).map_or(Standing::Active, Standing::Waiting)
    }

    pub(super) fn pull_standing(&self) -> Standing {
        if self.mending.is_some() || self.pull.has_outstanding() {
            return Standing::Active;
        }
        if let Some(wait) = self.scheduler.waits(Part::Pull) {
            return Standing::Waiting(wait.why);
        }
        if !self.pull.wanted {
            return Standing::Quiet;
        }
        self.held_back(false).map_or(Standing::Active, Standing::Waiting)
    }

    /// Why a lane may not start, if so.
    fn held_back(&self, is_push: bool) -> Option<Why> {
        self.scheduler.held_back(is_push).map(|wait| wait.why).or_else(|| self.scheduler.disallowed(is_push))
    }
}
