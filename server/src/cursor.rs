//! Cursors: where a device stands in a tenant's history, opaque to everybody else.
//!
//! base64url of: format, key id, the first half of the epoch, commit number, the first quarter of the chain hash H_n,
//! for a commit that travels in parts how many were sent and at how many rows they are cut, and a MAC (HMAC-SHA256,
//! first half) over all of it, the tenant and the scopes. They stand in the MAC alone: every request carries a cursor
//! and every page, so it is short, and one of another tenant cannot be told from an altered one. The schema is not in
//! it: an additive update resyncs nobody.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use turnstone_protocol::hash::{Hash, sha256};
use turnstone_protocol::{Code, Epoch, Problem};

use crate::key::{Key, mac, same};

const FORMAT: u8 = 2;
/// Everything before the MAC, without the part.
const PLAIN_BYTES: usize = 1 + 2 + 8 + 8 + 8;
const PART_BYTES: usize = 4 + 4;
const MAC_BYTES: usize = 16;

/// A position in a tenant's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The first half of the history's epoch: enough to tell two histories apart, which is no secret.
    pub epoch: [u8; 8],
    /// The last commit that was sent whole.
    pub n: u64,
    /// The first quarter of H_n, of the commit inside of which it stands if it does: tells a history that was restored
    /// and went on from this one.
    pub chain: [u8; 8],
    /// How far into the next commit the device is, where that one travels in parts.
    pub part: Option<SentParts>,
}

/// How far into a commit a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentParts {
    /// The parts that were sent.
    pub sent: u32,
    /// The most rows of a part; 0 where the parts are cut as the log stores them.
    pub cut: u32,
}

impl Cursor {
    /// A position between two commits.
    #[must_use]
    pub fn at(epoch: Epoch, n: u64, chain: &Hash) -> Self {
        Self { epoch: Self::half(epoch), n, chain: Self::quarter(chain), part: None }
    }

    /// The last commit of which the device has anything.
    #[must_use]
    pub fn known(&self) -> u64 {
        self.n.saturating_add(u64::from(self.part.is_some()))
    }
}

impl Cursor {
    /// What a cursor holds of an epoch.
    #[must_use]
    pub fn half(epoch: Epoch) -> [u8; 8] {
        epoch.as_bytes().first_chunk().copied().unwrap_or_default()
    }

    /// What a cursor holds of a chain hash.
    #[must_use]
    pub fn quarter(chain: &Hash) -> [u8; 8] {
        chain.first_chunk().copied().unwrap_or_default()
    }
}

/// Seals and opens cursors.
pub struct CursorKeys(Vec<CursorKey>);

struct CursorKey {
    id: [u8; 2],
    key: [u8; 32],
}

/// Whom a cursor is for.
#[derive(Clone, Copy)]
pub struct Holder<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// The scopes, in their canonical form; empty while there are none.
    pub scopes: &'a str,
}

impl CursorKeys {
    /// Derives them from the server's keys: the first seals, all open.
    #[must_use]
    pub fn new(keys: &[Key]) -> Self {
        let derive = |key: &Key| {
            let key = key.derive("turnstone cursor 1");
            CursorKey { id: sha256(&key).first_chunk().copied().unwrap_or_default(), key }
        };
        Self(keys.iter().map(derive).collect())
    }

    /// Writes a cursor.
    ///
    /// # Errors
    /// A problem `internal` if there is no key, which [`crate::Service::open`] refuses.
    pub fn seal(&self, holder: Holder<'_>, cursor: &Cursor) -> Result<String, Problem> {
        let key = self.0.first().ok_or_else(|| Problem::new(Code::Internal, "The server has no key."))?;
        let mut bytes = Vec::with_capacity(PLAIN_BYTES + PART_BYTES + MAC_BYTES);
        bytes.push(FORMAT);
        bytes.extend_from_slice(&key.id);
        bytes.extend_from_slice(&cursor.epoch);
        bytes.extend_from_slice(&cursor.n.to_be_bytes());
        bytes.extend_from_slice(&cursor.chain);
        if let Some(part) = cursor.part {
            bytes.extend_from_slice(&part.sent.to_be_bytes());
            bytes.extend_from_slice(&part.cut.to_be_bytes());
        }
        let tag = tag(key, holder, &bytes);
        bytes.extend_from_slice(&tag);
        Ok(BASE64URL.encode(bytes))
    }

    /// Reads a cursor.
    ///
    /// # Errors
    /// A problem `cursor_invalid` if it was altered, cut, or made for somebody else.
    pub fn open(&self, holder: Holder<'_>, text: &str) -> Result<Cursor, Problem> {
        self.try_open(holder, text).ok_or_else(|| {
            Problem::new(Code::CursorInvalid, "The cursor was not made here for you: pull from the start.")
        })
    }

    fn try_open(&self, holder: Holder<'_>, text: &str) -> Option<Cursor> {
        if text.len() > 4 * (PLAIN_BYTES + PART_BYTES + MAC_BYTES) {
            return None;
        }
        let bytes = BASE64URL.decode(text).ok()?;
        let (body, found) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
        let mut reader = Reader(body);
        let [format] = reader.take()?;
        let id = reader.take::<2>()?;
        let genuine = |key: &CursorKey| key.id == id && same(&tag(key, holder, body), found);
        if format != FORMAT || !self.0.iter().any(genuine) {
            return None;
        }
        let epoch = reader.take()?;
        let n = u64::from_be_bytes(reader.take()?);
        let chain = reader.take()?;
        let part = if reader.0.is_empty() {
            None
        } else {
            Some(SentParts { sent: u32::from_be_bytes(reader.take()?), cut: u32::from_be_bytes(reader.take()?) })
        };
        reader.0.is_empty().then_some(Cursor { epoch, n, chain, part })
    }
}

fn tag(key: &CursorKey, holder: Holder<'_>, body: &[u8]) -> [u8; MAC_BYTES] {
    let mut message = Vec::with_capacity(body.len() + 64);
    message.extend_from_slice(body);
    message.extend_from_slice(&sha256(holder.tenant.as_bytes()));
    message.extend_from_slice(&sha256(holder.scopes.as_bytes()));
    mac(&key.key, &message).first_chunk().copied().unwrap_or_default()
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ANN: Holder<'static> = Holder { tenant: "ann", scopes: "" };

    fn keys(byte: u8) -> Key {
        Key::from_bytes(vec![byte; 32]).unwrap()
    }

    fn cursor() -> Cursor {
        Cursor::at(Epoch::from_random(9), 77, &[5; 32])
    }

    #[test]
    fn a_cursor_comes_back_as_it_was_sealed_also_after_the_key_was_changed() {
        let old = CursorKeys::new(&[keys(1)]);
        let new = CursorKeys::new(&[keys(2), keys(1)]);
        for part in [None, Some(SentParts { sent: 3, cut: 1000 })] {
            let cursor = Cursor { part, ..cursor() };
            let text = old.seal(ANN, &cursor).unwrap();
            assert_eq!(new.open(ANN, &text).unwrap(), cursor);
        }
    }

    /// I-21.
    #[test]
    fn a_cursor_altered_at_any_letter_is_refused() {
        let keys = CursorKeys::new(&[keys(1)]);
        let text = keys.seal(ANN, &cursor()).unwrap();
        for at in 0..text.len() {
            for letter in [b'A', b'B', b'_', b'!'] {
                let mut bytes = text.clone().into_bytes();
                if bytes[at] != letter {
                    bytes[at] = letter;
                    let altered = String::from_utf8(bytes).unwrap();
                    assert_eq!(keys.open(ANN, &altered).unwrap_err().code, Code::CursorInvalid, "at {at}");
                }
            }
            assert_eq!(keys.open(ANN, &text[..at]).unwrap_err().code, Code::CursorInvalid, "cut at {at}");
        }
    }

    /// I-21, I-56.
    #[test]
    fn a_cursor_is_good_for_its_holder_only() {
        let keys1 = CursorKeys::new(&[keys(1)]);
        let text = keys1.seal(ANN, &cursor()).unwrap();
        for other in [Holder { tenant: "bob", scopes: "" }, Holder { tenant: "ann", scopes: "x" }] {
            assert_eq!(keys1.open(other, &text).unwrap_err().code, Code::CursorInvalid);
        }
        assert_eq!(CursorKeys::new(&[keys(2)]).open(ANN, &text).unwrap_err().code, Code::CursorInvalid);
    }

    proptest! {
        /// I-21: no text opens by chance, and none makes the server fail.
        #[test]
        fn noise_never_opens(text in ".{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let keys = CursorKeys::new(&[keys(1)]);
            prop_assert!(keys.open(ANN, &text).is_err());
            prop_assert!(keys.open(ANN, &BASE64URL.encode(bytes)).is_err());
        }
    }
}
