//! Going back to a known point: a new incarnation, a rewind, a reset, a group set aside.
//!
//! While one of these is outstanding both lanes stand still: it changes what they would send or ask for.

use super::command::{Command, Trouble};
use super::event::{Batch, Now, ResetCause};
use super::machine::Sync;
use crate::scheduler::{Part, Why};
use turnstone_protocol::{Class, Code};

/// Repairs in a row, without a success in between, after which the machine waits before the next.
const REPAIRS_MAX: u32 = 3;

/// What is outstanding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mending {
    Reset(ResetCause),
    Renew,
    Rewind,
    SetAside(Batch),
}

impl Sync {
    /// Starts again from a known point. Pending work is kept.
    pub(super) fn reset(&mut self, cause: ResetCause, now: Now, out: &mut Vec<Command>) {
        self.note(Trouble { code: reset_code(&cause).as_str().to_owned(), class: Class::Reset }, out);
        self.drop_pull(out);
        if matches!(cause, ResetCause::EpochChanged | ResetCause::EpochSuspect) {
            self.drop_push(out);
        }
        if !self.may_repair(now) {
            return;
        }
        self.mending = Some(Mending::Reset(cause));
        out.push(Command::Reset { cause });
    }

    /// Takes a new incarnation: the server knows another device by this one's.
    pub(super) fn renew(&mut self, now: Now, out: &mut Vec<Command>) {
        self.note(Trouble { code: Code::DeviceForked.as_str().to_owned(), class: Class::Reset }, out);
        self.drop_pull(out);
        self.drop_push(out);
        if !self.may_repair(now) {
            return;
        }
        self.mending = Some(Mending::Renew);
        out.push(Command::Renew);
    }

    /// The server misses a seq: send again from there, or take a new incarnation.
    pub(super) fn rewind(&mut self, expected: Option<u64>, now: Now, out: &mut Vec<Command>) {
        let Some(expected) = expected else { return self.renew(now, out) };
        self.note(Trouble { code: Code::SeqGap.as_str().to_owned(), class: Class::Reset }, out);
        if self.repairs >= 1 {
            // The same hole again: the log cannot fill it.
            return self.renew(now, out);
        }
        self.drop_push(out);
        if !self.may_repair(now) {
            return;
        }
        self.mending = Some(Mending::Rewind);
        out.push(Command::Rewind { expected });
    }

    /// Moves a poison group out of the way. Nothing is lost: it becomes a dead letter.
    pub(super) fn set_aside(&mut self, batch: Batch, code: Code, out: &mut Vec<Command>) {
        self.mending = Some(Mending::SetAside(batch));
        out.push(Command::SetAside { batch: batch.id, code });
    }

    pub(super) fn on_mended(&mut self, done: bool, now: Now, out: &mut Vec<Command>) {
        let Some(mending) = self.mending.take() else { return };
        self.restart_round();
        match (mending, done) {
            (Mending::SetAside(batch), true) => {
                self.push.credit = false;
                self.push.sizing.found();
                out.push(Command::Forget { batch: batch.id });
            }
            (Mending::SetAside(batch), false) => {
                out.push(Command::Forget { batch: batch.id });
                self.wait_push(Why::Refused, now);
            }
            (Mending::Rewind, false) => self.renew(now, out),
            (Mending::Rewind, true) => {}
            (Mending::Renew, true) => {
                self.pull.want();
                self.gate.hello_again();
            }
            (Mending::Reset(cause), true) => {
                self.pull.want();
                if matches!(cause, ResetCause::EpochChanged | ResetCause::EpochSuspect) {
                    self.gate.hello_again();
                }
            }
            (Mending::Renew | Mending::Reset(_), false) => {
                self.pull.want();
                self.gate.hello_again();
                self.scheduler.fail(Part::Gate, Why::Storage, now.mono_ms);
                self.run_failed();
            }
        }
    }

    /// Whether another repair may start at once; if not, the server will say so again when it is time.
    fn may_repair(&mut self, now: Now) -> bool {
        self.pull.want();
        self.restart_round();
        if self.mending.is_some() {
            return false;
        }
        if self.repairs >= REPAIRS_MAX {
            self.repairs = 0;
            self.scheduler.fail(Part::Gate, Why::Backoff, now.mono_ms);
            self.run_failed();
            return false;
        }
        self.repairs += 1;
        true
    }
}

const fn reset_code(cause: &ResetCause) -> Code {
    match cause {
        ResetCause::CursorExpired => Code::CursorExpired,
        ResetCause::CursorInvalid => Code::CursorInvalid,
        ResetCause::EpochChanged => Code::EpochChanged,
        ResetCause::EpochSuspect => Code::EpochSuspect,
    }
}
