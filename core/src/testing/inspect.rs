//! What tests may see of a store beyond what apps see.

use crate::storage::{Database, Key};
use crate::{Error, Store};

/// Names everything in the file that must always hold and does not. Reads everything.
///
/// # Errors
/// A typed error of the file.
pub fn faults(store: &Store) -> Result<Vec<String>, Error> {
    database(store).check()
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
