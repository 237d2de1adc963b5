//! Time that the operating system gives: what is asked of it, what is done in it, what came of it.

use std::time::Duration;

use serde::Serialize;
use turnstone_engine::sync::{Outcome, Trouble};
use turnstone_protocol::{Class, Code};

use crate::report::SyncReport;

pub use turnstone_engine::scheduler::{
    Background, Cause, Conditions, Constraints, Decision, Kind, Network, NetworkNeed, Rest, Wake, Why,
};

/// What a background run may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// How long it may take. Keep what the system needs to hear of it: ask for 25 s where it gives 30.
    pub time: Duration,
    /// How many bytes may travel, both ways together; none: any number. The request that passes it is still ended well.
    pub bytes_max: Option<u64>,
}

impl Budget {
    /// So much time, and any number of bytes.
    #[must_use]
    pub const fn time(time: Duration) -> Self {
        Self { time, bytes_max: None }
    }
}

/// Why the system gave time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunReason {
    /// It was asked for, and its time has come (WorkManager, an app refresh).
    Scheduled,
    /// A push message said that there is news.
    Poked,
    /// The app leaves the foreground, and may still finish something.
    Leaving,
    /// The device is idle and charged (a processing task).
    Maintenance,
}

/// What to tell the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Everything is synced.
    Done,
    /// There is more to do: ask for time again, soon.
    MoreWork,
    /// Not now: ask for time again after so many milliseconds. Let the system add no back-off of its own.
    RetryAfter {
        /// How many.
        ms: u64,
    },
    /// Somebody must sign in: asking for time is of no use until then.
    NeedsAuth,
    /// Nothing helps but an update, or somebody who looks at the server: asking for time is of no use.
    Permanent,
}

/// Why a background run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackgroundReport {
    /// What to tell the system.
    pub outcome: RunOutcome,
    /// Why it ended.
    pub stopped: Stopped,
    /// What went wrong, if something did.
    pub code: Option<Code>,
    /// Why the system gave time.
    pub reason: RunReason,
    /// What was pushed and pulled, in how many bytes: by the run, and in the background also by what went before it since
    /// the store woke or since the run before. News that came in the time the system gave are never left out.
    pub sync: SyncReport,
}

/// What happens next, and what the operating system is to hold for it. Times are milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NextWake {
    /// What happens next, and why.
    pub decision: Decision,
    /// What to have registered with the operating system in case the process ends; `earliest_ms` 0: at once. None:
    /// nothing, and what was registered can go.
    pub wish: Option<Background>,
}

/// What a run that ended by itself came to; it is to be tried again after `retry_ms`.
pub(crate) fn concluded(outcome: &Outcome, retry_ms: u64) -> (RunOutcome, Stopped, Option<Code>) {
    let later = RunOutcome::RetryAfter { ms: retry_ms };
    match outcome {
        Outcome::Quiet { waiting: 0 } => (RunOutcome::Done, Stopped::Finished, None),
        Outcome::Quiet { .. } => (later, Stopped::Finished, None),
        Outcome::Failed(Trouble { code, class }) => {
            let told = match class {
                Class::Auth => RunOutcome::NeedsAuth,
                Class::Fix | Class::Gone | Class::Upgrade => RunOutcome::Permanent,
                Class::Ok | Class::Retry | Class::Conflict | Class::Reset => later,
            };
            (told, Stopped::Failed, Some(Code::from(code.clone())))
        }
    }
}
