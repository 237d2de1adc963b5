//! Who the database is on the wire, how far it has pulled, what time the server said it was.

use std::sync::Arc;

use turnstone_engine::oplog::{Anchor, Moment};
use turnstone_protocol::{DeviceId, Epoch, Hlc, Incarnation};

use super::report::{Identity, Position};
use crate::error::Error;
use crate::storage::{Key, SystemTx};

/// Who this database is on the wire.
pub(crate) fn identity(sys: &SystemTx<'_>) -> Result<Identity, Error> {
    Ok(Identity {
        device: DeviceId(sixteen(sys, Key::Device)?.ok_or(Error::Corrupt)?),
        incarnation: Incarnation(sixteen(sys, Key::Incarnation)?.ok_or(Error::Corrupt)?),
        next_seq: next_seq(sys)?,
    })
}

/// How far this database has pulled.
pub(crate) fn position(sys: &SystemTx<'_>) -> Result<Position, Error> {
    Ok(Position {
        cursor: sys.meta(Key::Cursor)?,
        at: at(sys)?,
        known: known(sys)?,
        told_seq: told_seq(sys)?,
        epoch: sixteen(sys, Key::Epoch)?.map(Epoch),
        hlc: server_hlc(sys)?,
        full: resyncing(sys)?,
    })
}

/// Whose database this is, as the server named them at the first contact.
pub(crate) fn principal(sys: &SystemTx<'_>) -> Result<Option<Arc<str>>, Error> {
    Ok(sys.meta::<String>(Key::Principal)?.map(Arc::from))
}

/// Whether this database belongs to the principal the server speaks to. The first one it speaks to gets it (I-48).
pub(crate) fn claim(sys: &mut SystemTx<'_>, named: Option<&str>) -> Result<bool, Error> {
    match (principal(sys)?, named) {
        (Some(owner), Some(named)) => Ok(*owner == *named),
        (None, Some(named)) => {
            sys.set_meta(Key::Principal, Some(named))?;
            Ok(true)
        }
        // A server that names nobody cannot be compared with.
        (_, None) => Ok(true),
    }
}

/// Remembers what the server's clock said at `now`. Every answer carries it; so does hello.
pub(crate) fn heard(sys: &mut SystemTx<'_>, server_ms: u64, hlc: Hlc, now: Moment) -> Result<(), Error> {
    sys.set_meta(Key::AnchorServerMs, Some(server_ms.cast_signed()))?;
    sys.set_meta(Key::AnchorBoot, Some(now.boot_id.as_slice()))?;
    sys.set_meta(Key::AnchorBootMs, Some(now.boot_ms.cast_signed()))?;
    // Both are the server's word, so a write made after this answer is stamped after both.
    let floor = hlc.max(Hlc::at(server_ms));
    if floor > server_hlc(sys)? {
        sys.set_meta(Key::ServerHlc, Some(floor.0.cast_signed()))?;
    }
    Ok(())
}

/// The server's clock at the last contact.
pub(super) fn anchor(sys: &SystemTx<'_>) -> Result<Option<Anchor>, Error> {
    let Some(server_ms) = sys.meta::<i64>(Key::AnchorServerMs)? else { return Ok(None) };
    let boot_id = sixteen(sys, Key::AnchorBoot)?.unwrap_or_default();
    let boot_ms = sys.meta::<i64>(Key::AnchorBootMs)?.unwrap_or(0).cast_unsigned();
    Ok(Some(Anchor { server_ms: server_ms.cast_unsigned(), boot_id, boot_ms }))
}

/// The commit number the database has pulled to.
pub(super) fn at(sys: &SystemTx<'_>) -> Result<u64, Error> {
    number(sys, Key::AppliedN)
}

/// The last commit of this history the database knows of: pulled, or told of in a verdict.
fn known(sys: &SystemTx<'_>) -> Result<u64, Error> {
    Ok(number(sys, Key::ToldN)?.max(at(sys)?))
}

fn told_seq(sys: &SystemTx<'_>) -> Result<u64, Error> {
    number(sys, Key::ToldSeq)
}

/// Remembers what verdicts accepted: the greatest seq of this incarnation, and the last commit.
pub(super) fn was_told(sys: &mut SystemTx<'_>, seq: u64, commit: u64) -> Result<(), Error> {
    if commit > known(sys)? {
        sys.set_meta(Key::ToldN, Some(commit.cast_signed()))?;
    }
    if seq > told_seq(sys)? {
        sys.set_meta(Key::ToldSeq, Some(seq.cast_signed()))?;
    }
    Ok(())
}

/// The server's history this database knows.
pub(super) fn epoch(sys: &SystemTx<'_>) -> Result<Option<Epoch>, Error> {
    Ok(sixteen(sys, Key::Epoch)?.map(Epoch))
}

/// Whether the feed is being read again from its beginning.
pub(super) fn resyncing(sys: &SystemTx<'_>) -> Result<bool, Error> {
    Ok(sys.meta::<i64>(Key::FullPull)?.is_some_and(|on| on != 0))
}

/// The seq the next sealed group gets.
pub(super) fn next_seq(sys: &SystemTx<'_>) -> Result<u64, Error> {
    Ok(sys.meta::<i64>(Key::NextSeq)?.unwrap_or(1).cast_unsigned())
}

/// The last stamp given to a group.
pub(super) fn last_hlc(sys: &SystemTx<'_>) -> Result<Hlc, Error> {
    number(sys, Key::LastHlc).map(Hlc)
}

fn server_hlc(sys: &SystemTx<'_>) -> Result<Hlc, Error> {
    number(sys, Key::ServerHlc).map(Hlc)
}

/// A number that is 0 until it is written.
fn number(sys: &SystemTx<'_>, key: Key) -> Result<u64, Error> {
    Ok(sys.meta::<i64>(key)?.unwrap_or(0).cast_unsigned())
}

fn sixteen(sys: &SystemTx<'_>, key: Key) -> Result<Option<[u8; 16]>, Error> {
    let bytes: Option<Vec<u8>> = sys.meta(key)?;
    bytes.map(|bytes| <[u8; 16]>::try_from(bytes.as_slice()).map_err(|_| Error::Corrupt)).transpose()
}
