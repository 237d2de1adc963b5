//! The rules of the protocol over a storage trait: no HTTP, no SQL, no clock.

use serde_json::value::RawValue;
use turnstone_protocol::wire::{HelloAnswer, PullAnswer, PullRequest, PushAnswer, PushRequest};
use turnstone_protocol::{Code, DeviceId, Incarnation, Problem};

pub use crate::token::Principal;

/// The rules of the protocol over one store. Every call is synchronous and may wait for the disk.
pub struct Service {}

/// A tenant's state as one hash, to compare with a device.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StateHash {
    /// The commit it was taken at.
    pub at: u64,
    /// How many live rows there are.
    pub rows: u64,
    /// The hash, in hex.
    pub hash: String,
}

impl Service {
    /// Records and applies the groups of a device, durably, and says a verdict for each.
    ///
    /// # Errors
    /// A problem where the request as a whole is refused; nothing was recorded then.
    pub fn push(&self, _: &Principal, _: PushRequest<Box<RawValue>>, _now_ms: u64) -> Result<PushAnswer, Problem> {
        Err(Problem::new(Code::NotFound, "Not built yet."))
    }

    /// Gives the next page of the feed.
    ///
    /// # Errors
    /// A problem where the cursor or the request is refused.
    pub fn pull(&self, _: &Principal, _: &PullRequest, _now_ms: u64) -> Result<PullAnswer, Problem> {
        Err(Problem::new(Code::NotFound, "Not built yet."))
    }

    /// Says what this server is and where the device stands.
    ///
    /// # Errors
    /// A problem where the store cannot be read.
    pub fn hello(
        &self,
        _: &Principal,
        _: Option<(DeviceId, Incarnation)>,
        _now_ms: u64,
    ) -> Result<HelloAnswer, Problem> {
        Err(Problem::new(Code::NotFound, "Not built yet."))
    }

    /// Hashes the tenant's live rows.
    ///
    /// # Errors
    /// A problem where the store cannot be read.
    pub fn state_hash(&self, _: &Principal) -> Result<StateHash, Problem> {
        Err(Problem::new(Code::NotFound, "Not built yet."))
    }
}
