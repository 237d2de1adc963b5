//! `POST push`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::number;
use super::pull::{PullAnswer, is_rows_max, rows_max};
use super::verdict::Verdict;
use crate::hlc::Hlc;
use crate::id::{DeviceId, Epoch, Incarnation};

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
    /// Says that this client reads runs: of verdicts ([`Run`]), and of its own commits in the pull half.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub runs: bool,
    /// Asks for the pull half in the same answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<PullPart>,
}

/// The pull half inside a push.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct PullPart {
    /// Where the device stands; none at the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The most rows wanted.
    #[serde(default = "rows_max", skip_serializing_if = "is_rows_max")]
    pub limit: usize,
}

/// `POST push`, answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PushAnswer {
    /// Identity of the server's history.
    pub epoch: Epoch,
    /// A verdict for each group that is not in a run, in the order they were sent.
    pub verdicts: Vec<Verdict>,
    /// Runs of groups that were applied and have nothing more to be said of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub applied: Vec<Run>,
    /// The server's wall clock, in milliseconds since 1970.
    #[serde(deserialize_with = "number::read")]
    pub now: u64,
    /// The tenant's clock after this push.
    pub hlc: Hlc,
    /// Clients may forget their own acked groups up to this commit.
    #[serde(deserialize_with = "number::read")]
    pub stable: u64,
    /// The pull half, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<PullAnswer>,
}

/// Neighbours in a push that were applied one after the other: seq `seq` is commit `commit`, the next seq the next
/// commit, `count` of them. A backlog of thousands has one such run per push, where verdicts would repeat every gid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The first seq.
    #[serde(deserialize_with = "number::read")]
    pub seq: u64,
    /// The commit of the first.
    #[serde(deserialize_with = "number::read")]
    pub commit: u64,
    /// How many groups.
    #[serde(deserialize_with = "number::read")]
    pub count: u64,
}

/// Debug shows no cursor, so that no log can leak it.
impl fmt::Debug for PullPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PullPart").field("limit", &self.limit).finish_non_exhaustive()
    }
}
