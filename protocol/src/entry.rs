//! Reading what a push carries: one malformed group must not spoil the ones beside it, and what a
//! newer client means must never be half understood.

use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;

use crate::catalogue::Code;
use crate::hlc::Hlc;
use crate::id::Gid;
use crate::limits::{APP_BYTES_MAX, GIDS_MAX, GROUP_BYTES_MAX, GROUP_OPS_MAX, WIRE_INTEGER_MAX};
use crate::merge::Refusal;
use crate::op::{Entry, Group, Op, Void};

/// What can be read of an entry even where the rest cannot: whom to give the verdict to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Address {
    /// The seq.
    pub seq: u64,
    /// The group, or the group given up.
    #[serde(alias = "void")]
    pub gid: Gid,
}

impl Address {
    /// Reads seq and gid alone. Where even they are missing the whole request is malformed.
    #[must_use]
    pub fn read(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok().filter(|address: &Self| in_range(address.seq))
    }
}

impl Entry {
    /// Reads one entry of a push and checks every limit that needs no schema.
    ///
    /// # Errors
    /// [`Refusal`] with `unknown_intent` where a newer client says something this version does
    /// not know (verdict `schema_behind`), `too_large`, or `malformed`.
    pub fn read(json: &str) -> Result<Self, Refusal> {
        if json.len() > GROUP_BYTES_MAX {
            return Err(Refusal::of(Code::TooLarge));
        }
        match serde_json::from_str::<Self>(json) {
            Ok(entry) => entry.bounded(),
            Err(_) if says_something_new(json) => Err(Refusal::of(Code::UnknownIntent)),
            Err(_) => Err(Refusal::of(Code::Malformed)),
        }
    }

    fn bounded(self) -> Result<Self, Refusal> {
        let group = match &self {
            Self::Group(group) => group,
            Self::Void(Void { void, replaces, .. }) if *replaces == Some(*void) => {
                return Err(Refusal::of(Code::Malformed));
            }
            Self::Void(_) => return Ok(self),
        };
        let gids = group.after.len().max(group.covers.len());
        if group.ops.len() > GROUP_OPS_MAX || gids > GIDS_MAX {
            return Err(Refusal::of(Code::TooLarge));
        }
        let app_fits = group.app.as_ref().is_none_or(|app| app.len() <= APP_BYTES_MAX && !app.contains('\0'));
        let itself = group.replaces.iter().chain(&group.after).chain(&group.covers).any(|gid| *gid == group.gid);
        if group.schema == 0 || itself || !app_fits || group.ops.iter().any(|op| op.base > WIRE_INTEGER_MAX) {
            return Err(Refusal::of(Code::Malformed));
        }
        Ok(self)
    }

    /// The seq it uses up.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        match self {
            Self::Group(group) => group.seq,
            Self::Void(void) => void.seq,
        }
    }

    /// The group, or the group given up.
    #[must_use]
    pub const fn gid(&self) -> Gid {
        match self {
            Self::Group(group) => group.gid,
            Self::Void(void) => void.void,
        }
    }
}

const fn in_range(seq: u64) -> bool {
    seq >= 1 && seq <= WIRE_INTEGER_MAX
}

/// Both shapes at once: telling them apart afterwards spares a copy of every value.
#[derive(Deserialize)]
struct EntryText {
    seq: u64,
    void: Option<Gid>,
    gid: Option<Gid>,
    hlc: Option<Hlc>,
    schema: Option<u32>,
    app: Option<String>,
    #[serde(default)]
    after: Vec<Gid>,
    #[serde(default)]
    covers: Vec<Gid>,
    replaces: Option<Gid>,
    ops: Option<Vec<Op>>,
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let EntryText { seq, void, gid, hlc, schema, app, after, covers, replaces, ops } =
            EntryText::deserialize(deserializer)?;
        if !in_range(seq) {
            return Err(D::Error::custom("seq starts at 1"));
        }
        match (void, gid, hlc, schema, ops) {
            (Some(void), None, None, None, None) => Ok(Self::Void(Void { seq, void, replaces })),
            (None, Some(gid), Some(hlc), Some(schema), Some(ops)) => {
                Ok(Self::Group(Group { gid, seq, hlc, schema, app, after, covers, replaces, ops }))
            }
            _ => Err(D::Error::custom("neither a group nor a void")),
        }
    }
}

const KINDS: [&str; 4] = ["create", "update", "delete", "undelete"];
const MEMBERS: [&str; 8] = ["op", "table", "id", "base", "set", "inc", "was", "was_hash"];

/// Whether some op has a kind or a member of a later version. Only such a group may wait for a
/// newer server; one that is merely wrong is refused for good.
fn says_something_new(json: &str) -> bool {
    let Ok(Json::Object(entry)) = serde_json::from_str::<Json>(json) else { return false };
    let Some(Json::Array(ops)) = entry.get("ops") else { return false };
    ops.iter().any(|op| {
        let Json::Object(op) = op else { return false };
        let new_kind = op.get("op").and_then(Json::as_str).is_some_and(|kind| !KINDS.contains(&kind));
        new_kind || op.keys().any(|member| !MEMBERS.contains(&member.as_str()))
    })
}
