//! The records of a store, as the rules see them.

use turnstone_protocol::wire::{Cause, Outcome};
use turnstone_protocol::{DeviceId, Gid, Hlc, Incarnation};

/// A SHA-256.
pub type Digest = [u8; 32];

/// A tenant inside one store. It keys every other record, so no query can forget whose data it touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TenantNo(pub i64);

/// A device in one incarnation, inside one store. It belongs to one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlotNo(pub i64);

/// The head row of a tenant: the last position of its history. Locked by every push before it reads anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The last commit number.
    pub n: u64,
    /// The chain hash H_n.
    pub chain: Digest,
    /// The tenant's clock: at least every stamp it holds.
    pub hlc: Hlc,
    /// When the last commit was made; never smaller than that of the one before. Milliseconds since 1970.
    pub ms: u64,
    /// The oldest commit a cursor may stand at.
    pub horizon: u64,
    /// A commit known to be stable; the search for the newest stable one starts here.
    pub stable: u64,
}

/// What a store knows of a device in one incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Its number.
    pub no: SlotNo,
    /// Up to this seq, gids may have been forgotten.
    pub pruned_seq: u64,
}

/// What a transaction begins with.
#[derive(Debug, Clone, Copy)]
pub struct Locked {
    /// The tenant.
    pub tenant: TenantNo,
    /// Its head row.
    pub head: Head,
    /// The device in its incarnation.
    pub slot: Slot,
}

/// Where a stored row is, for writing it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowHandle(pub i64);

/// A row, or its tombstone with the last image.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRow {
    /// Where it is.
    pub handle: RowHandle,
    /// The commit of its create, in its present life.
    pub born: u64,
    /// The commit that wrote it last.
    pub version: u64,
    /// Canonical JSON object of every field that was ever written in this life.
    pub fields: String,
    /// The stamps, as the protocol encodes them.
    pub stamps: Vec<u8>,
    /// Why and by which change it is gone, if it is.
    pub gone: Option<Gone>,
}

/// Why a row is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// The cause.
    pub cause: Cause,
    /// The stamp of the change that took it away, encoded.
    pub stamp: Vec<u8>,
}

/// A row to write.
#[derive(Debug, Clone, Copy)]
pub struct RowWrite<'a> {
    /// Where it is, if it is there already.
    pub handle: Option<RowHandle>,
    /// The table.
    pub table: &'a str,
    /// The row id.
    pub id: &'a str,
    /// The commit of its create.
    pub born: u64,
    /// The commit that writes it.
    pub version: u64,
    /// Canonical JSON object of its fields.
    pub fields: &'a str,
    /// Its stamps, encoded.
    pub stamps: &'a [u8],
    /// Why it is gone, if it is.
    pub gone: Option<&'a Gone>,
}

/// A group to append to the log.
#[derive(Debug, Clone, Copy)]
pub struct LogWrite<'a> {
    /// Its commit number: the head's plus one.
    pub n: u64,
    /// The group.
    pub gid: Gid,
    /// Who sent it.
    pub slot: SlotNo,
    /// The seq it came with.
    pub seq: u64,
    /// The clock it was given (after the server's bounds).
    pub hlc: Hlc,
    /// When it was committed, in milliseconds since 1970.
    pub ms: u64,
    /// `applied` or `merged`.
    pub outcome: Outcome,
    /// Whether every intent took full effect, so that its writer needs no rows back.
    pub as_sent: bool,
    /// The hash of its payload.
    pub hash: &'a Digest,
    /// The chain hash H_n.
    pub chain: &'a Digest,
    /// Canonical JSON array of its ops.
    pub ops: &'a str,
    /// How many rows it touched.
    pub count: u64,
    /// Those rows after it.
    pub images: Images<'a>,
    /// What the verdict says beyond its outcome, as JSON.
    pub detail: Option<&'a str>,
}

/// A group of the log. Text is borrowed from the database: a page is assembled from it without a copy per row.
#[derive(Debug, Clone, Copy)]
pub struct LogRow<'a> {
    /// Its commit number.
    pub n: u64,
    /// The group.
    pub gid: Gid,
    /// Who sent it.
    pub slot: SlotNo,
    /// The seq it came with.
    pub seq: u64,
    /// When it was committed, in milliseconds since 1970.
    pub ms: u64,
    /// Whether every intent took full effect.
    pub as_sent: bool,
    /// The chain hash H_n.
    pub chain: Digest,
    /// Canonical JSON array of its ops.
    pub ops: &'a str,
    /// How many rows it touched.
    pub count: u64,
    /// Those rows after it.
    pub images: StoredImages<'a>,
}

/// The rows after a commit, to write. Text is the members of a JSON array, without its brackets.
#[derive(Debug, Clone, Copy)]
pub enum Images<'a> {
    /// Every op made a row exactly as it says, so the ops say them.
    InOps,
    /// All of them in one text.
    Inline(&'a str),
    /// Too many for a page: cut into pages.
    Parts(&'a [String]),
}

/// The rows after a commit, as the log has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredImages<'a> {
    /// The ops say them.
    InOps,
    /// All of them in one text.
    Inline(&'a str),
    /// In this many parts; ask [`super::View::part`] for each.
    Parts(u32),
}

/// What was said of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVerdict {
    /// The hashes of its body.
    pub hashes: Hashes,
    /// What became of it.
    pub outcome: Outcome,
    /// The commit that made it (accepted), or the head when it was decided.
    pub commit: u64,
    /// Who sent it last and with which seq, if it ever came.
    pub from: Option<(SlotNo, u64)>,
    /// What the verdict says beyond its outcome, as JSON.
    pub detail: Option<String>,
}

/// What is kept of a group's body, to know it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hashes {
    /// Of its payload; none for a group that was named and never seen (covered, replaced, voided).
    pub payload: Option<Digest>,
    /// Of its ops alone; none where they never came, or are in the log.
    pub ops: Option<Digest>,
}

/// Who asks, inside a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// The installation.
    pub device: DeviceId,
    /// Its present life.
    pub incarnation: Incarnation,
}
