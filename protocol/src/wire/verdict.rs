//! What the server says about a group.

use serde::{Deserialize, Serialize};

use super::number;
use crate::catalogue::Code;
use crate::id::Gid;
use crate::words::open_words;

/// The server's word on one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The group.
    pub gid: Gid,
    /// The seq it was sent with.
    #[serde(deserialize_with = "number::read")]
    pub seq: u64,
    /// What became of it.
    pub verdict: Outcome,
    /// The commit that decided it (applied, merged).
    #[serde(default, deserialize_with = "number::read_some", skip_serializing_if = "Option::is_none")]
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

impl Verdict {
    /// Says that a group was applied, and nothing more.
    #[must_use]
    pub const fn applied(gid: Gid, seq: u64, commit: u64) -> Self {
        Self {
            gid,
            seq,
            verdict: Outcome::Applied,
            commit: Some(commit),
            code: None,
            fields: Vec::new(),
            by: Vec::new(),
            explain: Vec::new(),
        }
    }
}

/// What became of a group. A verdict of a newer server reads as `retry`: the group stays pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// The pushed one.
    Mine,
    /// The one already there.
    Theirs,
    /// Both went into the result.
    Both,
}

open_words!(Outcome, otherwise Retry: "applied" = Applied, "merged" = Merged, "conflict" = Conflict, "rejected" = Rejected, "blocked" = Blocked, "retry" = Retry, "need_base" = NeedBase, "schema_behind" = SchemaBehind, "op_expired" = OpExpired, "voided" = Voided, "replaced" = Replaced);
open_words!(Kept, otherwise Both: "mine" = Mine, "theirs" = Theirs, "both" = Both);
