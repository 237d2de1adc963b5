//! The push lane: batches in seq order, one in flight, the next one being prepared.
//!
//! Work goes in rounds. A round starts before the first undecided group and moves up as batches are
//! answered, so a group the server only wants to see later (`blocked`, `retry`, `schema_behind`) is
//! not sent again within it. A round that decided something is followed by another while any wait,
//! for what was decided may have unblocked them; one that decided nothing is followed after a back-off.

use turnstone_protocol::plant::{self, Bug};

use super::command::Command;
use super::event::{Batch, BatchId, Failure, Flight, Lane, Now, Page, ResetCause};
use super::machine::Sync;
use super::sizing::Sizing;
use super::standing::{Wake, Why};
use super::{DEBOUNCE_MS, DEBOUNCE_MS_MAX};
use crate::backoff::Backoff;

/// What the lane does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PushState {
    Rest,
    Sealing(BatchId),
    Ready(Batch),
    Sending(Sending),
    Waiting(Wake),
}

/// A push under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sending {
    pub(super) flight: Flight,
    pub(super) generation: u32,
    pub(super) batch: Batch,
    /// Whether it asked for the pull half, and how often a pull had been asked for then.
    pub(super) pull: Option<u32>,
    pub(super) next: Next,
}

/// The batch after the one in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    None,
    Sealing(BatchId),
    Ready(Batch),
}

/// Local writes that a sync waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Debounce {
    pub(super) until_ms: u64,
    latest_ms: u64,
}

/// The push lane.
#[derive(Debug)]
pub(super) struct Push {
    pub(super) state: PushState,
    /// Something may be sendable that this round has not seen.
    pub(super) look: bool,
    /// This round has more to send.
    pub(super) more: bool,
    round_open: bool,
    /// Entries up to this seq were answered in this round.
    from_seq: u64,
    /// When the last push left.
    pub(super) progress_ms: u64,
    settling: usize,
    decided: bool,
    waiting: usize,
    /// Something is sent only in the round after the voids of this one.
    behind_void: bool,
    /// Groups that waited at the end of the last round.
    pub(super) waiting_last: usize,
    /// When to send waiting groups again.
    pub(super) again: Option<Wake>,
    again_backoff: Backoff,
    pub(super) debounce: Option<Debounce>,
    pub(super) sizing: Sizing,
    pub(super) backoff: Backoff,
    /// Whether one entry may be set aside without proof that others go through: outages look like poison.
    pub(super) credit: bool,
    pub(super) bad_links: u32,
    pub(super) server_failures: u32,
    pub(super) single_failures: u32,
    /// A `Retry-After` is written down and must be crossed out.
    pub(super) held: bool,
}

impl Push {
    pub(super) const fn new(entries_max: usize, bytes_max: usize) -> Self {
        Self {
            state: PushState::Rest,
            look: false,
            more: false,
            round_open: false,
            from_seq: 0,
            progress_ms: 0,
            settling: 0,
            decided: false,
            waiting: 0,
            behind_void: false,
            waiting_last: 0,
            again: None,
            again_backoff: Backoff::new(),
            debounce: None,
            sizing: Sizing::new(entries_max, bytes_max),
            backoff: Backoff::new(),
            credit: true,
            bad_links: 0,
            server_failures: 0,
            single_failures: 0,
            held: false,
        }
    }

    /// Whether an answer is outstanding.
    pub(super) const fn has_outstanding(&self) -> bool {
        self.settling > 0 || matches!(self.state, PushState::Sealing(_) | PushState::Sending(_))
    }

    /// Whether there is something the lane would start.
    pub(super) const fn wants(&self) -> bool {
        match self.state {
            PushState::Rest => self.look || self.more || self.round_open,
            PushState::Ready(_) => true,
            PushState::Sealing(_) | PushState::Sending(_) | PushState::Waiting(_) => false,
        }
    }

    /// Whether a pull may wait a little for this lane.
    pub(super) const fn makes_progress(&self) -> bool {
        self.has_outstanding() || self.wants()
    }

    /// The next batch is taken from the first undecided group again.
    pub(super) const fn restart_round(&mut self) {
        self.look = true;
        self.again = None;
        self.from_seq = 0;
    }

    /// A local write committed: waits a little for others, but not for ever.
    pub(super) fn put_off(&mut self, now: Now) {
        if plant::on(Bug::WakeLost) && self.has_outstanding() {
            return;
        }
        let latest_ms = self.debounce.map_or(now.mono_ms.saturating_add(DEBOUNCE_MS_MAX), |was| was.latest_ms);
        let until_ms = now.mono_ms.saturating_add(DEBOUNCE_MS).min(latest_ms);
        self.debounce = Some(Debounce { until_ms, latest_ms });
    }
}

impl Sync {
    /// Lets what the lane waited for begin.
    pub(super) fn wake_push(&mut self, now: Now, out: &mut Vec<Command>) {
        if let PushState::Waiting(wait) = self.push.state
            && wait.at_ms <= now.mono_ms
        {
            self.push.state = PushState::Rest;
            self.push.more = true;
            self.release_push(out);
        }
        if self.push.again.is_some_and(|again| again.at_ms <= now.mono_ms) {
            self.push.restart_round();
        }
        if self.push.debounce.is_some_and(|debounce| debounce.until_ms <= now.mono_ms) {
            self.push.look = true;
        }
        if self.push.look {
            self.push.debounce = None;
        }
    }

    fn release_push(&mut self, out: &mut Vec<Command>) {
        if self.push.held {
            self.push.held = false;
            out.push(Command::Hold { lane: Lane::Push, ms: 0 });
        }
    }

    /// Ends a round, starts one, seals or sends: whatever comes next.
    pub(super) fn advance_push(&mut self, now: Now, out: &mut Vec<Command>) {
        match self.push.state {
            PushState::Rest if self.push.more => self.seal(out),
            PushState::Rest if self.push.round_open && self.push.settling > 0 => {}
            PushState::Rest if self.push.round_open => {
                self.end_round(now);
                self.advance_push(now, out);
            }
            PushState::Rest if self.push.look => {
                self.push.look = false;
                if self.push.again.is_none() {
                    self.push.from_seq = 0;
                }
                self.seal(out);
            }
            PushState::Ready(batch) => self.send(batch, now, out),
            _ => {}
        }
    }

    fn end_round(&mut self, now: Now) {
        let push = &mut self.push;
        push.round_open = false;
        push.waiting_last = push.waiting;
        let (waiting, decided) = (std::mem::take(&mut push.waiting), std::mem::take(&mut push.decided));
        let behind_void = std::mem::take(&mut push.behind_void);
        if waiting == 0 && !behind_void {
            push.again_backoff.succeeded();
        } else if decided {
            push.restart_round();
        } else if push.again.is_none() {
            let at_ms = now.mono_ms.saturating_add(push.again_backoff.failed(&mut self.rng));
            push.again = Some(Wake { at_ms, why: Why::GroupsWaiting });
        }
    }

    fn seal(&mut self, out: &mut Vec<Command>) {
        self.push.more = false;
        self.push.round_open = true;
        if self.push.from_seq == 0 {
            // Nothing is left out, so nothing is left to look for.
            self.push.look = false;
        }
        let batch = self.seal_after(self.push.from_seq, out);
        self.push.state = PushState::Sealing(batch);
    }

    fn seal_after(&mut self, after_seq: u64, out: &mut Vec<Command>) -> BatchId {
        let batch = self.next_batch();
        let (entries_max, bytes_max) = (self.push.sizing.entries(), self.push.sizing.bytes());
        out.push(Command::Seal { batch, after_seq, entries_max, bytes_max });
        batch
    }

    fn send(&mut self, batch: Batch, now: Now, out: &mut Vec<Command>) {
        let flight = self.next_flight();
        let pull = !batch.more && self.pull.could_start() && !self.push.sizing.is_searching();
        if pull {
            // Still due: a push that hangs must not keep what others wrote from coming.
            self.pull.wanted = true;
        }
        self.push.progress_ms = now.mono_ms;
        out.push(Command::Send { flight, batch: batch.id, pull });
        let next = if batch.more && !self.push.sizing.is_searching() {
            Next::Sealing(self.seal_after(batch.last_seq, out))
        } else {
            Next::None
        };
        let generation = self.gate.generation;
        let pull = pull.then_some(self.pull.asks);
        self.push.state = PushState::Sending(Sending { flight, generation, batch, pull, next });
    }

    pub(super) fn on_sealed(&mut self, batch: Batch, out: &mut Vec<Command>) {
        let empty = batch.entries == 0;
        self.push.behind_void |= batch.waits;
        match &mut self.push.state {
            PushState::Sealing(id) if *id == batch.id => {
                self.push.state = if empty { PushState::Rest } else { PushState::Ready(batch) };
            }
            PushState::Sending(sending) if sending.next == Next::Sealing(batch.id) => {
                sending.batch.more = !empty;
                sending.next = if empty { Next::None } else { Next::Ready(batch) };
            }
            _ if empty => {}
            _ => out.push(Command::Forget { batch: batch.id }),
        }
    }

    pub(super) fn on_pushed(
        &mut self,
        flight: Flight,
        result: Result<Option<Page>, Failure>,
        now: Now,
        out: &mut Vec<Command>,
    ) {
        let PushState::Sending(sending) = self.push.state else {
            return out.push(Command::Discard { flight });
        };
        if sending.flight != flight {
            return out.push(Command::Discard { flight });
        }
        match result {
            Ok(page) => self.push_succeeded(sending, page, out),
            Err(failure) => {
                out.push(Command::Discard { flight });
                self.push_failed(sending, &failure, now, out);
            }
        }
    }

    fn push_succeeded(&mut self, sending: Sending, page: Option<Page>, out: &mut Vec<Command>) {
        let batch = sending.batch;
        self.gate.worked();
        let push = &mut self.push;
        push.backoff.succeeded();
        (push.bad_links, push.server_failures, push.single_failures) = (0, 0, 0);
        push.credit = true;
        push.sizing.succeeded(batch.entries);
        push.from_seq = push.from_seq.max(batch.last_seq);
        push.settling += 1;
        out.push(Command::Settle { flight: sending.flight });
        out.push(Command::Forget { batch: batch.id });
        push.state = match sending.next {
            Next::Ready(next) => PushState::Ready(next),
            Next::Sealing(id) => PushState::Sealing(id),
            Next::None => {
                push.more = batch.more;
                PushState::Rest
            }
        };
        match (page, sending.pull) {
            (Some(page), Some(asks)) if self.pull.could_start() => self.pull.stage_half(sending.flight, page, asks),
            (page, _) => {
                self.pull.want();
                out.extend(page.map(|_| Command::Discard { flight: sending.flight }));
            }
        }
    }

    pub(super) fn on_settled(
        &mut self,
        decided: usize,
        waiting: usize,
        reset: Option<ResetCause>,
        now: Now,
        out: &mut Vec<Command>,
    ) {
        self.push.settling = self.push.settling.saturating_sub(1);
        self.push.decided |= decided > 0;
        self.push.waiting += waiting;
        if decided > 0 {
            self.repairs = 0;
        }
        if let Some(cause) = reset {
            self.reset(cause, now, out);
        }
    }

    pub(super) fn push_storage_failed(&mut self, batch: Option<BatchId>, now: Now) {
        match (&mut self.push.state, batch) {
            (PushState::Sealing(id), Some(batch)) if *id == batch => {
                self.push.more = true;
                self.wait_push(Why::Storage, now);
            }
            (PushState::Sending(sending), Some(batch)) if sending.next == Next::Sealing(batch) => {
                sending.next = Next::None;
            }
            (_, Some(_)) => {}
            (_, None) => {
                // The verdicts were not written: the groups are sent again and answered again.
                self.push.settling = self.push.settling.saturating_sub(1);
                self.push.restart_round();
                if matches!(self.push.state, PushState::Rest) {
                    self.wait_push(Why::Storage, now);
                }
            }
        }
    }

    /// Gives up what is sealed and what is in flight: it will be taken again from the database.
    pub(super) fn drop_push(&mut self, out: &mut Vec<Command>) {
        let mut forget = |batch: Batch| out.push(Command::Forget { batch: batch.id });
        match self.push.state {
            PushState::Ready(batch) => forget(batch),
            PushState::Sending(sending) => {
                forget(sending.batch);
                if let Next::Ready(next) = sending.next {
                    forget(next);
                }
                out.push(Command::Discard { flight: sending.flight });
            }
            PushState::Rest | PushState::Sealing(_) | PushState::Waiting(_) => {}
        }
        if !matches!(self.push.state, PushState::Waiting(_)) {
            self.push.state = PushState::Rest;
        }
        self.push.restart_round();
    }
}
