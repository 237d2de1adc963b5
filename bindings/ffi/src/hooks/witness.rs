//! What stands outside the database: the witness of its identity, and one day its key.

use std::sync::Arc;

use turnstone::{Witness, WitnessError};

use crate::hooks::FfiHookFailure;

/// Keeps one short text where backups and copies do not go.
#[uniffi::export(foreign)]
pub trait FfiWitness: Send + Sync {
    /// What is kept; none: nothing ever was.
    fn read(&self) -> Result<Option<String>, FfiHookFailure>;

    /// Keeps this instead.
    fn write(&self, token: String) -> Result<(), FfiHookFailure>;
}

/// Gives the key of the database. Reserved: a store with one is refused until encryption is built.
#[uniffi::export(foreign)]
pub trait FfiKeyProvider: Send + Sync {
    /// Gives the key.
    fn key(&self) -> Result<Vec<u8>, FfiHookFailure>;
}

/// The app's witness, as the core calls it.
pub(crate) struct HostWitness(pub(crate) Arc<dyn FfiWitness>);

impl Witness for HostWitness {
    fn read(&self) -> Result<Option<String>, WitnessError> {
        self.0.read().map_err(|_| WitnessError)
    }

    fn write(&self, token: &str) -> Result<(), WitnessError> {
        self.0.write(token.to_owned()).map_err(|_| WitnessError)
    }
}
