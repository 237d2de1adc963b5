//! What a sync did, and what was refused.

use serde::Serialize;
use turnstone_protocol::{Code, Gid, Op};

/// What a sync did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct SyncReport {
    /// Local transactions of which it is now known how the server decided them: each counts once, when its verdict is
    /// heard, or where that was lost, when a page shows that it took full effect.
    pub groups_pushed: u64,
    /// Of those, accepted as they were, as far as the verdict or the page says.
    pub applied: u64,
    /// Accepted beside changes they had not seen.
    pub merged: u64,
    /// Refused for good: now dead letters.
    pub rejected: u64,
    /// Local transactions the server wants to see again later.
    pub waiting: u64,
    /// Rows that came from the server.
    pub rows_pulled: u64,
    /// Overlapping changes that a policy decided.
    pub overlaps: u64,
    /// Bytes sent, as they travelled.
    pub bytes_up: u64,
    /// Bytes received, as they travelled.
    pub bytes_down: u64,
    /// Requests made.
    pub requests: u64,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

impl SyncReport {
    /// Nothing was done.
    pub(crate) const NOTHING: Self = Self {
        groups_pushed: 0,
        applied: 0,
        merged: 0,
        rejected: 0,
        waiting: 0,
        rows_pulled: 0,
        overlaps: 0,
        bytes_up: 0,
        bytes_down: 0,
        requests: 0,
        ms: 0,
    };

    /// What came after `before`.
    pub(crate) const fn since(&self, before: &Self) -> Self {
        Self {
            groups_pushed: self.groups_pushed - before.groups_pushed,
            applied: self.applied - before.applied,
            merged: self.merged - before.merged,
            rejected: self.rejected - before.rejected,
            waiting: self.waiting,
            rows_pulled: self.rows_pulled - before.rows_pulled,
            overlaps: self.overlaps - before.overlaps,
            bytes_up: self.bytes_up - before.bytes_up,
            bytes_down: self.bytes_down - before.bytes_down,
            requests: self.requests - before.requests,
            ms: self.ms,
        }
    }
}

/// A refused change: read it, repair the row, send it again.
#[derive(Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its number, for [`crate::Store::retry_dead_letter`].
    pub id: i64,
    /// The local transaction it was part of.
    pub gid: Gid,
    /// Which change of it, from 0; none: all of them.
    pub n: Option<u32>,
    /// Why it was refused.
    pub code: Code,
    /// The fields it was refused for, as `table.field`.
    pub fields: Vec<String>,
    /// What was meant.
    pub ops: Vec<Op>,
    /// How often it was sent.
    pub attempts: u32,
    /// When it was refused, in milliseconds since 1970.
    pub at_ms: u64,
}

/// Shows why and where, never what a person wrote.
impl std::fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetter").field("id", &self.id).field("gid", &self.gid).field("code", &self.code).finish()
    }
}

/// The hash of what the server confirmed to this device: equal everywhere once the network is quiet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StateHash {
    /// The commit it stands for.
    pub at: u64,
    /// How many rows there are.
    pub rows: u64,
    /// The hash, in hex.
    pub hash: String,
}
