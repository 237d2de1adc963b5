//! Stamps: who wrote a value, and when on the tenant's clock.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::hlc::Hlc;
use crate::id::Gid;

/// The identity and rank of one op. Ordered by (hlc, gid, n); the commit is not part of the
/// order, it says which devices have pulled the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Stamp {
    /// The server-confirmed clock of the group.
    pub hlc: Hlc,
    /// The group.
    pub gid: Gid,
    /// Which op of the group, from 0.
    pub n: u32,
    /// The commit that applied it.
    pub commit: u64,
}

impl Ord for Stamp {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.hlc, self.gid, self.n, self.commit).cmp(&(other.hlc, other.gid, other.n, other.commit))
    }
}

impl PartialOrd for Stamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Stamp {
    /// The stamp of what nobody wrote: before everything, seen by everybody.
    pub const ZERO: Self = Self { hlc: Hlc::ZERO, gid: Gid([0; 16]), n: 0, commit: 0 };
}

/// The stamps of a row: one for the row, and one for each field written later.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stamps {
    /// The create that began this life of the row. It stands for every field without an exception.
    pub row: Stamp,
    /// Creates of the same id that met the live row and were merged into it: their writers count as
    /// having seen the row's birth. The newest `JOINED_MAX` are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<Stamp>,
    /// Fields written later. In a table that merges whole rows the one entry `""` stands for the row's content.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub except: BTreeMap<String, Stamp>,
}

/// More devices than this rarely make the same row before any of them has pulled it.
pub(super) const JOINED_MAX: usize = 32;
/// The exception that stands for a whole row's content.
pub(super) const WHOLE_ROW: &str = "";

const ENCODING: u8 = 1;

impl Stamps {
    /// The stamps of a row just made.
    #[must_use]
    pub const fn new(row: Stamp) -> Self {
        Self { row, joined: Vec::new(), except: BTreeMap::new() }
    }

    /// The stamp of a field that was written.
    #[must_use]
    pub fn of(&self, field: &str) -> Stamp {
        self.except.get(field).copied().unwrap_or(self.row)
    }

    pub(super) fn set(&mut self, field: &str, stamp: Stamp) {
        if let Some(entry) = self.except.get_mut(field) {
            *entry = stamp;
        } else if stamp != self.row {
            self.except.insert(field.to_owned(), stamp);
        }
    }

    pub(super) fn join(&mut self, stamp: Stamp) {
        if stamp == self.row || self.joined.contains(&stamp) {
            return;
        }
        if self.joined.len() >= JOINED_MAX {
            self.joined.remove(0);
        }
        self.joined.push(stamp);
    }

    /// Every stamp of the row.
    pub fn iter(&self) -> impl Iterator<Item = &Stamp> {
        std::iter::once(&self.row).chain(&self.joined).chain(self.except.values())
    }

    /// The compact form databases store: distinct stamps once, then who refers to which.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut distinct: Vec<Stamp> = vec![self.row];
        let mut index_of = |stamp: &Stamp| {
            distinct.iter().position(|known| known == stamp).unwrap_or_else(|| {
                distinct.push(*stamp);
                distinct.len() - 1
            })
        };
        let joined: Vec<usize> = self.joined.iter().map(&mut index_of).collect();
        let except: Vec<(&String, usize)> = self.except.iter().map(|(name, stamp)| (name, index_of(stamp))).collect();
        let mut out = Vec::with_capacity(2 + distinct.len() * 28 + except.len() * 16);
        out.push(ENCODING);
        write_varint(&mut out, distinct.len() as u64);
        for stamp in &distinct {
            stamp.write(&mut out);
        }
        write_varint(&mut out, joined.len() as u64);
        for index in joined {
            write_varint(&mut out, index as u64);
        }
        write_varint(&mut out, except.len() as u64);
        for (name, index) in except {
            write_varint(&mut out, name.len() as u64);
            out.extend_from_slice(name.as_bytes());
            write_varint(&mut out, index as u64);
        }
        out
    }

    /// Reads what [`Stamps::to_bytes`] wrote. Nothing else reads as stamps, and nothing panics.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.byte()? != ENCODING {
            return None;
        }
        let mut distinct = Vec::new();
        for _ in 0..reader.count()? {
            distinct.push(Stamp::read(&mut reader)?);
        }
        let mut stamps = Self::new(*distinct.first()?);
        for _ in 0..reader.count()? {
            stamps.joined.push(*distinct.get(reader.index()?)?);
        }
        for _ in 0..reader.count()? {
            let length = reader.index()?;
            let name = std::str::from_utf8(reader.take(length)?).ok()?.to_owned();
            stamps.except.insert(name, *distinct.get(reader.index()?)?);
        }
        reader.0.is_empty().then_some(stamps)
    }
}

impl Stamp {
    /// The compact form databases store.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(30);
        self.write(&mut out);
        out
    }

    /// Reads what [`Stamp::to_bytes`] wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let stamp = Self::read(&mut reader)?;
        reader.0.is_empty().then_some(stamp)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.hlc.0.to_be_bytes());
        out.extend_from_slice(self.gid.as_bytes());
        write_varint(out, u64::from(self.n));
        write_varint(out, self.commit);
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let hlc = Hlc(u64::from_be_bytes(reader.take(8)?.try_into().ok()?));
        let gid = Gid(reader.take(16)?.try_into().ok()?);
        let n = u32::try_from(reader.varint()?).ok()?;
        Some(Self { hlc, gid, n, commit: reader.varint()? })
    }
}

fn write_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or_default());
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                // A longer form of the same number is not ours.
                return (byte != 0 || shift == 0).then_some(number);
            }
        }
        None
    }

    fn index(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok()
    }

    /// A count of things that take at least a byte each, so that no count costs memory.
    fn count(&mut self) -> Option<usize> {
        self.index().filter(|count| *count <= self.0.len())
    }
}
