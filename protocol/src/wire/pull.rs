//! `POST pull`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::number;
use crate::hlc::Hlc;
use crate::id::{DeviceId, Epoch, Gid, Incarnation};
use crate::value::Fields;
use crate::words::open_words;

/// `POST pull`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
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
    #[serde(default = "rows_max", skip_serializing_if = "is_rows_max")]
    pub limit: usize,
    /// Says that this client reads runs of its own commits ([`Commit::count`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub runs: bool,
    /// Asks for every row, also those the device could promote from its own groups.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub full: bool,
}

/// A page of the feed: whole commits in commit order.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
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
    #[serde(deserialize_with = "number::read")]
    pub at: u64,
    /// Whether there is more to pull now.
    pub more: bool,
    /// The highest seq of this incarnation whose groups are all decided at or before `at`.
    #[serde(deserialize_with = "number::read")]
    pub acked: u64,
    /// Whether every commit of the asking device names its group ([`Commit::gid`], [`Commit::gids`]). What `acked` counts
    /// and no page names has changed nothing then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub names_own: bool,
    /// Clients may forget their own acked groups up to this commit.
    #[serde(deserialize_with = "number::read")]
    pub stable: u64,
    /// The tenant's clock.
    pub hlc: Hlc,
    /// The server's wall clock, in milliseconds since 1970.
    #[serde(deserialize_with = "number::read")]
    pub now: u64,
}

/// What a page promises about groups. A word of a newer server reads as the weaker promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
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
    /// The commit number; of a run, the first.
    #[serde(deserialize_with = "number::read")]
    pub n: u64,
    /// Set where the asking device made it, in whichever incarnation: the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<Gid>,
    /// Set where the asking incarnation made it: the group's seq.
    #[serde(default, deserialize_with = "number::read_some", skip_serializing_if = "Option::is_none")]
    pub own: Option<u64>,
    /// Set where the asking incarnation's ops took full effect: the device promotes its own ops and `rows` is empty.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub as_sent: bool,
    /// How many: neighbouring own commits that took effect as sent travel as one run, `n`, `n + 1` … with the seqs
    /// `own`, `own + 1` …, to a client that said it reads runs.
    #[serde(deserialize_with = "number::read", default = "one", skip_serializing_if = "is_one")]
    pub count: u64,
    /// Of a run: [`crate::hash::gids`] of its groups. A device that holds other groups under those seqs is a clone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gids: Option<String>,
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
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The table.
    pub table: String,
    /// The row id.
    pub id: String,
    /// The commit of its create, in its present life; none where it is this very commit.
    #[serde(default, deserialize_with = "number::read_some", skip_serializing_if = "Option::is_none")]
    pub born: Option<u64>,
    /// The fields that differ from their default; empty for a tombstone.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
    /// Why the row is gone, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Cause>,
}

/// Why a row is gone. A cause of a newer server reads as `moved_out`: the row leaves the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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

open_words!(Consistency, otherwise Final: "commit" = Commit, "final" = Final);
open_words!(Cause, otherwise MovedOut: "deleted" = Deleted, "moved_out" = MovedOut, "revoked" = Revoked, "merged_into" = MergedInto);

pub(super) fn rows_max() -> usize {
    crate::limits::PAGE_ROWS_MAX
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
pub(super) fn is_rows_max(limit: &usize) -> bool {
    *limit == rows_max()
}

const fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_one(count: &u64) -> bool {
    *count == 1
}

/// Debug shows neither cursors nor row ids, so that no log can leak them.
impl fmt::Debug for PullRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("PullRequest");
        debug.field("device", &self.device).field("incarnation", &self.incarnation).field("schema", &self.schema);
        debug.field("limit", &self.limit).field("full", &self.full).finish_non_exhaustive()
    }
}

impl fmt::Debug for PullAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("PullAnswer");
        debug.field("epoch", &self.epoch).field("commits", &self.commits.len()).field("at", &self.at);
        debug.field("more", &self.more).field("acked", &self.acked).finish_non_exhaustive()
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Row");
        debug.field("table", &self.table).field("born", &self.born).field("fields", &self.fields);
        debug.field("gone", &self.gone).finish_non_exhaustive()
    }
}
