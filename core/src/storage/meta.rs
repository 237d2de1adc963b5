//! The keys of `_ts_meta`: what each means and who writes it.

use std::cell::OnceCell;

use rusqlite::types::{FromSql, ToSql, Value};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Error;

/// A key of `_ts_meta`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// Device id, 16 bytes. Storage, when the database is made.
    Device,
    /// Incarnation, 16 bytes. Storage, when the database is made; sync, when the device was restored or cloned.
    Incarnation,
    /// The schema as canonical JSON. Storage, at open, when it changed.
    Schema,
    /// Version of that schema. Storage, with it.
    SchemaVersion,
    /// SQLite's schema cookie after the last open: while it stands, nobody changed a table behind our back. Storage.
    SchemaCookie,
    /// Groups that are no longer pending, of all that ever were. Sync, through `SystemTx::settle`.
    SettledGroups,
    /// Their ops. Sync, through `SystemTx::settle`.
    SettledOps,
    /// Every group below is settled: where the search for the oldest pending one starts. Sync.
    LowGroup,
    /// The seq the next sealed group gets. Sync.
    NextSeq,
    /// The opaque position in the server's feed. Sync, last in the transaction that applied up to it.
    Cursor,
    /// The commit number of that position. Sync. New rows take it as their base.
    AppliedN,
    /// The last commit of this history a verdict told of. Sync.
    ToldN,
    /// The highest seq of this incarnation a verdict accepted. Sync.
    ToldSeq,
    /// The server's history, 16 bytes. Sync.
    Epoch,
    /// The greatest HLC the server confirmed (bits of a u64). Sync. New groups take it as their floor.
    ServerHlc,
    /// The last HLC given to a group (bits of a u64). Sync.
    LastHlc,
    /// The server's wall clock at the last contact, in ms. Sync.
    AnchorServerMs,
    /// The boot id at the last contact, 16 bytes. Sync.
    AnchorBoot,
    /// The boot clock at the last contact, in ms. Sync.
    AnchorBootMs,
    /// Own groups up to this commit may be forgotten. Sync.
    Stable,
    /// Up to which seq of this incarnation what pages said is decided need not be looked at any more. Sync.
    Acked,
    /// Groups up to this one may have been sent under an earlier incarnation. Sync.
    Renewed,
    /// The newest group when the present incarnation took the place of another; none: it is the first. Sync.
    EarlierLives,
    /// 1 while the feed is read again from its beginning. Sync.
    FullPull,
    /// 1 while a group that is to be sent may stand before one that was sealed earlier. Sync.
    OutOfOrder,
    /// Milliseconds left of the server's `Retry-After` for pushes, and the boot clock then. The driver.
    RetryAfterMs,
    /// The same for pulls. The driver.
    PullRetryAfterMs,
    /// What went wrong last, as JSON (`LastError`); none once everything was synced again. The driver.
    LastError,
    /// When everything was last pushed and pulled, in ms since 1970. The driver.
    LastSyncedMs,
    /// What the identity witness outside holds too. The store, at open.
    Witness,
    /// What is about to be written there, until both have it. The store, at open.
    NextWitness,
    /// SHA-256 of the account the app opened it for. Storage, at open.
    Account,
    /// Whose database it is, as the server named them. Sync, at the first contact.
    Principal,
}

impl Key {
    /// The key as it stands in the table.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Incarnation => "incarnation",
            Self::Schema => "schema",
            Self::SchemaVersion => "schema_version",
            Self::SchemaCookie => "schema_cookie",
            Self::SettledGroups => "settled_groups",
            Self::SettledOps => "settled_ops",
            Self::LowGroup => "low_group",
            Self::NextSeq => "next_seq",
            Self::Cursor => "cursor",
            Self::AppliedN => "applied_n",
            Self::ToldN => "told_n",
            Self::ToldSeq => "told_seq",
            Self::Epoch => "epoch",
            Self::ServerHlc => "server_hlc",
            Self::LastHlc => "last_hlc",
            Self::AnchorServerMs => "anchor_server_ms",
            Self::AnchorBoot => "anchor_boot",
            Self::AnchorBootMs => "anchor_boot_ms",
            Self::Stable => "stable",
            Self::Acked => "acked",
            Self::Renewed => "renewed",
            Self::EarlierLives => "earlier_lives",
            Self::FullPull => "full_pull",
            Self::OutOfOrder => "out_of_order",
            Self::RetryAfterMs => "retry_after_ms",
            Self::PullRetryAfterMs => "pull_retry_after_ms",
            Self::LastError => "last_error",
            Self::LastSyncedMs => "last_synced_ms",
            Self::Witness => "witness",
            Self::NextWitness => "next_witness",
            Self::Account => "account",
            Self::Principal => "principal",
        }
    }
}

/// Reads a value.
pub(crate) fn read<T: FromSql>(conn: &Connection, key: Key) -> Result<Option<T>, Error> {
    let mut found = conn.prepare_cached("SELECT value FROM _ts_meta WHERE key = ?1")?;
    Ok(found.query_row([key.as_str()], |row| row.get(0)).optional()?)
}

/// Values that a transaction asks for again and again: read at once, when the first is asked for. What it has written
/// itself is read from the table, and the schema, which is long.
#[derive(Default)]
pub(crate) struct Known {
    values: OnceCell<Vec<(String, Value)>>,
    written: Vec<Key>,
}

impl Known {
    /// Reads a value.
    pub(crate) fn read<T: FromSql>(&self, conn: &Connection, key: Key) -> Result<Option<T>, Error> {
        if key == Key::Schema || self.written.contains(&key) {
            return read(conn, key);
        }
        let values = match self.values.get() {
            Some(values) => values,
            None => {
                let values = all(conn)?;
                self.values.get_or_init(|| values)
            }
        };
        let found = values.iter().find(|(name, _)| name == key.as_str());
        found.map(|(_, value)| T::column_result(value.into()).map_err(|_| Error::Corrupt)).transpose()
    }

    /// Writes a value; none removes it.
    pub(crate) fn write<T: ToSql>(&mut self, conn: &Connection, key: Key, value: Option<T>) -> Result<(), Error> {
        if !self.written.contains(&key) {
            self.written.push(key);
        }
        write(conn, key, value)
    }
}

/// Every value but the schema.
fn all(conn: &Connection) -> Result<Vec<(String, Value)>, Error> {
    let mut found = conn.prepare_cached("SELECT key, value FROM _ts_meta WHERE key <> ?1")?;
    let values = found.query_map([Key::Schema.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(values.collect::<Result<_, _>>()?)
}

/// Writes a value; none removes it.
pub(crate) fn write<T: ToSql>(conn: &Connection, key: Key, value: Option<T>) -> Result<(), Error> {
    match value {
        Some(value) => conn
            .prepare_cached(
                "INSERT INTO _ts_meta (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
            )?
            .execute(params![key.as_str(), value])?,
        None => conn.prepare_cached("DELETE FROM _ts_meta WHERE key = ?1")?.execute([key.as_str()])?,
    };
    Ok(())
}

/// Reads 16 bytes.
pub(crate) fn read_id(conn: &Connection, key: Key) -> Result<Option<[u8; 16]>, Error> {
    let bytes: Option<Vec<u8>> = read(conn, key)?;
    bytes.map(|bytes| <[u8; 16]>::try_from(bytes.as_slice()).map_err(|_| Error::Corrupt)).transpose()
}
