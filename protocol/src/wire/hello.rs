//! `GET hello`.

use serde::{Deserialize, Serialize};

use super::number;
use crate::hlc::Hlc;
use crate::id::Epoch;

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
    #[serde(deserialize_with = "number::read")]
    pub head: u64,
    /// Clients may forget their own acked groups up to this commit.
    #[serde(deserialize_with = "number::read")]
    pub stable: u64,
    /// The last seq it recorded for the asking device and incarnation, if it named them.
    #[serde(default, deserialize_with = "number::read_some", skip_serializing_if = "Option::is_none")]
    pub last_seq: Option<u64>,
    /// Who the token is for: the same text for the same user of the same tenant, for ever, and for nobody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// The server's wall clock, in milliseconds since 1970.
    #[serde(deserialize_with = "number::read")]
    pub now: u64,
    /// The tenant's clock.
    pub hlc: Hlc,
}
