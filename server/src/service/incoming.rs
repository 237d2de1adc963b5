//! A push entry, read, bounded and admitted before anything is locked.

use std::fmt::Write as _;

use serde_json::value::RawValue;
use turnstone_protocol::entry::Address;
use turnstone_protocol::hash::sha256;
use turnstone_protocol::merge::{Refusal, admit_op};
use turnstone_protocol::op::{Entry, Group, Void};
use turnstone_protocol::wire::Outcome;
use turnstone_protocol::{Code, Gid, Hlc, Op, Problem, Schema, canonical};

use super::said::Said;
use crate::config::Limits;
use crate::storage::Digest;

/// A push entry.
pub(super) struct Incoming {
    pub(super) gid: Gid,
    pub(super) seq: u64,
    /// The hash of its payload; a void, and what cannot be read, has none.
    pub(super) hash: Option<Digest>,
    pub(super) body: Body,
}

/// What an entry asks for.
pub(super) enum Body {
    /// Apply these ops.
    Group(Box<IncomingGroup>),
    /// Give the group up.
    Void {
        /// What that would have taken the place of.
        replaces: Option<Gid>,
    },
    /// Nothing that could be applied: it only gets its verdict.
    Unread(Said),
}

/// A group that was read.
pub(super) struct IncomingGroup {
    pub(super) hlc: Hlc,
    pub(super) after: Vec<Gid>,
    pub(super) covers: Vec<Gid>,
    pub(super) replaces: Option<Gid>,
    /// The ops with their types, or why they cannot be applied by this schema.
    pub(super) ops: Result<Vec<Op>, Said>,
    /// The hashed text of the payload, which holds the ops.
    text: String,
    ops_at: std::ops::Range<usize>,
}

impl IncomingGroup {
    /// Canonical JSON array of the ops as they were sent.
    pub(super) fn ops_text(&self) -> &str {
        self.text.get(self.ops_at.clone()).unwrap_or("[]")
    }

    /// SHA-256 of that text: without the stamp, which each copy of a device gives its own.
    pub(super) fn ops_hash(&self) -> Digest {
        sha256(self.ops_text().as_bytes())
    }
}

impl Incoming {
    /// Reads one entry of a push.
    ///
    /// # Errors
    /// A problem `malformed` if not even its gid and seq can be read: there would be nobody to give a verdict.
    pub(super) fn read(raw: &RawValue, schema: &Schema, limits: &Limits) -> Result<Self, Problem> {
        match Entry::read(raw.get()) {
            Ok(Entry::Group(group)) => Ok(Self::group(group, raw.get().len(), schema, limits)),
            Ok(Entry::Void(Void { seq, void, replaces })) => {
                Ok(Self { gid: void, seq, hash: None, body: Body::Void { replaces } })
            }
            Err(refusal) => {
                let title = "An entry needs at least a seq and a gid.";
                let address = Address::read(raw.get()).ok_or_else(|| Problem::new(Code::Malformed, title))?;
                // A later version of this server may read what this one cannot: nothing binds the gid to these bytes.
                Ok(Self { gid: address.gid, seq: address.seq, hash: None, body: Body::Unread(unread(refusal)) })
            }
        }
    }

    fn group(group: Group, bytes: usize, schema: &Schema, limits: &Limits) -> Self {
        let Group { gid, seq, hlc, schema: version, app: _, after, covers, replaces, ops } = group;
        let (text, ops_at) = payload_text(hlc, version, &ops, bytes);
        let hash = Some(sha256(text.as_bytes()));
        let ops = admit(ops, schema, limits);
        let group = IncomingGroup { hlc, after, covers, replaces, ops, text, ops_at };
        Self { gid, seq, hash, body: Body::Group(Box::new(group)) }
    }
}

/// What is said of an entry that cannot be read: what a newer client means waits for a newer server.
fn unread(refusal: Refusal) -> Said {
    if refusal.code == Code::UnknownIntent { behind(refusal.code) } else { Said::rejected(refusal, 0) }
}

fn behind(code: Code) -> Said {
    Said::because(Outcome::SchemaBehind, 0, code)
}

/// The text `turnstone_protocol::hash::payload` hashes, and where the ops stand in it: written once for the hash and
/// for the log. It is about as long as the entry was.
fn payload_text(hlc: Hlc, schema: u32, ops: &[Op], bytes: usize) -> (String, std::ops::Range<usize>) {
    let mut text = String::with_capacity(bytes);
    // Writing to a String cannot fail.
    let _ = write!(text, "{{\"hlc\":\"{hlc}\",\"ops\":");
    let start = text.len();
    text.push('[');
    for (at, op) in ops.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        canonical::write_op(&mut text, op);
    }
    text.push(']');
    let end = text.len();
    text.push_str(",\"schema\":");
    text.push_str(&schema.to_string());
    text.push('}');
    (text, start..end)
}

fn admit(ops: Vec<Op>, schema: &Schema, limits: &Limits) -> Result<Vec<Op>, Said> {
    let mut admitted = Vec::with_capacity(ops.len());
    for op in ops {
        let table = schema.table(&op.table).ok_or_else(|| behind(Code::UnknownTable))?;
        let op = admit_op(table, op, limits.value_bytes_max).map_err(|refusal: Refusal| {
            // An intent on a field this schema does not have waits for the newer schema (rule 29).
            if refusal.code == Code::UnknownField { behind(Code::UnknownField) } else { Said::rejected(refusal, 0) }
        })?;
        admitted.push(op);
    }
    Ok(admitted)
}

#[cfg(test)]
mod tests {
    use turnstone_protocol::hash;

    use super::*;

    #[test]
    fn the_text_that_is_hashed_is_the_protocols() {
        let ops = r#"[{"op":"create","table":"notes","id":"é","base":3,"set":{"b":[1,{"x":"\u0007"}],"a":1.50}},
                      {"op":"update","table":"notes","id":"1","inc":{"n":-4}}]"#;
        let ops: Vec<Op> = serde_json::from_str(ops).unwrap();
        for ops in [&ops[..], &[]] {
            let (text, at) = payload_text(Hlc(77), 3, ops, 0);
            assert_eq!(sha256(text.as_bytes()), hash::payload(Hlc(77), 3, ops));
            assert_eq!(serde_json::from_str::<Vec<Op>>(&text[at]).unwrap(), ops);
        }
    }
}
