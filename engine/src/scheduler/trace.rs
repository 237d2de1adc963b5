//! Inputs and decisions as data: what golden traces are made of, so that every language can replay them.

use serde::{Deserialize, Serialize};

use super::conditions::Conditions;
use super::decision::{Background, Cause, Decision, Work};
use super::plan::{Config, Due, Part, Scheduler};

/// Something that happens to a scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// A local write committed.
    Written,
    /// The server has news, so they say.
    Poked,
    /// Somebody asks for a sync and waits (pull to refresh).
    Requested,
    /// The operating system gave time.
    Granted,
    /// It took it back.
    Expired,
    /// The sync that was asked for, or for which time was given, is over.
    Finished,
    /// There is a new token.
    TokenChanged,
    /// A hint about the network alone.
    Network {
        /// Whether there seems to be one.
        up: bool,
    },
    /// What the device is like.
    Conditions(Conditions),
    /// The next pull brings everything there is; or only what is new.
    Bootstrap(bool),
    /// What there is to do has changed.
    Work(Work),
    /// Everything is synced.
    Quiet,
    /// A server that works answered.
    Worked(Part),
    /// A part cannot go on and waits by its back-off.
    Failed(Part),
    /// The server failed, or did not answer in time.
    ServerFailed(Part),
    /// The server asked a part to come back after so many milliseconds; also what is left of it after a restart.
    RetryAfter {
        /// Which part.
        part: Part,
        /// How many.
        ms: u64,
    },
    /// Nobody is signed in.
    SignIn,
    /// Time passed.
    Tick,
}

/// One step of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in milliseconds on a clock that only rises.
    pub at_ms: u64,
    /// What happens.
    pub input: Input,
    /// What is decided then.
    pub decision: Decision,
    /// What the operating system is to hold meanwhile, in case the process ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<Background>,
}

/// A golden trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// What it shows, in one sentence.
    pub about: String,
    /// All randomness there is.
    pub seed: u64,
    /// Whether it syncs by itself.
    pub auto: bool,
    /// How long a sync waits for further writes, where the app chose that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debounce_ms: Option<u64>,
    /// What happens, and what is decided.
    pub steps: Vec<Entry>,
}

impl Trace {
    /// Runs the inputs and gives the trace as it should be written down.
    #[must_use]
    pub fn replay(&self) -> Self {
        let usual = Config::default();
        let debounce_ms = self.debounce_ms.unwrap_or(usual.debounce_ms);
        let mut scheduler = Scheduler::new(Config { auto: self.auto, debounce_ms, ..usual }, self.seed);
        let mut work = Work::default();
        let steps = self.steps.iter().map(|step| scheduler.step(step.input, step.at_ms, &mut work)).collect();
        Self { steps, ..self.clone() }
    }
}

impl Scheduler {
    /// Takes an input and says what is decided then. What there is to do is kept in `work`: what becomes due is work.
    pub fn step(&mut self, input: Input, now_ms: u64, work: &mut Work) -> Entry {
        // Time comes before what happens at that time.
        self.pass(now_ms, work);
        self.take(input, now_ms, work);
        self.pass(now_ms, work);
        let (decision, wish) = (self.decide(*work, now_ms), self.wish(*work, now_ms));
        Entry { at_ms: now_ms, input, decision, wish }
    }

    fn pass(&mut self, now_ms: u64, work: &mut Work) {
        let Due { push, pull, again, debounce, poll } = self.advance(now_ms);
        work.push |= push || again || debounce;
        work.pull |= pull || poll;
        if work.push {
            self.flushed();
        }
        if again {
            self.release(Part::Again);
        }
    }

    fn take(&mut self, input: Input, now_ms: u64, work: &mut Work) {
        let everything = |work: &mut Work| (work.push, work.pull) = (true, true);
        match input {
            Input::Written => self.written(now_ms),
            Input::Poked => {
                self.poked();
                work.pull = true;
            }
            Input::Requested | Input::Granted => {
                self.asked(if input == Input::Granted { Cause::Granted } else { Cause::Requested });
                everything(work);
            }
            Input::Expired => self.expired(),
            Input::Finished => self.answered(),
            Input::TokenChanged => {
                self.token_changed();
                everything(work);
            }
            Input::Network { .. } | Input::Conditions(_) => {
                let change = match input {
                    Input::Network { up } => self.network(up, now_ms),
                    Input::Conditions(conditions) => self.conditions(conditions, now_ms),
                    _ => return,
                };
                work.push |= change.at_once || change.leaving;
                work.pull |= change.at_once;
            }
            Input::Bootstrap(is_bootstrap) => self.bootstrap(is_bootstrap),
            Input::Work(now) => *work = now,
            Input::Quiet => {
                *work = Work::default();
                self.quiet(now_ms);
            }
            Input::Worked(part) => self.worked(part),
            Input::Failed(part) => self.fail(part, super::Why::Backoff, now_ms),
            Input::ServerFailed(part) => {
                if part != Part::Gate {
                    work.pull |= self.server_failed(part == Part::Push, now_ms);
                } else {
                    self.server_failed(false, now_ms);
                }
                self.fail(part, super::Why::Backoff, now_ms);
            }
            Input::RetryAfter { part, ms } => {
                self.hold(part, ms, now_ms);
            }
            Input::SignIn => self.fail(Part::Gate, super::Why::SignIn, now_ms),
            Input::Tick => {}
        }
    }
}
