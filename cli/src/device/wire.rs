//! The lines of a device's session.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use turnstone::{Fields, SyncReport};
use turnstone_protocol::Code;

/// A line to a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Write one group.
    Write(Write),
    /// Sync until quiet, trying again after failures of the network.
    Sync {
        /// The most attempts.
        attempts: u32,
    },
    /// Say where the store stands.
    Status,
    /// Give the state hash.
    Hash,
    /// Give every row of a table.
    Rows {
        /// The table.
        table: String,
    },
}

/// One local transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Write {
    /// The table.
    pub table: String,
    /// What happens to its rows.
    pub writes: Vec<RowWrite>,
    /// The app's own key of this write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_id: Option<String>,
}

/// What happens to one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowWrite {
    /// The row.
    pub id: String,
    /// What becomes of it.
    pub act: Act,
    /// New values.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub set: Fields,
    /// Amounts added to counters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inc: BTreeMap<String, i64>,
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// It is made, or changed where it is there.
    Put,
    /// It is changed; it must be there.
    Set,
    /// It is deleted; it must be there.
    Delete,
}

/// A line from a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The group is saved.
    Wrote(Wrote),
    /// The sync ended.
    Synced(Synced),
    /// Where the store stands.
    Status(Counted),
    /// The hash of what the server confirmed.
    Hash {
        /// The commit it stands for.
        at: u64,
        /// How many rows there are.
        rows: u64,
        /// The hash, in hex.
        hash: String,
    },
    /// Every row by its id.
    Rows(BTreeMap<String, Fields>),
    /// It could not be done; nothing was changed.
    Failed(Failed),
}

/// A write that is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrote {
    /// Its key was used before: this is the first one's answer again.
    pub repeated: bool,
}

/// Why something could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The stable code.
    pub code: String,
    /// One sentence.
    pub message: String,
}

/// What the attempts of a sync did together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Synced {
    /// Whether the last attempt ended quiet.
    pub quiet: bool,
    /// How many attempts it took.
    pub attempts: u32,
    /// Groups the server decided.
    pub groups_pushed: u64,
    /// Of those, merged with changes they had not seen.
    pub merged: u64,
    /// Of those, refused.
    pub rejected: u64,
    /// Rows that came from the server.
    pub rows_pulled: u64,
    /// Overlaps that a policy decided.
    pub overlaps: u64,
    /// Bytes sent.
    pub bytes_up: u64,
    /// Bytes received.
    pub bytes_down: u64,
    /// Requests made.
    pub requests: u64,
    /// Why the last attempt that failed did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Failed>,
}

impl Synced {
    /// Adds what another sync did.
    pub fn append(&mut self, other: &Self) {
        self.quiet = other.quiet;
        self.attempts += other.attempts;
        self.groups_pushed += other.groups_pushed;
        self.merged += other.merged;
        self.rejected += other.rejected;
        self.rows_pulled += other.rows_pulled;
        self.overlaps += other.overlaps;
        self.bytes_up += other.bytes_up;
        self.bytes_down += other.bytes_down;
        self.requests += other.requests;
        self.last_failure.clone_from(&other.last_failure);
    }

    /// Takes over what was done between two totals.
    pub fn count(&mut self, before: &SyncReport, after: &SyncReport) {
        self.groups_pushed = after.groups_pushed - before.groups_pushed;
        self.merged = after.merged - before.merged;
        self.rejected = after.rejected - before.rejected;
        self.rows_pulled = after.rows_pulled - before.rows_pulled;
        self.overlaps = after.overlaps - before.overlaps;
        self.bytes_up = after.bytes_up - before.bytes_up;
        self.bytes_down = after.bytes_down - before.bytes_down;
        self.requests = after.requests - before.requests;
    }
}

/// Counts of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Groups that wait.
    pub pending_groups: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// Their codes.
    pub dead_codes: Vec<Code>,
}
