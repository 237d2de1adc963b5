//! A push inside its transaction: locked, checked as a whole, decided group by group, written.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::wire::{Outcome, Verdict};
use turnstone_protocol::{Code, Gid, Problem};

use super::incoming::{Body, Incoming};
use super::open::Rules;
use super::position::{check_cursor, stable};
use super::rows::Rows;
use super::said::Said;
use super::seqs::{Seqs, settle_stored};
use crate::cursor::Cursor;
use crate::storage::{Digest, Hashes, Head, Life, Slot, SlotNo, StorageError, StoredVerdict, TenantNo, Tx};

/// A push, ready to run inside a transaction as often as it takes.
pub(super) struct Push {
    pub(super) rules: Arc<Rules>,
    pub(super) tenant: String,
    pub(super) life: Life,
    pub(super) now_ms: u64,
    pub(super) entries: Vec<Incoming>,
    /// Where the device stands, if it asked for the pull half as well.
    pub(super) cursor: Option<Cursor>,
    /// Only where that bug is planted: the head as it was before the lock.
    pub(super) early: Option<Head>,
}

/// What a push came to.
pub(super) struct Pushed {
    pub(super) verdicts: Vec<Verdict>,
    pub(super) head: Head,
}

/// A push while it runs.
pub(super) struct Session<'a> {
    pub(super) push: &'a Push,
    pub(super) tx: &'a dyn Tx,
    pub(super) tenant: TenantNo,
    pub(super) slot: Slot,
    pub(super) head: Head,
    pub(super) rows: Rows<'a>,
    /// Who sent a commit, with which seq.
    pub(super) origins: HashMap<u64, (SlotNo, u64)>,
    seqs: Seqs,
    /// Seqs of other devices that are decided by this push.
    others: BTreeMap<SlotNo, BTreeMap<u64, u64>>,
    /// What this push wrote about groups, in the store already.
    said: HashMap<Gid, StoredVerdict>,
}

impl Push {
    /// Runs the push. The inner problem refuses the request as a whole; nothing was written then.
    pub(super) fn run(&self, tx: &dyn Tx) -> Result<Result<Pushed, Problem>, StorageError> {
        let locked = tx.lock(&self.tenant, self.life)?;
        // A device that stands in another history must learn that before it adds to this one.
        if let Some(cursor) = &self.cursor
            && let Err(problem) = check_cursor(tx, &self.rules, locked.tenant, &locked.head, cursor)?
        {
            return Ok(Err(problem));
        }
        let mut session = Session {
            push: self,
            tx,
            tenant: locked.tenant,
            slot: locked.slot,
            head: self.early.unwrap_or(locked.head),
            rows: Rows::new(locked.tenant),
            origins: HashMap::new(),
            seqs: Seqs::load(tx, locked.slot.no)?,
            others: BTreeMap::new(),
            said: HashMap::new(),
        };
        let known = match session.check()? {
            Ok(known) => known,
            Err(problem) => return Ok(Err(problem)),
        };
        let mut verdicts = Vec::with_capacity(self.entries.len());
        for (entry, known) in self.entries.iter().zip(known) {
            let said = session.answer(entry, known)?;
            verdicts.push(said.into_verdict(entry.gid, entry.seq));
        }
        session.finish()?;
        Ok(Ok(Pushed { verdicts, head: session.head }))
    }
}

impl<'a> Session<'a> {
    /// Looks every gid up and refuses a request that does not fit what was recorded (I-11, I-12). Writes nothing.
    fn check(&self) -> Result<Result<Vec<Option<StoredVerdict>>, Problem>, StorageError> {
        let mut next = self.seqs.last().saturating_add(1);
        let mut seen: HashMap<Gid, Option<Digest>> = HashMap::new();
        let mut known = Vec::with_capacity(self.push.entries.len());
        for entry in &self.push.entries {
            let stored = self.tx.verdict(self.tenant, entry.gid)?;
            let earlier = match &stored {
                Some(stored) => Some(stored.hashes.payload),
                None => seen.get(&entry.gid).copied(),
            };
            if let (Some(Some(hash)), Some(sent)) = (earlier, entry.hash)
                && hash != sent
                && !self.is_restamped(entry, stored.as_ref())?
            {
                tracing::error!(gid = %entry.gid, "a known gid came with another body");
                return Ok(Err(Problem::new(
                    Code::GidReuse,
                    "A known gid came with another body; nothing was applied.",
                )));
            }
            if entry.seq > next {
                let mut problem = Problem::new(Code::SeqGap, "A seq is missing before the first new group.");
                problem.expected = Some(next);
                return Ok(Err(problem));
            }
            if entry.seq == next {
                next = next.saturating_add(1);
            } else if earlier.is_none() && !plant::on(Bug::HighWaterMark) && !self.may_fill(entry)? {
                tracing::warn!("a device came with a known seq and another gid");
                return Ok(Err(Problem::new(Code::DeviceForked, "This seq was used already: take a new incarnation.")));
            }
            seen.insert(entry.gid, entry.hash);
            known.push(stored);
        }
        Ok(Ok(known))
    }

    /// Whether a known gid comes with the ops it came with before, under another stamp: two copies of one device each
    /// sealed what neither had sent. What is said of it stays, and the effect is one (I-41).
    fn is_restamped(&self, entry: &Incoming, stored: Option<&StoredVerdict>) -> Result<bool, StorageError> {
        let (Body::Group(group), Some(stored)) = (&entry.body, stored) else { return Ok(false) };
        if !stored.outcome.is_accepted() {
            return Ok(stored.hashes.ops == Some(group.ops_hash()));
        }
        Ok(self.tx.ops(self.tenant, stored.commit)?.as_deref() == Some(group.ops_text()))
    }

    /// Whether an unknown gid may come with a seq that was recorded: because what the seq stood for is forgotten (it
    /// is then expired), or because it takes the place of exactly that group.
    fn may_fill(&self, entry: &Incoming) -> Result<bool, StorageError> {
        if entry.seq <= self.slot.pruned_seq {
            return Ok(true);
        }
        let Body::Group(group) = &entry.body else { return Ok(false) };
        let Some(old) = group.replaces else { return Ok(false) };
        let old = self.tx.verdict(self.tenant, old)?;
        Ok(old.is_some_and(|old| !old.outcome.is_terminal() && old.from == Some((self.slot.no, entry.seq))))
    }

    /// Says what becomes of an entry, and records it.
    fn answer(&mut self, entry: &'a Incoming, known: Option<StoredVerdict>) -> Result<Said, StorageError> {
        let known = self.said.get(&entry.gid).cloned().or(known);
        let is_next = entry.seq == self.seqs.last().saturating_add(1);
        if let Some(stored) = known.as_ref().filter(|stored| stored.outcome.is_terminal() && !plant::on(Bug::NoDedupe))
        {
            let said = Said::read(stored)?;
            // A seq that another commit decided stands for what came with it then: a life of the device that has ended used it.
            let is_recorded = if is_next {
                self.seqs.record(said.decided_at());
                true
            } else {
                let is_its_seq = stored.from.is_none_or(|(slot, seq)| slot != self.slot.no || seq == entry.seq);
                is_its_seq && self.seqs.settle(self.tx, entry.seq, said.commit)?
            };
            // The head at which two groups were refused may be the same; of an accepted one it is its own.
            let is_this = is_next || stored.outcome.is_accepted() || stored.from == Some((self.slot.no, entry.seq));
            if is_recorded && is_this {
                self.repeats(entry)?;
            }
            return Ok(said);
        }
        let said = match &entry.body {
            _ if plant::on(Bug::HighWaterMark) && !is_next => Said::new(Outcome::Applied, self.head.n),
            _ if known.is_none() && !is_next && entry.seq <= self.slot.pruned_seq => {
                Said::because(Outcome::OpExpired, self.head.n, Code::OpExpired)
            }
            Body::Void { replaces } => self.void(entry, *replaces)?,
            Body::Unread(said) => Said { commit: self.head.n, ..said.clone() },
            Body::Group(group) => self.decide(entry, group)?,
        };
        let decided = said.decided_at();
        let is_recorded = if is_next {
            self.seqs.record(decided);
            true
        } else if let Some(commit) = decided {
            self.seqs.settle(self.tx, entry.seq, commit)?
        } else {
            false
        };
        if let (Some(commit), Some(from)) = (decided, known.as_ref().and_then(|known| known.from)) {
            self.settle(from, commit)?;
        }
        if !said.outcome.is_accepted() {
            // Accepted groups were recorded with their commit.
            let before = known.map(|known| known.hashes).unwrap_or_default();
            let came = match &entry.body {
                Body::Group(group) => Some(group.ops_hash()),
                Body::Void { .. } | Body::Unread(_) => None,
            };
            let hashes = Hashes { payload: entry.hash.or(before.payload), ops: came.or(before.ops) };
            self.record(entry.gid, said.store(hashes, Some((self.slot.no, entry.seq)))?)?;
            if is_recorded {
                self.repeats(entry)?;
            }
        }
        Ok(said)
    }

    /// Where somebody else's group, a copy's, made an entry part of the history already: what this incarnation sends after
    /// it has seen that commit.
    fn repeats(&mut self, entry: &Incoming) -> Result<(), StorageError> {
        if let Some(StoredVerdict { commit, from: Some((slot, _)), .. }) = self.applied(entry.gid)?
            && slot != self.slot.no
            && !plant::on(Bug::RepeatsForgotten)
        {
            self.tx.put_repeated(self.tenant, commit, self.slot.no, entry.seq)?;
            self.origins.insert(commit, (self.slot.no, entry.seq));
        }
        Ok(())
    }

    /// What is known of a group, also from earlier in this push.
    pub(super) fn look(&self, gid: Gid) -> Result<Option<StoredVerdict>, StorageError> {
        match self.said.get(&gid) {
            Some(said) => Ok(Some(said.clone())),
            None => self.tx.verdict(self.tenant, gid),
        }
    }

    /// Writes what is said of a group that is not in the log.
    pub(super) fn record(&mut self, gid: Gid, verdict: StoredVerdict) -> Result<(), StorageError> {
        self.tx.put_verdict(self.tenant, gid, &verdict)?;
        self.said.insert(gid, verdict);
        Ok(())
    }

    /// Remembers what was said of a group that is in the log.
    pub(super) fn remember(&mut self, gid: Gid, verdict: StoredVerdict) {
        self.said.insert(gid, verdict);
    }

    /// Decides a seq that was recorded, of whichever device.
    pub(super) fn settle(&mut self, (slot, seq): (SlotNo, u64), commit: u64) -> Result<(), StorageError> {
        if slot == self.slot.no {
            return self.seqs.settle(self.tx, seq, commit).map(drop);
        }
        let at = self.others.entry(slot).or_default().entry(seq).or_insert(commit);
        *at = commit.max(*at);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), StorageError> {
        self.rows.flush(self.tx)?;
        self.tx.put_slot(self.tenant, self.push.life, self.slot)?;
        self.seqs.flush(self.tx)?;
        for (slot, decided) in &self.others {
            settle_stored(self.tx, *slot, decided)?;
        }
        let after_ms = self.push.rules.stable_after_ms;
        self.head.stable = stable(self.tx, self.tenant, &self.head, self.push.now_ms, after_ms)?;
        self.tx.put_head(self.tenant, &self.push.tenant, &self.head)
    }
}
