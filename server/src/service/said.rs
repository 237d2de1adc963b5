//! What is said of a group: stored once, told again whenever it is sent again.

use serde::{Deserialize, Serialize};
use turnstone_protocol::merge::Refusal;
use turnstone_protocol::wire::{Explain, Outcome, Verdict};
use turnstone_protocol::{Code, Gid};

use crate::storage::{Hashes, SlotNo, StorageError, StoredVerdict};

/// What is said of a group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    pub(super) outcome: Outcome,
    /// The commit that made it, or the head when it was decided.
    pub(super) commit: u64,
    pub(super) detail: Detail,
}

/// What a verdict says beyond its outcome; the JSON the store keeps.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Detail {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<Code>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) fields: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) by: Vec<Gid>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) explain: Vec<Explain>,
}

impl Detail {
    pub(super) fn to_json(&self) -> Result<Option<String>, StorageError> {
        if *self == Self::default() {
            return Ok(None);
        }
        serde_json::to_string(self).map(Some).map_err(|_| StorageError::BadRecord("verdict"))
    }
}

impl Said {
    pub(super) fn new(outcome: Outcome, commit: u64) -> Self {
        Self { outcome, commit, detail: Detail::default() }
    }

    pub(super) fn because(outcome: Outcome, commit: u64, code: Code) -> Self {
        Self { outcome, commit, detail: Detail { code: Some(code), ..Detail::default() } }
    }

    pub(super) fn rejected(refusal: Refusal, commit: u64) -> Self {
        let detail = Detail { code: Some(refusal.code), fields: refusal.fields, ..Detail::default() };
        Self { outcome: Outcome::Rejected, commit, detail }
    }

    pub(super) fn by(mut self, gids: Vec<Gid>) -> Self {
        self.detail.by = gids;
        self
    }

    pub(super) fn read(stored: &StoredVerdict) -> Result<Self, StorageError> {
        let detail = match &stored.detail {
            Some(json) => serde_json::from_str(json).map_err(|_| StorageError::BadRecord("verdict"))?,
            None => Detail::default(),
        };
        Ok(Self { outcome: stored.outcome, commit: stored.commit, detail })
    }

    pub(super) fn store(&self, hashes: Hashes, from: Option<(SlotNo, u64)>) -> Result<StoredVerdict, StorageError> {
        Ok(StoredVerdict { hashes, outcome: self.outcome, commit: self.commit, from, detail: self.detail.to_json()? })
    }

    pub(super) fn into_verdict(self, gid: Gid, seq: u64) -> Verdict {
        let Detail { code, fields, by, explain } = self.detail;
        let commit = self.outcome.is_accepted().then_some(self.commit);
        Verdict { gid, seq, verdict: self.outcome, commit, code, fields, by, explain }
    }

    /// The commit at which its seq counts as decided, if it does.
    pub(super) fn decided_at(&self) -> Option<u64> {
        self.outcome.is_terminal().then_some(self.commit)
    }
}
