//! What goes into the steps and what comes out of them.

use turnstone_engine::oplog::Moment;
use turnstone_protocol::{Code, DeviceId, Epoch, Gid, Hlc, Incarnation, Op};

/// Who this database is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The installation.
    pub(crate) device: DeviceId,
    /// Its present life.
    pub(crate) incarnation: Incarnation,
    /// The seq the next new group gets.
    pub(crate) next_seq: u64,
}

/// How far this database has pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// The opaque position; none at the beginning.
    pub(crate) cursor: Option<String>,
    /// The commit number of that position.
    pub(crate) at: u64,
    /// The last commit of that history it knows of: pulled, or told of in a verdict.
    pub(crate) known: u64,
    /// The highest seq of this incarnation a verdict accepted.
    pub(crate) told_seq: u64,
    /// The server's history, once one was met.
    pub(crate) epoch: Option<Epoch>,
    /// The greatest clock the server confirmed.
    pub(crate) hlc: Hlc,
    /// Whether the next pull must ask for every row (`full`): while starting again from the beginning.
    pub(crate) full: bool,
}

/// What to take into a batch.
#[derive(Debug, Clone)]
pub(crate) struct SealInput {
    /// Now, by the device's clocks.
    pub(crate) now: Moment,
    /// Only entries with a greater seq, and new ones. 0: from the beginning.
    pub(crate) after_seq: u64,
    /// The most entries.
    pub(crate) groups_max: usize,
    /// The most bytes of bodies, except that one entry always fits.
    pub(crate) bytes_max: usize,
    /// Only these, which were sealed before (halving a batch that was refused).
    pub(crate) only: Option<Vec<Gid>>,
}

/// What goes into one push, frozen: sending it again sends the same bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    /// The entries in seq order.
    pub(crate) groups: Vec<SealedGroup>,
    /// Bytes of their bodies.
    pub(crate) bytes: usize,
    /// Whether there is more to send than fitted.
    pub(crate) more: bool,
    /// Whether there is more to send once it is known what became of a group that was given up.
    pub(crate) waits: bool,
}

/// One entry of a push.
#[derive(Clone)]
pub(crate) struct SealedGroup {
    /// Which group this is.
    pub(crate) sent: Sent,
    /// The entry as JSON text.
    pub(crate) body: String,
}

impl std::fmt::Debug for SealedGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedGroup").field("sent", &self.sent).field("bytes", &self.body.len()).finish()
    }
}

/// A group that was sent, as the verdicts are matched with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The group.
    pub(crate) gid: Gid,
    /// The seq it was sent with.
    pub(crate) seq: u64,
    /// The incarnation it was sent under. A verdict on what an earlier one sent is not taken: it is sent again anyway.
    pub(crate) incarnation: Incarnation,
    /// Its number in the local log.
    pub(crate) grp: i64,
    /// Whether this entry gives the group up.
    pub(crate) void: bool,
}

/// What a push answer changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct VerdictReport {
    /// The answer came from another history: nothing was changed.
    pub(crate) epoch_changed: bool,
    /// Groups accepted as they were.
    pub(crate) applied: usize,
    /// Groups accepted beside changes they had not seen.
    pub(crate) merged: usize,
    /// Groups refused for good, now dead letters.
    pub(crate) rejected: usize,
    /// Voids confirmed, and groups another one took the place of.
    pub(crate) voided: usize,
    /// Groups the server wants to see again later.
    pub(crate) waiting: usize,
    /// Groups held back because they build on a refused one.
    pub(crate) parked: usize,
    /// Overlaps the server decided by policy.
    pub(crate) overlaps: usize,
    /// The last refusal, for the status.
    pub(crate) refused: Option<Code>,
    /// Whether something goes on that was held back: there is something to send.
    pub(crate) released: bool,
}

/// Where a page was asked from.
#[derive(Clone)]
pub(crate) struct Asked {
    /// The cursor; none at the beginning.
    pub(crate) cursor: Option<String>,
    /// The incarnation: `own` and `acked` of the page are about its seqs.
    pub(crate) incarnation: Incarnation,
    /// Whether every row was asked for.
    pub(crate) full: bool,
    /// The last commit the database knew of. A page that is the last one does not end before it.
    pub(crate) known: u64,
    /// The highest seq that it knew was accepted.
    pub(crate) told_seq: u64,
}

impl Asked {
    /// Where the database stands.
    pub(crate) fn at(identity: &Identity, position: &Position) -> Self {
        Self {
            cursor: position.cursor.clone(),
            incarnation: identity.incarnation,
            full: position.full,
            known: position.known,
            told_seq: position.told_seq,
        }
    }

    /// Whether the database still stands there. A page is good only then.
    pub(crate) fn is_still(&self, identity: &Identity, position: &Position) -> bool {
        (&self.cursor, self.incarnation, self.full) == (&position.cursor, identity.incarnation, position.full)
    }
}

/// What applying a page did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageOutcome {
    /// It is in the database, with its cursor.
    Applied,
    /// The database does not stand where the page was asked from; nothing was changed.
    Stale,
    /// The page belongs to another history; nothing was changed.
    EpochChanged,
    /// A copy of this device pushed under its seqs. What came before that commit is applied, the cursor stays.
    Forked,
    /// It ends before what this database knew of, or does not know what was decided: the history went back. Nothing was
    /// changed.
    EpochSuspect,
    /// It ends a commit whose earlier parts never came: the cursor means another place there. Nothing was changed.
    Torn,
}

/// What applying a page changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageReport {
    /// What came of it.
    pub(crate) outcome: PageOutcome,
    /// Rows the page brought.
    pub(crate) rows: usize,
    /// Own groups that left the fold.
    pub(crate) settled: usize,
    /// Of those, groups that no verdict was heard of: the page shows that they took full effect.
    pub(crate) applied: usize,
    /// Whether it let something go on that was held back: there is something to send.
    pub(crate) released: bool,
}

/// Why the device starts again from the beginning of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResetWhy {
    /// The cursor is behind the oldest commit still served, or not valid here. The history is the same.
    CursorLost,
    /// The history is another one: what the server may have forgotten is sent again, under a new incarnation.
    History {
        /// The new history, if it is known.
        epoch: Option<Epoch>,
        /// The new incarnation.
        incarnation: Incarnation,
    },
}

/// A change that was refused: nothing is dropped silently.
#[derive(Clone, PartialEq)]
pub(crate) struct DeadLetter {
    /// Its number.
    pub(crate) id: i64,
    /// The group it was part of.
    pub(crate) gid: Gid,
    /// Which op of the group; none: all of it.
    pub(crate) n: Option<u32>,
    /// Why.
    pub(crate) code: Code,
    /// The fields it was refused for, as `table.field`.
    pub(crate) fields: Vec<String>,
    /// What was meant.
    pub(crate) ops: Vec<Op>,
    /// How often it was sent.
    pub(crate) attempts: u32,
    /// When it was refused, in milliseconds since 1970.
    pub(crate) at_ms: u64,
}

impl std::fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetter").field("id", &self.id).field("gid", &self.gid).field("code", &self.code).finish()
    }
}

/// Why a dead letter could not be sent again. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryRefused {
    /// There is no such dead letter.
    Unknown,
    /// The row it changes is not there any more.
    RowGone,
}

/// Where a row stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RowSync {
    /// Nothing of it waits.
    Synced,
    /// Written here, not sent yet.
    Saved,
    /// Sent, or held back by the server; after how many attempts.
    Sending {
        /// How often it was sent.
        attempts: u32,
    },
    /// A change of it was refused.
    Failed {
        /// Why.
        code: Code,
    },
}

/// How much waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct StatusCounts {
    /// Groups without the server's word.
    pub(crate) pending_groups: u64,
    /// Their ops.
    pub(crate) pending_ops: u64,
    /// Of those, groups held back because they build on a refused one.
    pub(crate) parked_groups: u64,
    /// When the oldest was written, in milliseconds since 1970.
    pub(crate) oldest_pending_at_ms: Option<u64>,
    /// Dead letters.
    pub(crate) dead_letters: u64,
    /// Voids that still have to be sent.
    pub(crate) voids: u64,
}
