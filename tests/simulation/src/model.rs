//! What the world was told was saved, and what the server says it decided: the facts the reference judges by.
//!
//! Nothing here comes from the engine or from the merge. What a writer had seen follows from what its device had
//! pulled or written itself when the write was made, never from what the op says of itself.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use turnstone_protocol::Gid;

use crate::past::Words;

/// A write, by its place in the model.
pub type WriteId = usize;
/// A row: its table and its id.
pub type RowKey = (String, String);
/// What a row shows.
pub type Shown = BTreeMap<String, i64>;

/// What an op of the simulated app means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// The row is made with these registers.
    Create(BTreeMap<&'static str, i64>),
    /// These registers are set.
    Set(BTreeMap<&'static str, i64>),
    /// The counter moves by this much.
    Add(&'static str, i64),
    /// The row goes.
    Delete,
}

/// One op.
#[derive(Debug, Clone)]
pub struct ModelOp {
    /// The table.
    pub table: &'static str,
    /// The row id.
    pub id: String,
    /// What it means.
    pub meaning: Meaning,
}

/// The rank of a change: its clock, its group, its place in the group.
pub type Rank = (u64, Gid, usize);

/// Who stands behind a row, whether it is there or a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranks {
    /// The commit its present life began with.
    pub born: u64,
    /// Its create.
    pub create: Rank,
    /// The change that stands in each field that was written.
    pub fields: BTreeMap<String, Rank>,
    /// The delete that took it away.
    pub gone: Option<Rank>,
}

/// One acknowledged group.
#[derive(Debug, Clone)]
pub struct ModelGroup {
    /// Which device wrote it.
    pub device: usize,
    /// The idempotency key the device gave it.
    pub gid: Gid,
    /// The ops.
    pub ops: Vec<ModelOp>,
    /// The commit its device had pulled up to.
    pub position: u64,
    /// Which life of the device's file it was written in: another one after each restored backup.
    pub line: usize,
    /// When it was written, in milliseconds of the world.
    pub at_ms: u64,
}

/// What a file that was copied knows: of `device`'s writes, those before `until` in the life `line`.
#[derive(Debug, Clone, Copy)]
pub struct Restored {
    /// The device it was copied from: the same one, unless it is a clone.
    pub device: usize,
    /// The life the backup was made in.
    pub line: usize,
    /// How many groups there were then.
    pub until: WriteId,
    /// How many there were when it was put back.
    pub at: WriteId,
}

/// A group the server accepted.
#[derive(Debug, Clone, Copy)]
pub struct Commit {
    /// Its number.
    pub n: u64,
    /// The group.
    pub gid: Gid,
    /// The clock the server gave it.
    pub hlc: u64,
    /// The server's wall clock then, in milliseconds, at least.
    pub ms: u64,
    /// And at most.
    pub ms_most: u64,
    /// Which incarnation sent it, with which seq.
    pub from: (i64, i64),
}

/// A group the server refused for good.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The group.
    pub gid: Gid,
    /// The last commit when it was refused.
    pub after: u64,
    /// Which incarnation sent it, with which seq.
    pub from: (i64, i64),
}

/// Everything the server says it decided.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// What it accepted, in order.
    pub commits: Vec<Commit>,
    /// What it refused.
    pub refused: Vec<Refused>,
    /// Which incarnations sent a commit's group when it was in the log already, and with which seq.
    pub repeats: BTreeMap<u64, Vec<(i64, i64)>>,
    /// What groups say they had seen; none: the model knows better.
    pub words: Option<Words>,
}

/// A promise that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The invariant.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
}

impl Violation {
    /// Makes one.
    pub fn new(invariant: &'static str, what: impl Into<String>) -> Self {
        Self { invariant, what: what.into() }
    }
}

/// How a field is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The greater stamp wins.
    Lww,
    /// What is there stays, unless the writer had seen it.
    Server,
    /// What arrives stands.
    Client,
    /// The sum of amounts.
    Counter,
    /// The greatest.
    Max,
    /// The smallest.
    Min,
}

/// What the model must know of a table.
#[derive(Debug, Clone)]
pub struct TableRule {
    /// Whether an unseen edit survives a delete.
    pub edit_wins: bool,
    /// Whether the create of a row that is there is refused.
    pub create_rejects: bool,
    /// The fields.
    pub fields: BTreeMap<&'static str, Rule>,
}

/// How often one group may be held back.
const FOLLOW_UPS: usize = 3;

/// The key of the group that stands for one that is held back.
fn follow_up(gid: Gid) -> Gid {
    let digest = Sha256::new().chain_update(b"held back").chain_update(gid.0).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Gid(bytes)
}

/// Everything the world was told was saved.
#[derive(Debug, Default, Clone)]
pub struct Model {
    /// The acknowledged groups.
    pub groups: Vec<ModelGroup>,
    by_gid: BTreeMap<Gid, WriteId>,
    /// What a write took the place of.
    origin: BTreeMap<WriteId, WriteId>,
    /// Where each life of a device but its first came from.
    pub restored: BTreeMap<(usize, usize), Restored>,
}

impl Model {
    /// Remembers an acknowledged group.
    pub fn acknowledge(&mut self, group: ModelGroup) -> WriteId {
        let id = self.groups.len();
        self.by_gid.insert(group.gid, id);
        // A sent group that is held back goes on under a key that follows from its own.
        let mut gid = group.gid;
        for _ in 0..FOLLOW_UPS {
            gid = follow_up(gid);
            self.by_gid.insert(gid, id);
        }
        self.groups.push(group);
        id
    }

    /// The group with this key.
    pub fn find(&self, gid: Gid) -> Option<WriteId> {
        self.by_gid.get(&gid).copied()
    }

    /// Every key under which a write may be decided: its own, and those of what stands for it once it was held back.
    pub fn keys(&self, write: WriteId) -> impl Iterator<Item = Gid> {
        std::iter::successors(Some(self.groups[write].gid), |gid| Some(follow_up(*gid))).take(1 + FOLLOW_UPS)
    }

    /// A dead letter, or what was held back for it, is sent again as a write of its own.
    pub fn takes_place(&mut self, write: WriteId, earlier: WriteId) {
        self.origin.insert(write, earlier);
    }

    /// What a write took the place of, and what that did.
    pub fn origins(&self, write: WriteId) -> impl Iterator<Item = WriteId> {
        std::iter::successors(self.origin.get(&write), |earlier| self.origin.get(earlier)).copied()
    }

    /// What a write took the place of.
    pub fn origin(&self, write: WriteId) -> Option<WriteId> {
        self.origin.get(&write).copied()
    }

    /// What stands for the same as a write, on another copy of the device: it took the place of one of its origins too.
    pub fn siblings(&self, write: WriteId) -> impl Iterator<Item = WriteId> {
        let is_of_it = move |other: &WriteId| {
            *other != write && self.origins(*other).any(|origin| self.origins(write).any(|mine| mine == origin))
        };
        let of_its_own = move |other: &WriteId| !self.origins(write).any(|mine| mine == *other);
        self.origin.keys().copied().filter(is_of_it).filter(of_its_own)
    }

    /// Whether another write took the place of this one.
    pub fn is_meant_again(&self, write: WriteId) -> bool {
        self.origin.values().any(|earlier| *earlier == write)
    }

    /// Whether `later` had seen `earlier`, which became commit `n`.
    pub fn saw(&self, later: WriteId, earlier: WriteId, n: u64) -> bool {
        let (after, before) = (&self.groups[later], &self.groups[earlier]);
        later == earlier || n <= after.position || self.remembers(after, later, before, earlier)
    }

    /// Whether the device of `after` wrote `before` itself and its file still knew.
    fn remembers(&self, after: &ModelGroup, later: WriteId, before: &ModelGroup, earlier: WriteId) -> bool {
        self.is_known(after.device, after.line, later, before, earlier)
    }

    /// Whether a device has held a write, in any of its lives.
    pub fn has_held(&self, device: usize, write: WriteId) -> bool {
        let (now, group) = (self.groups.len(), &self.groups[write]);
        (0..=self.line(device)).any(|line| self.is_known(device, line, now, group, write))
    }

    /// Whether a device's file knew a write that was made in it or in the file it came from: by then, in that life.
    fn is_known(&self, device: usize, line: usize, until: WriteId, before: &ModelGroup, earlier: WriteId) -> bool {
        let (mut device, mut line, mut until) = (device, line, until);
        loop {
            if (device, line) == (before.device, before.line) {
                return earlier < until;
            }
            let Some(from) = self.restored.get(&(device, line)) else { return false };
            (device, line, until) = (from.device, from.line, from.until);
        }
    }

    /// Whether a device got its files from a backup of its own: its identity was used by nobody else.
    pub fn was_put_back(&self, device: usize) -> bool {
        self.restored.range((device, 0)..(device + 1, 0)).any(|(_, from)| from.device == device)
    }

    /// The life a device's file is in.
    pub fn line(&self, device: usize) -> usize {
        self.restored.range((device, 0)..(device + 1, 0)).count()
    }

    /// Whether a backup that was put back took a write from its device.
    pub fn was_undone(&self, write: WriteId) -> bool {
        let group = &self.groups[write];
        !self.is_known(group.device, self.line(group.device), self.groups.len(), group, write)
    }

    /// Whether a backup was put back on a write's device after it was written: what the device had heard of it may be
    /// gone.
    pub fn may_be_unheard(&self, write: WriteId) -> bool {
        let device = self.groups[write].device;
        self.restored.range((device, 0)..(device + 1, 0)).any(|(_, from)| from.at > write)
    }
}
