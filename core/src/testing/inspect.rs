//! What tests may see of a store beyond what apps see.

use turnstone_engine::oplog::GroupState;
use turnstone_protocol::Gid;

use crate::storage::{Database, Key};
use crate::{Error, Store};

/// Names everything in the file that must always hold and does not. Reads everything.
///
/// # Errors
/// A typed error of the file.
pub fn faults(store: &Store) -> Result<Vec<String>, Error> {
    database(store).check()
}

/// Where a device stands.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// The commit number it has pulled to.
    pub position: u64,
    /// Whether it reads the feed again from its beginning: what it shows is not of its position then.
    pub reads_again: bool,
    /// Groups that nobody has decided.
    pub pending_groups: u64,
    /// Those of them that wait for a person.
    pub parked_groups: u64,
    /// When the oldest of them was written, in milliseconds since 1970.
    pub oldest_pending_at_ms: Option<u64>,
    /// Refused changes that wait for a person.
    pub dead_letters: u64,
}

/// The same facts as in the status, from one state of the file: for who asks after every step.
///
/// # Errors
/// A typed error of the file.
pub fn standing(store: &Store) -> Result<Standing, Error> {
    database(store).read(|reader| {
        let at: Option<i64> = crate::storage::read_meta(reader.conn(), Key::AppliedN)?;
        let again: Option<i64> = crate::storage::read_meta(reader.conn(), Key::FullPull)?;
        let counts = crate::sync::status_counts(reader.conn())?;
        Ok(Standing {
            position: at.unwrap_or(0).cast_unsigned(),
            reads_again: again.is_some(),
            pending_groups: counts.pending_groups,
            parked_groups: counts.parked_groups,
            oldest_pending_at_ms: counts.oldest_pending_at_ms,
            dead_letters: counts.dead_letters,
        })
    })
}

/// Every group the file still holds, in local order, and where it stands.
///
/// # Errors
/// A typed error of the file.
pub fn groups(store: &Store) -> Result<Vec<(Gid, GroupState)>, Error> {
    database(store).read(|reader| crate::sync::all_groups(reader.conn()))
}

/// The commit number this device has pulled to.
///
/// # Errors
/// A typed error of the file.
pub fn position(store: &Store) -> Result<u64, Error> {
    database(store).read(|reader| {
        let at: Option<i64> = crate::storage::read_meta(reader.conn(), Key::AppliedN)?;
        Ok(at.unwrap_or(0).cast_unsigned())
    })
}

fn database(store: &Store) -> &Database {
    store.database()
}
