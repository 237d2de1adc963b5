//! The push lane: batches in seq order, one in flight, the next one being prepared.
//!
//! Work goes in rounds. A round starts before the first undecided group and moves up as batches are
//! answered, so a group the server only wants to see later (`blocked`, `retry`, `schema_behind`) is
//! not sent again within it. A round that decided something is followed by another while any wait,
//! for what was decided may have unblocked them; one that decided nothing is followed after a back-off.

use super::command::Command;
use super::event::{Batch, BatchId, Failure, Flight, Lane, Now, Page, ResetCause};
use super::machine::Sync;
use super::sizing::Sizing;
use crate::scheduler::{Part, SMALL_BYTES_MAX, SMALL_ENTRIES_MAX, Why};

/// What the lane does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PushState {
    Rest,
    Sealing(BatchId),
    Ready(Batch),
    Sending(Sending),
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
    pub(super) sizing: Sizing,
    /// The next push is a small one and brings nothing back: there may be time for no more.
    pub(super) is_first: bool,
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
            sizing: Sizing::new(entries_max, bytes_max),
            is_first: false,
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

    /// Whether there is something the lane would start, were it not made to wait.
    pub(super) const fn wants(&self) -> bool {
        match self.state {
            PushState::Rest => self.look || self.more || self.round_open,
            PushState::Ready(_) => true,
            PushState::Sealing(_) | PushState::Sending(_) => false,
        }
    }
}

impl Sync {
    /// Whether there is something the lane would start now.
    pub(super) const fn push_wants(&self) -> bool {
        self.push.wants() && self.scheduler.waits(Part::Push).is_none()
    }

    /// Whether a pull may wait a little for this lane.
    pub(super) fn push_makes_progress(&self) -> bool {
        self.push.has_outstanding()
            || self.push_wants()
                && self.scheduler.held_back(true).is_none()
                && self.scheduler.disallowed(true).is_none()
    }

    /// The next batch is taken from the first undecided group again.
    pub(super) const fn restart_round(&mut self) {
        self.push.look = true;
        self.push.from_seq = 0;
        self.scheduler.release(Part::Again);
    }

    /// The lane's wait is over.
    pub(super) fn release_push(&mut self, out: &mut Vec<Command>) {
        self.push.more = true;
        if self.push.held {
            self.push.held = false;
            out.push(Command::Hold { lane: Lane::Push, ms: 0 });
        }
    }

    /// Ends a round, starts one, seals or sends: whatever comes next.
    pub(super) fn advance_push(&mut self, now: Now, out: &mut Vec<Command>) {
        let waits = self.scheduler.waits(Part::Push).or_else(|| self.scheduler.held_back(true));
        if waits.is_some() || self.scheduler.disallowed(true).is_some() {
            return;
        }
        match self.push.state {
            PushState::Rest if self.push.more => self.seal(out),
            PushState::Rest if self.push.round_open && self.push.settling > 0 => {}
            PushState::Rest if self.push.round_open => {
                self.end_round(now);
                self.advance_push(now, out);
            }
            PushState::Rest if self.push.look => {
                self.push.look = false;
                if self.scheduler.waits(Part::Again).is_none() {
                    self.push.from_seq = 0;
                }
                self.seal(out);
            }
            PushState::Ready(batch) if self.is_small() && batch.entries > SMALL_ENTRIES_MAX => {
                out.push(Command::Forget { batch: batch.id });
                self.push.state = PushState::Rest;
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
            self.scheduler.reset(Part::Again);
        } else if decided {
            self.restart_round();
        } else if self.scheduler.waits(Part::Again).is_none() {
            self.scheduler.fail(Part::Again, Why::GroupsWaiting, now.mono_ms);
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
        let (mut entries_max, mut bytes_max) = (self.push.sizing.entries(), self.push.sizing.bytes());
        if self.is_small() {
            (entries_max, bytes_max) = (entries_max.min(SMALL_ENTRIES_MAX), bytes_max.min(SMALL_BYTES_MAX));
        }
        out.push(Command::Seal { batch, after_seq, entries_max, bytes_max });
        batch
    }

    /// Whether the next push is a small one: to find out whether the server works, or as there may be little time.
    const fn is_small(&self) -> bool {
        self.push.is_first || self.scheduler.probes()
    }

    fn send(&mut self, batch: Batch, now: Now, out: &mut Vec<Command>) {
        let flight = self.next_flight();
        let is_alone = self.push.sizing.is_searching() || self.is_small();
        // Where the last page is applied while this batch is in flight, every second one brings a page back.
        let pull = !is_alone && self.pull_could_start();
        if pull {
            // Still due: a push that hangs must not keep what others wrote from coming.
            self.pull.wanted = true;
        }
        self.push.progress_ms = now.mono_ms;
        out.push(Command::Send { flight, batch: batch.id, pull });
        let next =
            if batch.more && !is_alone { Next::Sealing(self.seal_after(batch.last_seq, out)) } else { Next::None };
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
        self.answered(Part::Push);
        let push = &mut self.push;
        push.is_first = false;
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
            (Some(page), Some(asks)) if !self.pull.has_outstanding() && self.scheduler.waits(Part::Pull).is_none() => {
                self.pull.stage_half(sending.flight, page, asks)
            }
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
                self.restart_round();
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
            PushState::Rest | PushState::Sealing(_) => {}
        }
        self.push.state = PushState::Rest;
        self.restart_round();
    }
}
