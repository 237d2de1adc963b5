//! Time that the operating system gives: what hosts ask for, use and give back.

use std::sync::Arc;
use std::time::Duration;

use turnstone::Error;
use turnstone::background::{
    BackgroundReport, Budget, Conditions, Decision, Kind, Network, NetworkNeed, NextWake, RunOutcome, RunReason,
    Stopped,
};

use crate::error::FfiError;
use crate::fence;
use crate::records::{FfiSyncReport, word};
use crate::store::FfiStore;
use crate::watch::FfiNextWakeWatch;

/// What a background run may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct FfiBudget {
    /// How long it may take, in milliseconds.
    pub time_ms: u64,
    /// How many bytes may travel, both ways together; none: any number.
    pub bytes_max: Option<u64>,
}

/// Why the system gave time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FfiRunReason {
    /// It was asked for, and its time has come.
    Scheduled,
    /// A push message said that there is news.
    Poked,
    /// The app leaves the foreground, and may still finish something.
    Leaving,
    /// The device is idle and charged.
    Maintenance,
}

/// What to tell the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FfiOutcome {
    /// Everything is synced.
    Done,
    /// There is more to do: ask for time again, soon.
    MoreWork,
    /// Not now: ask for time again after so long.
    RetryAfter {
        /// How long, in milliseconds.
        delay_ms: u64,
    },
    /// Somebody must sign in.
    NeedsAuth,
    /// Nothing helps but an update, or somebody who looks at the server.
    Permanent,
}

/// Why a background run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FfiStopped {
    /// There was nothing left to do.
    Finished,
    /// It could not go on: see the code.
    Failed,
    /// Its time was over.
    TimeUp,
    /// The system took its time back.
    Expired,
    /// Its bytes were spent.
    BytesSpent,
}

/// What a background run did.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FfiBackgroundReport {
    /// What to tell the system.
    pub outcome: FfiOutcome,
    /// Why it ended.
    pub stopped: FfiStopped,
    /// What went wrong, if something did: a stable code.
    pub code: Option<String>,
    /// What was pushed and pulled, in how many bytes; in the background also what came since the store woke or since the
    /// run before.
    pub sync: FfiSyncReport,
}

/// The network, as the operating system describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FfiNetwork {
    /// Nobody said.
    Unknown,
    /// None.
    Offline,
    /// One that costs nothing.
    Unmetered,
    /// One that somebody pays for, or wants spared.
    Metered,
    /// A foreign one.
    Roaming,
}

/// What the device is like. A hint: it can put work off, never stop it for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct FfiConditions {
    /// The network.
    pub network: FfiNetwork,
    /// Whether the network was seen to reach the internet.
    pub validated: bool,
    /// Whether a person looks at the app.
    pub foreground: bool,
    /// Whether the device saves power.
    pub low_power: bool,
    /// Whether it is being charged.
    pub charging: bool,
}

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FfiKind {
    /// What a person wrote, in small batches.
    SmallPush,
    /// What others wrote since.
    Pull,
    /// Everything there is, once.
    Bootstrap,
}

/// What the network must be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FfiNetworkNeed {
    /// There must be one.
    Connected,
    /// One at home.
    NotRoaming,
    /// One that costs nothing.
    Unmetered,
}

/// What the operating system is to hold.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FfiWish {
    /// What would be done.
    pub kind: FfiKind,
    /// What the network must be like.
    pub network: FfiNetworkNeed,
    /// Whether the device must not be saving power, unless it is charged.
    pub battery_not_low: bool,
    /// Not before, in milliseconds since 1970; none: at once.
    pub earliest_at_ms: Option<u64>,
    /// Why: a stable word.
    pub why: String,
}

/// What happens next.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum FfiDecision {
    /// It syncs, or is about to.
    Now {
        /// Why: a stable word.
        why: String,
    },
    /// It waits for a time, and is awake to see it.
    At {
        /// When, in milliseconds since 1970.
        at_ms: u64,
        /// Why then: a stable word.
        why: String,
    },
    /// The operating system is asked for time.
    Background {
        /// For what.
        wish: FfiWish,
    },
    /// Nothing by itself.
    Idle {
        /// Why: a stable word.
        why: String,
    },
}

/// What happens next, and what the operating system is to hold for it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FfiNextWake {
    /// What happens next, and why.
    pub decision: FfiDecision,
    /// What to have registered with the operating system in case the process ends. None: nothing, and what was
    /// registered can go.
    pub wish: Option<FfiWish>,
}

#[uniffi::export]
impl FfiStore {
    /// Syncs in time that the operating system gave: one small push first, then everything else, until quiet or until
    /// the budget is spent. A sync that runs already serves it too.
    pub async fn run_background(
        self: Arc<Self>,
        budget: FfiBudget,
        reason: FfiRunReason,
    ) -> Result<FfiBackgroundReport, FfiError> {
        // Begun before anything waits: whoever takes the time back right after the call ends it, and is not too early.
        let begun = fence::quick("run_background", || Ok(self.store.run_background(budget.into(), reason.into())))?;
        let run = async move {
            let done = begun.await;
            // The store lives as long as its run.
            drop(self);
            Ok(done?.into())
        };
        fence::task("run_background", run).await
    }

    /// Says that the operating system takes its time back. Returns at once; the run ends within a second.
    pub fn expire(&self) -> Result<(), FfiError> {
        fence::quick("expire", || {
            self.store.expire();
            Ok(())
        })
    }

    /// Says what the device is like. A hint: it can start a sync and put one off, never stop it for good.
    pub fn set_conditions(&self, conditions: FfiConditions) -> Result<(), FfiError> {
        fence::quick("set_conditions", || {
            self.store.set_conditions(conditions.into());
            Ok(())
        })
    }

    /// What happens next and why, and what the operating system is to hold in case the process ends.
    pub fn next_wake(&self) -> Result<FfiNextWake, FfiError> {
        fence::quick("next_wake", || Ok(self.store.next_wake().into()))
    }

    /// Watches what happens next.
    pub async fn watch_next_wake(self: Arc<Self>) -> Result<Arc<FfiNextWakeWatch>, FfiError> {
        fence::blocking("watch_next_wake", move || Ok(FfiNextWakeWatch::new(self.store.watch_next_wake()?))).await
    }

    /// Lets go of the database file before the system suspends the app: when it returns no lock is held and no thread
    /// takes one, until it is resumed. Open transactions are rolled back. Takes a second at most.
    pub async fn suspend_store(self: Arc<Self>) -> Result<(), FfiError> {
        // First of all: what holds on to the file for its callers lets go, and gives its thread back.
        self.leaving.send_replace(Some(Error::Suspended));
        fence::blocking("suspend_store", move || Ok(self.store.suspend()?)).await
    }

    /// Takes the database file again and goes on.
    pub async fn resume_store(self: Arc<Self>) -> Result<(), FfiError> {
        fence::blocking("resume_store", move || {
            self.store.resume()?;
            self.leaving.send_replace(None);
            Ok(())
        })
        .await
    }
}

impl From<FfiBudget> for Budget {
    fn from(budget: FfiBudget) -> Self {
        Self { time: Duration::from_millis(budget.time_ms), bytes_max: budget.bytes_max }
    }
}

impl From<FfiRunReason> for RunReason {
    fn from(reason: FfiRunReason) -> Self {
        match reason {
            FfiRunReason::Scheduled => Self::Scheduled,
            FfiRunReason::Poked => Self::Poked,
            FfiRunReason::Leaving => Self::Leaving,
            FfiRunReason::Maintenance => Self::Maintenance,
        }
    }
}

impl From<BackgroundReport> for FfiBackgroundReport {
    fn from(report: BackgroundReport) -> Self {
        Self {
            outcome: match report.outcome {
                RunOutcome::Done => FfiOutcome::Done,
                RunOutcome::MoreWork => FfiOutcome::MoreWork,
                RunOutcome::RetryAfter { ms } => FfiOutcome::RetryAfter { delay_ms: ms },
                RunOutcome::NeedsAuth => FfiOutcome::NeedsAuth,
                RunOutcome::Permanent => FfiOutcome::Permanent,
            },
            stopped: match report.stopped {
                Stopped::Finished => FfiStopped::Finished,
                Stopped::Failed => FfiStopped::Failed,
                Stopped::TimeUp => FfiStopped::TimeUp,
                Stopped::Expired => FfiStopped::Expired,
                Stopped::BytesSpent => FfiStopped::BytesSpent,
            },
            code: report.code.map(|code| code.as_str().to_owned()),
            sync: report.sync.into(),
        }
    }
}

impl From<FfiConditions> for Conditions {
    fn from(conditions: FfiConditions) -> Self {
        Self {
            network: match conditions.network {
                FfiNetwork::Unknown => Network::Unknown,
                FfiNetwork::Offline => Network::Offline,
                FfiNetwork::Unmetered => Network::Unmetered,
                FfiNetwork::Metered => Network::Metered,
                FfiNetwork::Roaming => Network::Roaming,
            },
            validated: conditions.validated,
            foreground: conditions.foreground,
            low_power: conditions.low_power,
            charging: conditions.charging,
        }
    }
}

impl From<turnstone::background::Background> for FfiWish {
    fn from(wish: turnstone::background::Background) -> Self {
        Self {
            kind: match wish.kind {
                Kind::SmallPush => FfiKind::SmallPush,
                Kind::Pull => FfiKind::Pull,
                Kind::Bootstrap => FfiKind::Bootstrap,
            },
            network: match wish.constraints.network {
                NetworkNeed::Connected => FfiNetworkNeed::Connected,
                NetworkNeed::NotRoaming => FfiNetworkNeed::NotRoaming,
                NetworkNeed::Unmetered => FfiNetworkNeed::Unmetered,
            },
            battery_not_low: wish.constraints.battery_not_low,
            earliest_at_ms: Some(wish.earliest_ms).filter(|at_ms| *at_ms > 0),
            why: word(&wish.why),
        }
    }
}

impl From<Decision> for FfiDecision {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Now { why } => Self::Now { why: word(&why) },
            Decision::At(wake) => Self::At { at_ms: wake.at_ms, why: word(&wake.why) },
            Decision::Background(wish) => Self::Background { wish: wish.into() },
            Decision::Idle { why } => Self::Idle { why: word(&why) },
        }
    }
}

impl From<NextWake> for FfiNextWake {
    fn from(next: NextWake) -> Self {
        Self { decision: next.decision.into(), wish: next.wish.map(FfiWish::from) }
    }
}
