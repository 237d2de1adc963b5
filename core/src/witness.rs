//! A token outside the database, in a place that backups and copies do not carry along: it tells whether this file is
//! the one this device knows (I-43).
//!
//! A copy that went on as if nothing had happened would send under an identity that another device uses too. The server
//! notices that, later; with a witness the copy is noticed before anything is sent. What cannot be read decides nothing:
//! a key store that is locked for a moment must not look like a new device.

use std::sync::Arc;

use serde::Serialize;
use turnstone_protocol::Incarnation;

use crate::Error;
use crate::clock::Entropy;
use crate::storage::{Database, Key, read_meta};
use crate::sync;

/// Keeps one short text for one database, where backups do not go: Android's no-backup folder, the iOS Keychain with
/// "this device only".
pub trait Witness: Send + Sync {
    /// What is kept; none: nothing ever was.
    ///
    /// # Errors
    /// It cannot be read just now. Nothing is decided then.
    fn read(&self) -> Result<Option<String>, WitnessError>;

    /// Keeps this instead.
    ///
    /// # Errors
    /// It cannot be written just now.
    fn write(&self, token: &str) -> Result<(), WitnessError>;
}

/// A witness could not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the identity witness cannot be reached")]
pub struct WitnessError;

/// Where a database came from, as its witness says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Origin {
    /// There is no witness, or it cannot be read.
    Unknown,
    /// Neither was there: the first opening.
    New,
    /// The database that this device knows.
    Known,
    /// A copy: restored from a backup, or moved from another device. It syncs under a new identity; nothing is lost.
    Copied,
    /// This device knew another database, which is gone: removed, or lost. What it had not synced is gone with it.
    Lost,
}

/// Compares the database with its witness, and gives a copy an identity of its own.
pub(crate) fn examine(
    database: &Database,
    witness: Option<&Arc<dyn Witness>>,
    entropy: &Entropy,
) -> Result<Origin, Error> {
    let Some(witness) = witness else { return Ok(Origin::Unknown) };
    let Ok(held) = witness.read() else {
        log::warn!(target: "turnstone", "the identity witness cannot be read: nothing is decided");
        return Ok(Origin::Unknown);
    };
    let (kept, next) = database.read(|reader| {
        Ok((read_meta::<String>(reader.conn(), Key::Witness)?, read_meta::<String>(reader.conn(), Key::NextWitness)?))
    })?;
    let is_interrupted = next.is_some() && next == held;
    let origin = match (&kept, &held) {
        (Some(kept), Some(held)) if kept == held => return Ok(Origin::Known),
        // The process died between the two writes: the database said before what it would write outside.
        (_, Some(_)) if is_interrupted => Origin::Known,
        (None, None) => Origin::New,
        (Some(_), _) => Origin::Copied,
        (None, Some(_)) => Origin::Lost,
    };
    if origin == Origin::Copied {
        let incarnation = Incarnation::from_random(entropy.next()?);
        database.system(|sys| sync::new_incarnation(sys, incarnation))?;
        log::warn!(target: "turnstone", "this database is a copy: it syncs under a new identity");
    }
    if origin == Origin::Lost {
        log::warn!(target: "turnstone", "the database this device knew is gone: this one begins anew");
    }
    let token = match held {
        Some(held) if is_interrupted => held,
        _ => {
            let token = format!("{:032x}", entropy.next()?);
            database.system(|sys| sys.set_meta(Key::NextWitness, Some(token.clone())))?;
            // Outside first: where that fails the database remembers nothing, and is asked again the next time.
            if witness.write(&token).is_err() {
                log::warn!(target: "turnstone", "the identity witness cannot be written: a copy is not noticed");
                return Ok(origin);
            }
            token
        }
    };
    database.system(|sys| {
        sys.set_meta(Key::Witness, Some(token))?;
        sys.set_meta(Key::NextWitness, None::<String>)
    })?;
    Ok(origin)
}
