//! One group inside its push: what it waits for, what it replaces and covers, and the merge of its ops.

use turnstone_protocol::hash;
use turnstone_protocol::merge::{Applied, Context, Refusal, Stamp, apply, causal_floor};
use turnstone_protocol::op::OpKind;
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::wire::{Explain, Outcome};
use turnstone_protocol::{Code, Gid, Hlc, Op};

use super::images::ImageText;
use super::incoming::{Incoming, IncomingGroup};
use super::push::Session;
use super::rows::HeldAt;
use super::said::{Detail, Said};
use crate::storage::{Hashes, Images, LogWrite, StorageError, StoredVerdict};

/// How far a chain of groups that took each other's place is followed.
const REPLACED_DEPTH_MAX: usize = 64;

/// What the ops of a group came to, before anything was written.
struct Merged {
    explain: Vec<Explain>,
    merged: bool,
    as_sent: bool,
    images: ImageText,
    /// Whether the ops themselves say the rows.
    in_ops: bool,
}

impl<'a> Session<'a> {
    /// Decides a group that is new or was not decided before.
    pub(super) fn decide(&mut self, entry: &'a Incoming, group: &'a IncomingGroup) -> Result<Said, StorageError> {
        if let Some(old) = group.replaces
            && let Some(applied) = self.give_up(old, entry)?
        {
            return Ok(applied);
        }
        let said = self.decide_ops(entry, group)?;
        // Where a part was applied by itself, the whole is refused for that, and the other parts stay what they are.
        if said.outcome.is_terminal() && said.detail.code != Some(Code::ReplacedApplied) {
            for gid in &group.covers {
                self.cover(*gid, entry.gid, &said)?;
            }
        }
        Ok(said)
    }

    fn decide_ops(&mut self, entry: &'a Incoming, group: &'a IncomingGroup) -> Result<Said, StorageError> {
        let ops = match &group.ops {
            Ok(ops) => ops,
            Err(said) => return Ok(Said { commit: self.head.n, ..said.clone() }),
        };
        for gid in &group.covers {
            if self.look(*gid)?.is_some_and(|known| known.outcome.is_accepted()) {
                // A clone sent it by itself: applying it once more would count it twice.
                return Ok(self.taken(*gid));
            }
        }
        let mut waits = Vec::new();
        for gid in &group.after {
            if !self.is_applied(*gid)? {
                waits.push(*gid);
            }
        }
        if !waits.is_empty() {
            return Ok(Said::because(Outcome::Blocked, self.head.n, Code::Blocked).by(waits));
        }
        let hlc = self.confirm_clock(entry, group, ops)?;
        match self.merge(entry, group, ops, hlc)? {
            Ok(merged) => self.commit(entry, group, hlc, merged),
            Err(refusal) => {
                self.rows.revert();
                Ok(Said::rejected(refusal, self.head.n))
            }
        }
    }

    /// Decides a void. What the group would have taken the place of goes on; whoever takes the group's place later takes the
    /// place of that too.
    pub(super) fn void(&self, entry: &Incoming, replaces: Option<Gid>) -> Result<Said, StorageError> {
        let said = Said::new(Outcome::Voided, self.head.n);
        let Some(old) = replaces else { return Ok(said) };
        let last = self.last_in_place(old, entry.gid)?;
        let leads_here = match self.look(last)? {
            Some(known) => Said::read(&known)?.detail.by.contains(&entry.gid),
            None => false,
        };
        Ok(if leads_here { said } else { said.by(vec![last]) })
    }

    /// Gives a sent group up for the one that takes its place. If it was applied already, or another one that took its
    /// place, says so (rule 14): a copy of the device may have meant it again too.
    fn give_up(&mut self, old: Gid, entry: &Incoming) -> Result<Option<Said>, StorageError> {
        let (old, new) = (self.last_in_place(old, entry.gid)?, entry.gid);
        let known = self.look(old)?;
        let said = match &known {
            Some(known) if known.outcome.is_accepted() => return Ok(Some(self.taken(old))),
            // Refused for good; it only learns its successor. For what it was refused, if for another one, counts all the same.
            Some(known) if known.outcome.is_terminal() => {
                let said = Said::read(known)?;
                let counts = said.detail.by.last().filter(|_| said.detail.code == Some(Code::ReplacedApplied)).copied();
                said.by([new].into_iter().chain(counts).collect())
            }
            _ => Said::new(Outcome::Replaced, self.head.n).by(vec![new]),
        };
        let (hashes, from) = known.map_or_else(Default::default, |known| (known.hashes, known.from));
        // The seq that the new one comes with is decided with the new one.
        if let Some(from) = from.filter(|from| *from != (self.slot.no, entry.seq)) {
            self.settle(from, said.commit)?;
        }
        self.record(old, said.store(hashes, from)?)?;
        Ok(None)
    }

    /// The last of those that took a group's place, and each other's: the one that another takes the place of now.
    fn last_in_place(&self, gid: Gid, new: Gid) -> Result<Gid, StorageError> {
        let mut last = gid;
        for _ in 0..REPLACED_DEPTH_MAX {
            let Some(known) = self.look(last)?.filter(|known| known.outcome.is_terminal()) else { break };
            let Detail { code, by, .. } = Said::read(&known)?.detail;
            match by.as_slice() {
                // What was refused because another one counts is meant once more by whoever sends it again.
                [_] if code == Some(Code::ReplacedApplied) => break,
                [next, ..] if *next != new && !known.outcome.is_accepted() => last = *next,
                _ => break,
            }
        }
        Ok(last)
    }

    fn taken(&self, gid: Gid) -> Said {
        Said::because(Outcome::Rejected, self.head.n, Code::ReplacedApplied).by(vec![gid])
    }

    /// Records a never-sent group together with the one that stands for it (rule 13).
    fn cover(&mut self, covered: Gid, by: Gid, said: &Said) -> Result<(), StorageError> {
        let known = self.look(covered)?;
        if known.as_ref().is_some_and(|known| known.outcome.is_terminal()) {
            return Ok(());
        }
        let (hashes, from) = known.map_or_else(Default::default, |known| (known.hashes, known.from));
        if let Some(from) = from {
            self.settle(from, said.commit)?;
        }
        let code = said.detail.code.clone();
        // Refused with it, each is what it was: what takes the place of one does not take that of the others.
        let by = if said.outcome.is_accepted() { vec![by] } else { Vec::new() };
        let detail = Detail { code, by, ..Detail::default() };
        self.record(covered, Said { detail, ..said.clone() }.store(hashes, from)?)
    }

    /// Whether a group is part of the history, itself or by the one that took its place.
    fn is_applied(&self, gid: Gid) -> Result<bool, StorageError> {
        Ok(self.applied(gid)?.is_some())
    }

    /// What made a group part of the history: itself, or the one that took its place.
    pub(super) fn applied(&self, gid: Gid) -> Result<Option<StoredVerdict>, StorageError> {
        self.applied_within(gid, REPLACED_DEPTH_MAX)
    }

    fn applied_within(&self, gid: Gid, links: usize) -> Result<Option<StoredVerdict>, StorageError> {
        let Some(known) = self.look(gid)? else { return Ok(None) };
        if known.outcome.is_accepted() {
            return Ok(Some(known));
        }
        if links == 0 || !known.outcome.is_terminal() {
            return Ok(None);
        }
        for next in Said::read(&known)?.detail.by {
            if let Some(found) = self.applied_within(next, links - 1)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The clock the group gets: what it says, but not beyond the server's present, and never below what it had seen
    /// of the fields it touches (rule 20).
    fn confirm_clock(
        &mut self,
        entry: &Incoming,
        group: &'a IncomingGroup,
        ops: &'a [Op],
    ) -> Result<Hlc, StorageError> {
        let mut floor = Hlc::ZERO;
        for op in ops {
            let at = self.load(op)?;
            self.learn_origins(at, op, entry, group)?;
            let row = self.rows.get(at).and_then(|held| held.state.as_ref());
            floor = floor.max(causal_floor(row, op, &|stamp| self.sees(entry, group, stamp)));
        }
        if plant::on(Bug::FloorForgotten) {
            floor = Hlc::ZERO;
        }
        let end_of_ms = Hlc(Hlc::at(self.push.now_ms).0 | 0xffff);
        let ceiling = end_of_ms.max(self.head.hlc);
        let clock = if plant::on(Bug::ClockUnbounded) { group.hlc } else { group.hlc.min(ceiling) };
        Ok(if floor > Hlc::ZERO { clock.max(floor.succ()) } else { clock })
    }

    /// Runs the ops over the rows in memory; on a refusal the caller takes the changes back.
    fn merge(
        &mut self,
        entry: &Incoming,
        group: &'a IncomingGroup,
        ops: &'a [Op],
        hlc: Hlc,
    ) -> Result<Result<Merged, Refusal>, StorageError> {
        let commit = self.head.n + 1;
        let mut merged = Merged {
            explain: Vec::new(),
            merged: false,
            as_sent: true,
            images: ImageText::new(),
            in_ops: ops.iter().all(|op| op.kind == OpKind::Create && op.inc.is_empty()),
        };
        for (n, op) in (0u32..).zip(ops) {
            let at = self.load(op)?;
            self.learn_origins(at, op, entry, group)?;
            let Some(table) = self.rows.get(at).map(|held| held.table) else { continue };
            let row = self.rows.take(at);
            let sees = |stamp: &Stamp| self.sees(entry, group, stamp);
            let context = Context { table, gid: entry.gid, n, hlc, commit, sees: &sees };
            match apply(row, op, &context) {
                Ok(Applied { row, explain, merged: unseen, as_sent, lost }) => {
                    merged.explain.extend(explain);
                    merged.merged |= unseen || lost;
                    merged.as_sent &= as_sent && !lost;
                    self.rows.put(at, row);
                }
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        let limits = &self.push.rules.limits;
        merged.in_ops &= merged.as_sent
            && self.rows.all_new(ops.len())
            && ops.len() <= limits.page_rows_max
            && group.ops_text().len() <= limits.page_bytes_max;
        if merged.in_ops {
            merged.images.count = ops.len() as u64;
            return Ok(Ok(merged));
        }
        for held in self.rows.touched() {
            if let Some(state) = &held.state {
                merged.images.push(commit, held.table, held.id, state, limits);
            }
            if merged.images.bytes > limits.group_images_bytes_max {
                return Ok(Err(Refusal::of(Code::TooLarge)));
            }
        }
        merged.images.finish();
        Ok(Ok(merged))
    }

    /// Numbers the group, appends it to the log and moves the head.
    fn commit(
        &mut self,
        entry: &Incoming,
        group: &IncomingGroup,
        hlc: Hlc,
        merged: Merged,
    ) -> Result<Said, StorageError> {
        let n = self.head.n + 1;
        let hash = entry.hash.ok_or(StorageError::BadRecord("group"))?;
        let chain = hash::chain(&self.head.chain, n, &entry.gid, &hash);
        let ms = self.push.now_ms.max(self.head.ms);
        let outcome = if merged.merged { Outcome::Merged } else { Outcome::Applied };
        let detail = Detail { explain: merged.explain, ..Detail::default() };
        let json = detail.to_json()?;
        self.tx.append(
            self.tenant,
            &LogWrite {
                n,
                gid: entry.gid,
                slot: self.slot.no,
                seq: entry.seq,
                hlc,
                ms,
                outcome,
                as_sent: merged.as_sent,
                hash: &hash,
                chain: &chain,
                ops: group.ops_text(),
                count: merged.images.count,
                images: if merged.in_ops { Images::InOps } else { merged.images.images() },
                detail: json.as_deref(),
            },
        )?;
        self.head.n = n;
        self.head.chain = chain;
        self.head.hlc = self.head.hlc.max(hlc);
        self.head.ms = ms;
        self.origins.insert(n, (self.slot.no, entry.seq));
        self.rows.keep(self.tx, group.ops_text().len())?;
        let from = Some((self.slot.no, entry.seq));
        let hashes = Hashes { payload: Some(hash), ops: None };
        self.remember(entry.gid, StoredVerdict { hashes, outcome, commit: n, from, detail: json });
        Ok(Said { outcome, commit: n, detail })
    }

    fn load(&mut self, op: &'a Op) -> Result<HeldAt, StorageError> {
        // Admission found the table; it cannot be gone.
        let table = self.push.rules.schema.table(&op.table).ok_or(StorageError::BadRecord("table"))?;
        self.rows.load(self.tx, table, &op.id)
    }

    /// Finds out who sent the changes of a row that are newer than the op's base, so that [`Session::sees`] can tell.
    fn learn_origins(
        &mut self,
        at: HeldAt,
        op: &Op,
        entry: &Incoming,
        group: &IncomingGroup,
    ) -> Result<(), StorageError> {
        let Some(row) = self.rows.get(at).and_then(|held| held.state.as_ref()) else { return Ok(()) };
        if row.version <= op.base {
            return Ok(());
        }
        let gone = row.gone.as_ref().map(|gone| &gone.stamp);
        let other =
            |stamp: &&Stamp| stamp.commit > op.base && stamp.gid != entry.gid && !group.after.contains(&stamp.gid);
        for commit in row.stamps.iter().chain(gone).filter(other).map(|stamp| stamp.commit) {
            if let std::collections::hash_map::Entry::Vacant(vacant) = self.origins.entry(commit)
                && let Some(sent) = self.tx.commit(self.tenant, commit)?
            {
                let ours = self.slot.no;
                let repeated = if sent.slot == ours { None } else { self.tx.repeated(self.tenant, commit, ours)? };
                vacant.insert(repeated.map_or((sent.slot, sent.seq), |seq| (ours, seq)));
            }
        }
        Ok(())
    }

    /// Whether a change is in the group's causal past for another reason than its base (rule 3): the same incarnation
    /// sent it with a smaller seq, if only after a copy of the device had, or the group names it in `after`.
    fn sees(&self, entry: &Incoming, group: &IncomingGroup, stamp: &Stamp) -> bool {
        let own = |(slot, seq): &(_, u64)| *slot == self.slot.no && *seq < entry.seq;
        group.after.contains(&stamp.gid) || self.origins.get(&stamp.commit).is_some_and(own)
    }
}
