//! Ops and groups: what a writer meant, in wire form.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::hlc::Hlc;
use crate::id::Gid;
use crate::value::Fields;

/// What an op does to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpKind {
    /// Makes a row.
    Create,
    /// Changes fields of a row that exists; never makes one.
    Update,
    /// Removes a row and leaves a tombstone.
    Delete,
    /// Brings a deleted row back from its tombstone.
    Undelete,
}

/// One immutable intent on one row.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Op {
    /// What it does.
    #[serde(rename = "op")]
    pub kind: OpKind,
    /// The table.
    pub table: String,
    /// The row id.
    pub id: String,
    /// Update and delete: the row's version the writer saw. Create and undelete: the commit the device had pulled up to.
    #[serde(default)]
    pub base: u64,
    /// New values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: Fields,
    /// Amounts added to counters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "amounts")]
    pub inc: BTreeMap<String, i64>,
    /// Values the writer saw in the fields of `set`, where they are at most `WAS_BYTES_MAX` bytes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub was: Fields,
    /// SHA-256 (hex) of the canonical text of larger values the writer saw.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub was_hash: BTreeMap<String, String>,
}

/// Shows what kind of change it is and never its values or row id, so that no log can leak them.
impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Op");
        debug.field("op", &self.kind).field("table", &self.table).field("base", &self.base);
        debug.field("set", &self.set).field("inc", &self.inc.keys()).finish_non_exhaustive()
    }
}

/// The ops of one local transaction: atomic on the device, on the wire, on the server and on every other device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The idempotency key.
    pub gid: Gid,
    /// Position in the device's incarnation, from 1, without holes.
    pub seq: u64,
    /// When it was written, as far as the device can tell (rule 20).
    pub hlc: Hlc,
    /// The schema version it was written with.
    pub schema: u32,
    /// The app's version, for support and for fencing a bad release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// Earlier groups of this device that must be applied first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Gid>,
    /// Never-sent groups that this one stands for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<Gid>,
    /// A sent group that this one takes the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Gid>,
    /// The ops, in the order they were made.
    pub ops: Vec<Op>,
}

/// What a push carries, in seq order.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Entry {
    /// A group to apply.
    Group(Group),
    /// Gives up a sent group; uses up its seq so that no hole stops the device.
    Void(Void),
}

/// Gives up a sent group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Void {
    /// The seq of the group given up.
    pub seq: u64,
    /// The gid of the group given up.
    pub void: Gid,
    /// The group it would have taken the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Gid>,
}

/// Amounts have the wire form of integer values: beyond 2^53 they are strings.
mod amounts {
    use std::collections::BTreeMap;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::value::{Fields, Value};

    pub(super) fn serialize<S: Serializer>(amounts: &BTreeMap<String, i64>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(amounts.iter().map(|(name, by)| (name, Value::Int(*by))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, i64>, D::Error> {
        let amount = |(name, value): (String, Value)| match value.as_wire_integer() {
            Some(by) => Ok((name, by)),
            None => Err(D::Error::custom("an amount is an integer; beyond 2^53 it is a string")),
        };
        Fields::deserialize(deserializer)?.into_iter().map(amount).collect()
    }
}
