//! Requests and answers under `/sync/v1`.

use serde::{Deserialize, Serialize};

use crate::catalogue::Code;
use crate::hlc::Hlc;
use crate::id::{DeviceId, Epoch, Gid, Incarnation};
use crate::value::Fields;

/// The path prefix of every endpoint.
pub const PREFIX: &str = "/sync/v1";

/// `GET hello`: what this server is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HelloAnswer {
    /// Identity of the server's history.
    pub epoch: Epoch,
    /// The highest tier of the protocol it serves.
    pub tier: u32,
    /// Version of its schema.
    pub schema: u32,
    /// SHA-256 (hex) of its schema's canonical form.
    pub schema_hash: String,
    /// The lowest schema version it still accepts.
    pub schema_min: u32,
    /// The tenant's last commit number.
    pub head: u64,
    /// Clients may forget their own acked groups up to this commit.
    pub stable: u64,
    /// The last seq it recorded for the asking device and incarnation, if it named them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seq: Option<u64>,
    /// The server's wall clock, in milliseconds since 1970.
    pub now: u64,
    /// The tenant's clock.
    pub hlc: Hlc,
}

/// `POST push`. `G` is [`crate::op::Entry`], or raw JSON where bodies are frozen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PushRequest<G> {
    /// The installation.
    pub device: DeviceId,
    /// Its present life.
    pub incarnation: Incarnation,
    /// The schema version the device runs now.
    pub schema: u32,
    /// The groups, in seq order.
    pub groups: Vec<G>,
    /// Asks for the pull half in the same answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<PullPart>,
}

/// The pull half inside a push.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PullPart {
    /// Where the device stands; none at the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The most rows wanted.
    #[serde(default = "rows_max")]
    pub limit: usize,
}

/// `POST push`, answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PushAnswer {
    /// Identity of the server's history.
    pub epoch: Epoch,
    /// A verdict for each group, in the order they were sent.
    pub verdicts: Vec<Verdict>,
    /// The server's wall clock, in milliseconds since 1970.
    pub now: u64,
    /// The tenant's clock after this push.
    pub hlc: Hlc,
    /// Clients may forget their own acked groups up to this commit.
    pub stable: u64,
    /// The pull half, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<PullAnswer>,
}

/// `POST pull`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PullRequest {
    /// The installation.
    pub device: DeviceId,
    /// Its present life.
    pub incarnation: Incarnation,
    /// The schema version the device runs now.
    pub schema: u32,
    /// Where the device stands; none at the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The most rows wanted.
    #[serde(default = "rows_max")]
    pub limit: usize,
    /// Asks for every row, also those the device could promote from its own groups.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub full: bool,
}

fn rows_max() -> usize {
    crate::limits::PAGE_ROWS_MAX
}

/// A page of the feed: whole commits in commit order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PullAnswer {
    /// Identity of the server's history.
    pub epoch: Epoch,
    /// `commit` (groups whole, in commit order) or `final` (publish only at the last page).
    #[serde(default)]
    pub consistency: Consistency,
    /// The commits of this page.
    pub commits: Vec<Commit>,
    /// Where the device stands once it has applied this page.
    pub cursor: String,
    /// The commit number of that position.
    pub at: u64,
    /// Whether there is more to pull now.
    pub more: bool,
    /// The highest seq of this incarnation whose groups are all decided at or before `at`.
    pub acked: u64,
    /// Clients may forget their own acked groups up to this commit.
    pub stable: u64,
    /// The tenant's clock.
    pub hlc: Hlc,
    /// The server's wall clock, in milliseconds since 1970.
    pub now: u64,
}

/// What a page promises about groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    /// Every commit is whole and in order.
    #[default]
    Commit,
    /// Only the state at the last page is consistent.
    Final,
}

/// One commit of the tenant's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    /// The commit number.
    pub n: u64,
    /// The group that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<Gid>,
    /// Set where the asking incarnation made it: the group's seq.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<u64>,
    /// Set where the asking incarnation's ops took full effect: the device promotes its own ops and `rows` is empty.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub as_sent: bool,
    /// Set where a commit larger than a page travels in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// Each row after this commit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Row>,
}

/// Part `i` (from 1) of `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which part this is, from 1.
    pub i: u32,
    /// How many there are.
    pub n: u32,
}

/// A row after a commit, or its tombstone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The table.
    pub table: String,
    /// The row id.
    pub id: String,
    /// The commit of its create, in its present life.
    pub born: u64,
    /// The fields that differ from their default; empty for a tombstone.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
    /// Why the row is gone, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Cause>,
}

/// Why a row is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Somebody deleted it.
    Deleted,
    /// It left the part of the data this device may see.
    MovedOut,
    /// The right to see it was taken away.
    Revoked,
    /// Another row took its place.
    MergedInto,
}

/// The server's word on one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The group.
    pub gid: Gid,
    /// The seq it was sent with.
    pub seq: u64,
    /// What became of it.
    pub verdict: Outcome,
    /// The commit that decided it (applied, merged).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<u64>,
    /// Why it was refused or must wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// The fields it was refused for, as `table.field`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// Blocked: the groups it waits for. Replaced: the group that took its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<Gid>,
    /// How overlaps were decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explain: Vec<Explain>,
}

/// What became of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Applied; nobody else had touched its rows.
    Applied,
    /// Applied beside changes the writer had not seen.
    Merged,
    /// Not applied; the row must be decided by hand.
    Conflict,
    /// Refused for good.
    Rejected,
    /// Waits for the groups in `by`.
    Blocked,
    /// Try the same group again later.
    Retry,
    /// Send the text base along.
    NeedBase,
    /// The server's schema is older than the group's.
    SchemaBehind,
    /// Older than the server's memory; never applied.
    OpExpired,
    /// Given up by its writer.
    Voided,
    /// Another group took its place.
    Replaced,
}

impl Outcome {
    /// Whether the server will say the same for ever.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Blocked | Self::Retry | Self::NeedBase | Self::SchemaBehind)
    }

    /// Whether the group is part of the server's history.
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        matches!(self, Self::Applied | Self::Merged)
    }
}

/// How one overlap was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explain {
    /// Which op of the group, from 0.
    pub op: usize,
    /// The field; none where the whole row was at stake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The policy that decided, by its schema name.
    pub policy: String,
    /// Whose value stands.
    pub kept: Kept,
    /// The group that wrote the other value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<Gid>,
}

/// Whose value stands after an overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// The pushed one.
    Mine,
    /// The one already there.
    Theirs,
    /// Both went into the result.
    Both,
}
