//! Writes with or without a write id.

use turnstone::{Error, Store, Tx};

use crate::failure::Failure;

/// What a write gave back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrote {
    /// What the closure returned, the first time.
    pub result: String,
    /// Whether the write id was used before: nothing was written now.
    pub repeated: bool,
}

/// Runs one local transaction, once per write id where one is given.
///
/// # Errors
/// The closure's error or a typed one of the database; nothing was written then.
pub fn write<F>(store: &Store, write_id: Option<&str>, work: F) -> Result<Wrote, Failure>
where
    F: FnOnce(&mut Tx<'_>) -> Result<String, Error> + Send + 'static,
{
    let Some(write_id) = write_id else {
        return Ok(Wrote { result: store.write(work)?, repeated: false });
    };
    let written = store.write_once(write_id, |tx| {
        let result = work(tx)?;
        tx.remember(result);
        Ok(())
    })?;
    Ok(Wrote { result: written.result.unwrap_or_default(), repeated: written.repeated })
}
