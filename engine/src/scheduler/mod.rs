//! When to sync: now, at a time, when the operating system gives time, or not at all; and why.
//!
//! The scheduler owns every timer and every reason to wait: the debounce after writes, the back-offs of the gate and of
//! both lanes, `Retry-After`, the breaker, looking for news, hints about the network, and what the device's state allows.
//! What is done once a lane may start belongs to [`crate::sync`], which asks here. So each rule about time has one
//! home, and a trace of inputs and decisions is a test that any language can run.
//!
//! Two rules hold everywhere:
//! - a hint can put work off, never stop it: who says "offline" is believed for a while, and anything that works
//!   refutes it;
//! - with work pending and the network up there is always a decision that leads on (I-18): a request under way, a
//!   time, or a wish the operating system holds for us.

mod attempts;
mod breaker;
mod conditions;
mod debounce;
mod decide;
mod decision;
mod inputs;
mod plan;
mod trace;

pub use conditions::{Conditions, Constraints, Kind, Network, NetworkNeed};
pub use decision::{Background, Cause, Decision, Rest, Wake, Why, Work};
pub use plan::{Change, Config, Due, Part, Scheduler};
pub use trace::{Entry, Input, Trace};

/// How long a sync after a local write waits for further writes, in milliseconds; what an app may choose from.
pub const DEBOUNCE_MS: u64 = 3_000;
/// The shortest debounce an app may choose, in milliseconds.
pub const DEBOUNCE_MS_MIN: u64 = 2_000;
/// The longest debounce an app may choose, in milliseconds.
pub const DEBOUNCE_MS_MAX: u64 = 5_000;
/// The longest that further writes can put a sync off, in milliseconds.
pub const DEBOUNCE_TOTAL_MS_MAX: u64 = 10_000;
/// How often to look for news while quiet, in milliseconds. No system runs periodic work more often.
pub const POLL_MS: u64 = 900_000;
/// The longest `Retry-After` this client obeys in one go, in milliseconds; a server that needs longer says so again.
pub const RETRY_AFTER_MS_MAX: u64 = 3_600_000;
/// The most that is waited beyond a `Retry-After`, in milliseconds, so that a fleet does not come back as one.
pub const SPREAD_MS_MAX: u64 = 5_000;
/// How long a hint that there is no network is believed while a person looks on, in milliseconds.
pub const OFFLINE_MS_FOREGROUND: u64 = 60_000;
/// How long it is believed in the background, in milliseconds.
pub const OFFLINE_MS_BACKGROUND: u64 = 900_000;
/// Server failures or time-outs in a row that open the breaker.
pub const BREAKER_FAILURES_MAX: u32 = 3;
/// The most entries of a small push: a probe, and the first thing a background run sends.
pub const SMALL_ENTRIES_MAX: usize = 50;
/// The most bytes of a small push, except that one entry always fits.
pub const SMALL_BYTES_MAX: usize = 64 << 10;
