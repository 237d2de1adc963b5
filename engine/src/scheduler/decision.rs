//! What the scheduler says, in words a person can be shown.

use serde::{Deserialize, Serialize};

use super::conditions::{Constraints, Kind};

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It syncs, or is about to.
    Now {
        /// Why.
        why: Cause,
    },
    /// It waits for a time, and is awake to see it.
    At(Wake),
    /// The operating system is asked for time: the process may not live to see it.
    Background(Background),
    /// Nothing by itself.
    Idle {
        /// Why.
        why: Rest,
    },
}

/// When to wake, and why then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wake {
    /// On the clock of [`crate::sync::Now::mono_ms`].
    pub at_ms: u64,
    /// Why.
    pub why: Why,
}

/// What to ask of the operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Background {
    /// What would be done.
    pub kind: Kind,
    /// What the device must be like.
    pub constraints: Constraints,
    /// Not before, on the clock of [`crate::sync::Now::mono_ms`].
    pub earliest_ms: u64,
    /// Why.
    pub why: Why,
}

/// Why something waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// The server failed several times in a row and is left alone.
    ServerTrouble,
    /// The network or the battery is not right for this in the background.
    Constraints,
    /// The operating system took back the time it gave, or may before it is done.
    TimeUp,
}

/// Why it syncs now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The store was opened.
    Opened,
    /// Something was written.
    Written,
    /// Somebody asked.
    Requested,
    /// The server has news, so they say.
    Poked,
    /// The network came back.
    NetworkBack,
    /// A person looks at the app again.
    Foreground,
    /// The app left the foreground with writes unsent.
    Leaving,
    /// There is a new token.
    TokenChanged,
    /// A wait is over.
    WaitOver,
    /// It was time to look what is new.
    Poll,
    /// The operating system gave time.
    Granted,
}

/// Why nothing happens by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// Everything is synced, and nobody wants to look for news.
    NothingToDo,
    /// The app syncs only when it asks.
    OnlyWhenAsked,
    /// There is no server to sync with.
    NoServer,
}

/// What there is to do, as the lanes know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Work {
    /// There is something to send.
    pub push: bool,
    /// There is something to fetch, or to look for.
    pub pull: bool,
    /// An answer is outstanding.
    pub busy: bool,
}
