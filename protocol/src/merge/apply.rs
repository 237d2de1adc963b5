//! What an op does to a row, decided in commit order.

use super::field::{Written, arriving_wins};
use super::fold::count;
use super::row::{Gone, Refusal, RowState, row_fits};
use super::stamp::{Stamp, Stamps, WHOLE_ROW};
use crate::catalogue::Code;
use crate::hlc::Hlc;
use crate::id::Gid;
use crate::op::{Op, OpKind};
use crate::plant::{self, Bug};
use crate::schema::{CreatePolicy, DeletePolicy, Policy, RowMerge, Table};
use crate::value::Value;
use crate::wire::{Cause, Explain, Kept};

/// Where an op comes from and what its writer had seen.
pub struct Context<'a> {
    /// The table of the op.
    pub table: &'a Table,
    /// The group.
    pub gid: Gid,
    /// Which op of the group, from 0.
    pub n: u32,
    /// The group's clock as the server confirmed it: at least [`causal_floor`] plus one.
    pub hlc: Hlc,
    /// The commit that applies it.
    pub commit: u64,
    /// Whether a change is in the op's causal past for another reason than `commit <= base` or
    /// being of the same group: made by the same incarnation with a smaller seq, or named in `after`.
    pub sees: &'a dyn Fn(&Stamp) -> bool,
}

/// What an op did.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The row afterwards.
    pub row: RowState,
    /// How overlaps were decided.
    pub explain: Vec<Explain>,
    /// Whether the row held changes the writer had not seen.
    pub merged: bool,
    /// Whether every intent took full effect: the row afterwards is [`super::fold`] of the op over
    /// the row before.
    pub as_sent: bool,
    /// Whether the op had no effect because its row was deleted. Its last explanation then says
    /// `delete_wins`, kept theirs, without a field.
    pub lost: bool,
}

/// Decides what `op` does to `row` (`None`: never heard of). The op has passed [`super::admit_op`].
///
/// # Errors
/// [`Refusal`] where the whole group must be refused: `row_purged`, `row_exists`,
/// `counter_overflow`, `too_large`.
pub fn apply(row: Option<RowState>, op: &Op, ctx: &Context<'_>) -> Result<Applied, Refusal> {
    let mut merge = Merge { op, ctx, explain: Vec::new(), merged: false, as_sent: true };
    let outcome = match (row, op.kind) {
        (None, OpKind::Create) => merge.birth()?,
        (None, OpKind::Delete) => merge.delete_unknown(),
        (None, OpKind::Update | OpKind::Undelete) => return Err(Refusal::of(Code::RowPurged)),
        (Some(row), kind) => {
            merge.merged = merge.newest_unseen(&row).is_some();
            match (row.gone, kind) {
                (None, OpKind::Create) => merge.create_on_live(row)?,
                (Some(gone), OpKind::Create) => merge.create_on_gone(row, gone)?,
                (None, OpKind::Update | OpKind::Undelete) => merge.update_live(row)?,
                (Some(gone), OpKind::Update | OpKind::Undelete) => merge.update_gone(row, gone)?,
                (None, OpKind::Delete) => merge.delete_live(row),
                (Some(_), OpKind::Delete) => (row, false),
            }
        }
    };
    let (row, lost) = outcome;
    if !lost && op.kind != OpKind::Delete && !row_fits(&row.fields) {
        return Err(Refusal::of(Code::TooLarge));
    }
    Ok(Applied { row, explain: merge.explain, merged: merge.merged, as_sent: merge.as_sent && !lost, lost })
}

/// The greatest clock in the causal past of what `op` touches. A server confirms a group with at
/// least the point after the greatest floor of its ops, so that no edit loses to what it had seen.
pub fn causal_floor(row: Option<&RowState>, op: &Op, sees: &dyn Fn(&Stamp) -> bool) -> Hlc {
    let Some(row) = row else { return Hlc::ZERO };
    let past = |stamp: &&Stamp| stamp.commit <= op.base || sees(stamp);
    let gone = row.gone.as_ref().map(|gone| &gone.stamp);
    let highest = match op.kind {
        OpKind::Update if row.gone.is_none() => {
            let written = |name: &&String| row.fields.contains_key(*name);
            let touched = op.set.keys().chain(op.inc.keys()).filter(written).map(|name| &**name);
            let stamps = touched.chain(std::iter::once(WHOLE_ROW)).map(|name| row.stamps.except.get(name));
            stamps.map(|stamp| stamp.unwrap_or(&row.stamps.row)).filter(past).max()
        }
        _ => row.stamps.iter().chain(gone).filter(past).max(),
    };
    highest.map_or(Hlc::ZERO, |stamp| stamp.hlc)
}

/// The row afterwards, and whether the op was lost to a delete.
type Decided = (RowState, bool);

struct Merge<'a> {
    op: &'a Op,
    ctx: &'a Context<'a>,
    explain: Vec<Explain>,
    merged: bool,
    as_sent: bool,
}

impl Merge<'_> {
    fn stamp(&self) -> Stamp {
        Stamp { hlc: self.ctx.hlc, gid: self.ctx.gid, n: self.ctx.n, commit: self.ctx.commit }
    }

    fn seen(&self, stamp: &Stamp) -> bool {
        stamp.commit <= self.op.base || stamp.gid == self.ctx.gid || (self.ctx.sees)(stamp)
    }

    /// The latest change of the row that the writer had not seen.
    fn newest_unseen(&self, row: &RowState) -> Option<Stamp> {
        if row.version <= self.op.base {
            return None;
        }
        let gone = row.gone.as_ref().map(|gone| &gone.stamp);
        row.stamps.iter().chain(gone).filter(|stamp| !self.seen(stamp)).max().copied()
    }

    /// Whether the writer meant an earlier life of the id than the row's present one.
    fn older_life(&self, row: &RowState) -> bool {
        let births = || std::iter::once(&row.stamps.row).chain(&row.stamps.joined);
        !plant::on(Bug::OlderLifeMerged) && row.born > self.op.base && !births().any(|stamp| self.seen(stamp))
    }

    fn birth(&mut self) -> Result<Decided, Refusal> {
        let mut row = RowState {
            born: self.ctx.commit,
            version: self.ctx.commit,
            fields: self.op.set.clone(),
            stamps: Stamps::new(self.stamp()),
            gone: None,
        };
        self.add(&mut row)?;
        Ok((row, false))
    }

    fn create_on_live(&mut self, mut row: RowState) -> Result<Decided, Refusal> {
        if self.ctx.table.create == CreatePolicy::Reject && self.older_life(&row) {
            return Err(Refusal::of(Code::RowExists));
        }
        if plant::on(Bug::CreateOverwrites) {
            return self.birth();
        }
        if !plant::on(Bug::JoinedForgotten) {
            row.stamps.join(self.stamp());
        }
        self.put(&mut row)?;
        Ok((row, false))
    }

    fn create_on_gone(&mut self, row: RowState, gone: Gone) -> Result<Decided, Refusal> {
        if self.seen(&gone.stamp) {
            if plant::on(Bug::RecreatedKeepsImage) {
                let mut row = RowState { gone: None, born: self.ctx.commit, ..row };
                self.put(&mut row)?;
                return Ok((row, false));
            }
            return self.birth();
        }
        if self.ctx.table.delete == DeletePolicy::DeleteWins {
            return Ok(self.lost(row, gone.stamp));
        }
        self.say(None, DeletePolicy::EditWins.as_str(), Kept::Mine, gone.stamp);
        self.birth()
    }

    fn update_live(&mut self, mut row: RowState) -> Result<Decided, Refusal> {
        if self.older_life(&row) {
            let birth = row.stamps.row;
            return Ok(self.lost(row, birth));
        }
        self.put(&mut row)?;
        Ok((row, false))
    }

    fn update_gone(&mut self, mut row: RowState, gone: Gone) -> Result<Decided, Refusal> {
        if row.born == 0 {
            return Err(Refusal::of(Code::RowPurged));
        }
        let knew = self.seen(&gone.stamp);
        let back = if self.op.kind == OpKind::Undelete && knew {
            true
        } else {
            let edits_win = self.ctx.table.delete != DeletePolicy::DeleteWins || plant::on(Bug::LateEditClearsDelete);
            !knew && !self.older_life(&row) && edits_win
        };
        if !back {
            return Ok(self.lost(row, gone.stamp));
        }
        if !knew {
            self.say(None, DeletePolicy::EditWins.as_str(), Kept::Mine, gone.stamp);
        }
        row.gone = None;
        self.put(&mut row)?;
        // The writer's own view of a deleted row is nothing: it needs the row's image.
        self.as_sent = false;
        Ok((row, false))
    }

    fn delete_live(&mut self, mut row: RowState) -> Decided {
        if self.older_life(&row) {
            let birth = row.stamps.row;
            return self.lost(row, birth);
        }
        row.version = self.ctx.commit;
        if let Some(other) = self.newest_unseen_content(&row) {
            if self.ctx.table.delete != DeletePolicy::DeleteWins && !plant::on(Bug::DeleteOverUnseen) {
                self.say(None, DeletePolicy::EditWins.as_str(), Kept::Theirs, other);
                self.as_sent = false;
                return (row, false);
            }
            self.say(None, DeletePolicy::DeleteWins.as_str(), Kept::Mine, other);
        }
        row.gone = Some(Gone { cause: Cause::Deleted, stamp: self.stamp() });
        (row, false)
    }

    fn newest_unseen_content(&self, row: &RowState) -> Option<Stamp> {
        row.stamps.iter().filter(|stamp| !self.seen(stamp)).max().copied()
    }

    /// Remembers the delete of a row nobody heard of: its intent is fulfilled, and a create that
    /// arrives late is measured against it.
    fn delete_unknown(&self) -> Decided {
        let stamp = self.stamp();
        let gone = Some(Gone { cause: Cause::Deleted, stamp });
        let version = self.ctx.commit;
        (RowState { born: 0, version, fields: Default::default(), stamps: Stamps::new(stamp), gone }, false)
    }

    fn lost(&mut self, row: RowState, other: Stamp) -> Decided {
        self.merged = true;
        self.say(None, DeletePolicy::DeleteWins.as_str(), Kept::Theirs, other);
        (row, true)
    }

    /// Puts the op's values and amounts into a live row.
    fn put(&mut self, row: &mut RowState) -> Result<(), Refusal> {
        row.version = self.ctx.commit;
        if self.ctx.table.merge == RowMerge::Lww {
            self.put_whole(row);
            return Ok(());
        }
        for (name, value) in &self.op.set {
            self.put_field(row, name, value);
        }
        self.add(row)
    }

    fn put_whole(&mut self, row: &mut RowState) {
        let there = row.stamps.of(WHOLE_ROW);
        let mine = self.stamp() > there || plant::on(Bug::WholeRowByArrival);
        if row.fields != self.op.set {
            if !self.seen(&there) {
                let kept = if mine { Kept::Mine } else { Kept::Theirs };
                self.say(None, RowMerge::Lww.as_str(), kept, there);
            }
            self.as_sent &= mine;
        }
        if mine {
            row.fields.clone_from(&self.op.set);
            row.stamps.set(WHOLE_ROW, self.stamp());
        }
    }

    fn put_field(&mut self, row: &mut RowState, name: &str, value: &Value) {
        let stamp = self.stamp();
        let Some(there) = row.fields.get_mut(name) else {
            row.fields.insert(name.to_owned(), value.clone());
            row.stamps.set(name, stamp);
            return;
        };
        // A field this schema does not know is kept as lww (rule 29).
        let policy = self.ctx.table.field(name).map_or(Policy::Lww, |field| field.merge);
        let other = row.stamps.of(name);
        let overlap = !self.seen(&other);
        let mut mine = arriving_wins(policy, &Written { value: there, stamp: other, overlap }, value, stamp);
        if plant::on(Bug::WasDecides) && policy == Policy::Lww {
            mine = self.op.was.get(name).is_none_or(|was| was == there);
        }
        mine &= there != value || !plant::on(Bug::EqualKeepsStamp);
        if there != value {
            self.as_sent &= mine || plant::on(Bug::AsSentWrong);
            if overlap {
                let kept = if mine { Kept::Mine } else { Kept::Theirs };
                self.say(Some(name), policy.as_str(), kept, other);
            }
        }
        if mine {
            if there != value {
                there.clone_from(value);
            }
            row.stamps.set(name, stamp);
        }
    }

    fn add(&mut self, row: &mut RowState) -> Result<(), Refusal> {
        let stamp = self.stamp();
        for (name, by) in &self.op.inc {
            let table = self.ctx.table;
            let Some(sum) = count(table, &row.fields, name).checked_add(*by) else {
                return Err(Refusal::field(Code::CounterOverflow, &table.name, name));
            };
            let other = if row.fields.contains_key(name) { row.stamps.of(name) } else { Stamp::ZERO };
            let sum = if plant::on(Bug::CounterOverwrites) && !self.seen(&other) { *by } else { sum };
            if !self.seen(&other) {
                self.say(Some(name), Policy::Counter.as_str(), Kept::Both, other);
            }
            row.fields.insert(name.clone(), Value::Int(sum));
            row.stamps.set(name, stamp.max(other));
        }
        Ok(())
    }

    fn say(&mut self, field: Option<&str>, policy: &str, kept: Kept, other: Stamp) {
        self.explain.push(Explain {
            op: usize::try_from(self.ctx.n).unwrap_or(usize::MAX),
            field: field.map(str::to_owned),
            policy: policy.to_owned(),
            kept,
            other: Some(other.gid),
        });
    }
}
