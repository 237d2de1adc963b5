//! One row while a page, a verdict or a refusal is worked in.

use turnstone_protocol::op::{Op, OpKind};
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::schema::Table;
use turnstone_protocol::value::Fields;

use super::base::Base;
use super::undo::gives_back;

/// An op that is folded over its row.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldOp {
    /// Its number in the local log.
    pub number: i64,
    /// The group it is part of.
    pub group: i64,
    /// What it means.
    pub op: Op,
}

/// A row with its base and the ops folded over it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The last confirmed copy.
    pub base: Base,
    /// The ops its base does not contain, oldest first.
    pub ops: Vec<FoldOp>,
    /// Whether undoing `ops` on the visible row gives `base`, so that no copy of it has to be kept.
    pub derivable: bool,
    /// Ops whose next older one in the fold is another one now.
    pub relinked: Vec<Relink>,
}

/// An op left the fold between two that stay, or came back between them: the newer one follows on another one now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relink {
    /// The newer op.
    pub op: i64,
    /// The next older one, if there is one.
    pub prev: Option<i64>,
}

/// What to write for a row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowPlan {
    /// The row as a person sees it; none: it is not in its table.
    pub visible: Option<Fields>,
    /// The version of its base.
    pub version: u64,
    /// The newest op still folded over it.
    pub head: Option<i64>,
    /// What becomes of the copy of its base.
    pub base: KeepBase,
    /// Ops to link anew.
    pub relinked: Vec<Relink>,
}

/// What becomes of the copy of a base.
#[derive(Debug, Clone, PartialEq)]
pub enum KeepBase {
    /// None is needed.
    Drop,
    /// This one must be kept.
    Copy(Base),
}

impl Row {
    /// A row as the database holds it.
    #[must_use]
    pub const fn new(base: Base, ops: Vec<FoldOp>, derivable: bool) -> Self {
        Self { base, ops, derivable, relinked: Vec::new() }
    }

    /// The server's row after commit `version`.
    pub fn receive(&mut self, version: u64, row: Option<Fields>) {
        if self.base.receive(version, row) {
            self.derivable = false;
        }
    }

    /// The row of another history.
    pub fn replace(&mut self, version: u64, row: Option<Fields>) {
        self.base.replace(version, row);
        self.derivable = false;
    }

    /// An own op that had its full effect in commit `version`: the base contains it now.
    ///
    /// The op may have left the fold before (it was given up while it was under way): the base takes it all the same.
    /// A delete that was written before the row was made is older than the base then, and leaves with it.
    pub fn promote(&mut self, version: u64, table: &Table, number: i64, op: &Op) {
        let place = self.ops.iter().position(|folded| folded.number == number);
        let moved = self.base.promote(version, table, op);
        match place {
            Some(at) => {
                if !plant::on(Bug::FoldedTwice) {
                    self.take_out(at);
                }
                // Only the oldest op, taken by the base it was written on, leaves what can be undone as it was.
                self.derivable &= moved && at == 0;
            }
            None => self.derivable &= !moved,
        }
        if op.kind == OpKind::Create {
            self.leave_before(number);
        }
    }

    /// An own op is contained in the row that is received: its group leaves the fold, if it was there.
    pub fn contain(&mut self, group: i64, number: i64, op: &Op) {
        self.leave(group);
        if op.kind == OpKind::Create {
            self.leave_before(number);
        }
    }

    /// A delete that is older than the row, and what was written before the delete, does not show over it: it is not decided
    /// yet (it waits, or is held back).
    fn leave_before(&mut self, number: i64) {
        let older = self.ops.iter().take_while(|folded| folded.number < number);
        let deletes = older.enumerate().filter(|(_, folded)| folded.op.kind == OpKind::Delete);
        if let Some((last, _)) = deletes.last() {
            self.ops.drain(..=last);
            self.link(0);
            self.derivable = false;
        }
    }

    /// The ops of a group leave the fold: refused, or nothing is known of what became of it.
    pub fn leave(&mut self, group: i64) {
        while let Some(at) = self.ops.iter().position(|folded| folded.group == group) {
            self.take_out(at);
            self.derivable = false;
        }
    }

    fn take_out(&mut self, at: usize) {
        self.ops.remove(at);
        if at > 0 {
            self.link(at);
        }
    }

    /// An op that was taken out comes back in its old place: it was accepted after all.
    pub fn restore(&mut self, op: FoldOp) {
        let at = self.ops.partition_point(|folded| folded.number < op.number);
        if self.ops.get(at).is_some_and(|folded| folded.number == op.number) {
            return;
        }
        self.ops.insert(at, op);
        self.link(at);
        self.link(at + 1);
        self.derivable = false;
    }

    /// Notes what the op at this place follows on.
    fn link(&mut self, at: usize) {
        let prev = at.checked_sub(1).and_then(|older| self.ops.get(older)).map(|older| older.number);
        if let Some(newer) = self.ops.get(at) {
            self.relinked.push(Relink { op: newer.number, prev });
        }
    }

    /// A new op comes on top.
    pub fn push(&mut self, op: FoldOp) {
        self.ops.push(op);
        self.derivable = false;
    }

    /// The row as a person sees it.
    #[must_use]
    pub fn visible(&self, table: &Table) -> Option<Fields> {
        self.base.fold(table, self.ops.iter().map(|folded| &folded.op))
    }

    /// What to write.
    #[must_use]
    pub fn plan(self, table: &Table) -> RowPlan {
        let Self { base, ops, derivable, relinked } = self;
        let head = ops.last().map(|folded| folded.number);
        let version = base.version;
        let folded = ops.iter().map(|folded| &folded.op);
        let (visible, base) = if derivable || gives_back(table, &base, folded.clone()) {
            (base.into_fold(table, folded), KeepBase::Drop)
        } else {
            (base.fold(table, folded), KeepBase::Copy(base))
        };
        RowPlan { visible, version, head, base, relinked }
    }
}
