//! SHA-256 over canonical text: group bodies, rows, the state of a tenant, the chain of commits.
//!
//! `docs/protocol.md` gives each definition byte by byte; `protocol/vectors/hash.json` decides.

use sha2::{Digest as _, Sha256};

use crate::canonical;
use crate::hlc::Hlc;
use crate::id::Gid;
use crate::op::Op;
use crate::value::Fields;

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// The chain hash before the first commit.
pub const CHAIN_START: Hash = [0; 32];

/// SHA-256 of some bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0'))
        .collect()
}

/// Reads 64 lower-case hex digits.
#[must_use]
pub fn from_hex(text: &str) -> Option<Hash> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut hash = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(hash)
}

/// The hash of what a group means: `{"hlc":…,"ops":[…],"schema":n}` in canonical form. Device,
/// incarnation, seq and transport are left out, so that a resent group hashes the same.
#[must_use]
pub fn payload(hlc: Hlc, schema: u32, ops: &[Op]) -> Hash {
    let mut text = format!("{{\"hlc\":\"{hlc}\",\"ops\":[");
    let mut hasher = Sha256::new();
    for (at, op) in ops.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        canonical::write_op(&mut text, op);
        // Hashing op by op keeps the text small in large groups.
        if text.len() > 1 << 14 {
            hasher.update(text.as_bytes());
            text.clear();
        }
    }
    text.push_str("],\"schema\":");
    text.push_str(&schema.to_string());
    text.push('}');
    hasher.update(text.as_bytes());
    hasher.finalize().into()
}

/// The hash of one live row: `["table","id",{fields}]` in canonical form. The caller leaves out
/// fields that equal their default ([`crate::schema::Table::canonical_fields`]).
#[must_use]
pub fn row(table: &str, id: &str, fields: &Fields) -> Hash {
    let mut text = String::from("[");
    canonical::write_string(&mut text, table);
    text.push(',');
    canonical::write_string(&mut text, id);
    text.push(',');
    canonical::write_fields(&mut text, fields);
    text.push(']');
    sha256(text.as_bytes())
}

/// The next link of a tenant's chain: SHA-256 over the previous link, the commit number (8 bytes,
/// big-endian), the gid (16 bytes) and the group's payload hash.
#[must_use]
pub fn chain(prev: &Hash, n: u64, gid: &Gid, payload: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(prev);
    hasher.update(n.to_be_bytes());
    hasher.update(gid.as_bytes());
    hasher.update(payload);
    hasher.finalize().into()
}

/// What a run of groups is recognised by: the first 32 hex digits of SHA-256 over their gids (16 bytes each), in order.
#[must_use]
pub fn gids<'a>(gids: impl IntoIterator<Item = &'a Gid>) -> String {
    let mut hasher = Sha256::new();
    for gid in gids {
        hasher.update(gid.as_bytes());
    }
    let digest: Hash = hasher.finalize().into();
    hex(digest.first_chunk::<16>().unwrap_or(&[0; 16]))
}

/// The hash of a set of rows, in whatever order they come and go: the sum of the row hashes
/// modulo 2^256 (big-endian) and the number of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    sum: [u128; 2],
    rows: u64,
}

impl State {
    /// Puts a row in.
    pub fn add(&mut self, row: &Hash) {
        let [high, low] = halves(row);
        let (sum, carry) = self.sum[1].overflowing_add(low);
        self.sum = [self.sum[0].wrapping_add(high).wrapping_add(u128::from(carry)), sum];
        self.rows = self.rows.wrapping_add(1);
    }

    /// Takes a row out that was put in before.
    pub fn remove(&mut self, row: &Hash) {
        let [high, low] = halves(row);
        let (sum, borrow) = self.sum[1].overflowing_sub(low);
        self.sum = [self.sum[0].wrapping_sub(high).wrapping_sub(u128::from(borrow)), sum];
        self.rows = self.rows.wrapping_sub(1);
    }

    /// How many rows are in.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// SHA-256 (hex) over the sum (32 bytes, big-endian) and the row count (8 bytes, big-endian).
    #[must_use]
    pub fn finish(&self) -> String {
        hex(&sha256(&self.to_bytes()))
    }

    /// The sum and the count, as databases store them.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 40] {
        let mut bytes = [0; 40];
        let parts =
            self.sum[0].to_be_bytes().into_iter().chain(self.sum[1].to_be_bytes()).chain(self.rows.to_be_bytes());
        for (byte, part) in bytes.iter_mut().zip(parts) {
            *byte = part;
        }
        bytes
    }

    /// Reads what [`State::to_bytes`] wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 40]) -> Self {
        let number = |range: std::ops::Range<usize>| {
            bytes.get(range).unwrap_or_default().iter().fold(0u128, |sum, byte| sum << 8 | u128::from(*byte))
        };
        let rows = u64::try_from(number(32..40)).unwrap_or_default();
        Self { sum: [number(0..16), number(16..32)], rows }
    }
}

fn halves(hash: &Hash) -> [u128; 2] {
    let (high, low) = hash.split_at(16);
    [high, low].map(|half| half.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte)))
}
