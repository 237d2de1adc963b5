//! What a failed push leads to. No way out of here loses a group: it is sent again, or becomes a dead letter.

use super::SINGLE_TRIES_MAX;
use super::classify::{self, Meaning};
use super::command::Command;
use super::event::{Batch, Failure, Lane, Now};
use super::machine::Sync;
use super::push::{Next, PushState, Sending};
use crate::scheduler::{Part, Why};
use turnstone_protocol::Code;
use turnstone_protocol::plant::{self, Bug};

impl Sync {
    pub(super) fn push_failed(&mut self, sending: Sending, failure: &Failure, now: Now, out: &mut Vec<Command>) {
        let batch = sending.batch;
        if let Next::Ready(next) = sending.next {
            out.push(Command::Forget { batch: next.id });
        }
        if sending.pull.is_some() {
            self.pull.want();
        }
        self.push.state = PushState::Rest;
        self.push.more = true;
        let meaning = classify::meaning(failure);
        if let Meaning::Unauthorized { expired } = meaning {
            out.push(Command::Forget { batch: batch.id });
            return self.on_unauthorized(sending.generation, expired, now, out);
        }
        if meaning == Meaning::OtherAccount {
            out.push(Command::Forget { batch: batch.id });
            return self.on_other_account(sending.generation, now, out);
        }
        self.note(classify::trouble(failure), out);
        self.blame(Some(Lane::Push), failure, now);
        if self.mending.is_some() {
            // What is being repaired may be why it failed: try again afterwards.
            return out.push(Command::Forget { batch: batch.id });
        }
        if let Some(code) = self.poison(&meaning, batch) {
            return self.set_aside(batch, code, out);
        }
        out.push(Command::Forget { batch: batch.id });
        match meaning {
            Meaning::Offline | Meaning::NotServed => self.wait_push(Why::Backoff, now),
            Meaning::BadLink => self.push_on_bad_link(batch, now),
            Meaning::AskLess => {
                self.pull.ask_less();
                self.wait_push(Why::Backoff, now);
            }
            Meaning::Later { retry_after_ms: Some(_) } if plant::on(Bug::RetryAfterIgnored) => {
                self.wait_push(Why::Backoff, now);
            }
            Meaning::Later { retry_after_ms: Some(ms) } => self.hold_push(ms, now, out),
            Meaning::Later { retry_after_ms: None } => self.wait_push(Why::Backoff, now),
            Meaning::Forbidden => {
                self.push.sizing.probe();
                self.wait_push(Why::Forbidden, now);
            }
            Meaning::TooLarge if batch.entries > 1 => self.push.sizing.too_large(batch.entries, batch.bytes),
            Meaning::Refused(_) if batch.entries > 1 => self.push.sizing.failed(batch.entries, 2),
            Meaning::TooLarge | Meaning::Refused(_) => self.wait_push(Why::Refused, now),
            Meaning::ServerFailed(_) => self.push_on_server_failure(batch, now),
            Meaning::SeqGap { expected } => self.rewind(expected, now, out),
            Meaning::Forked => self.renew(now, out),
            Meaning::Reset(cause) => self.reset(cause, now, out),
            Meaning::Upgrade => self.stop_for_upgrade(now, out),
            Meaning::Unauthorized { .. } | Meaning::OtherAccount => {}
        }
        self.run_failed_by(&classify::meaning(failure));
    }

    /// Whether the one group of this batch is to blame. A server that fails everything must not turn the whole
    /// queue into dead letters, so after one group set aside a push must succeed before the next may be; and a
    /// 5xx blames nobody until it came several times while downloads work.
    fn poison(&mut self, meaning: &Meaning, batch: Batch) -> Option<Code> {
        if batch.entries != 1 && !plant::on(Bug::PoisonNotIsolated) {
            return None;
        }
        let code = match meaning {
            Meaning::TooLarge => Code::TooLarge,
            Meaning::Refused(code) => code.clone(),
            Meaning::ServerFailed(code) => {
                if self.push.single_failures == 0 {
                    self.pull.worked = false;
                    self.pull.want();
                }
                self.push.single_failures = self.push.single_failures.saturating_add(1);
                if self.push.single_failures < SINGLE_TRIES_MAX || !self.pull.worked {
                    return None;
                }
                code.clone()
            }
            _ => return None,
        };
        (batch.voids == 0 && self.push.credit).then_some(code)
    }

    fn push_on_bad_link(&mut self, batch: Batch, now: Now) {
        self.push.bad_links = self.push.bad_links.saturating_add(1);
        if self.push.bad_links >= 2 {
            self.push.sizing.failed(batch.entries, 4);
        }
        self.wait_push(Why::Backoff, now);
    }

    fn push_on_server_failure(&mut self, batch: Batch, now: Now) {
        self.push.server_failures = self.push.server_failures.saturating_add(1);
        if self.push.server_failures >= 2 && batch.entries > 1 {
            self.push.sizing.failed(batch.entries, 4);
        }
        self.wait_push(Why::Backoff, now);
    }

    pub(super) fn wait_push(&mut self, why: Why, now: Now) {
        self.push.state = PushState::Rest;
        if plant::on(Bug::OneFailureEndsRetries) {
            return self.scheduler.wait(Part::Push, u64::MAX, why, now.mono_ms);
        }
        self.scheduler.fail(Part::Push, why, now.mono_ms);
    }

    /// Obeys a `Retry-After`, also across a restart.
    pub(super) fn hold_push(&mut self, ms: u64, now: Now, out: &mut Vec<Command>) {
        if !matches!(self.push.state, PushState::Rest) {
            self.drop_push(out);
        }
        let ms = self.scheduler.hold(Part::Push, ms, now.mono_ms);
        self.push.held = true;
        out.push(Command::Hold { lane: Lane::Push, ms });
    }

    /// Waits for what is left of one.
    pub(super) fn resume_push(&mut self, ms: u64, now: Now, out: &mut Vec<Command>) {
        if !matches!(self.push.state, PushState::Rest) {
            self.drop_push(out);
        }
        let ms = self.scheduler.resume_hold(Part::Push, ms, now.mono_ms);
        self.push.held = true;
        out.push(Command::Hold { lane: Lane::Push, ms });
    }
}
