//! What the rules stand on: one store of tenants, devices, rows, gids and the group log.
//!
//! [`Storage`] hands out two things: a [`View`] (one consistent snapshot) and a [`Tx`] (the one transaction object,
//! which locks the device and then the head row before anything is read: rule 25). Nothing here decides anything.
//! SQLite fills the trait in [`sqlite`]; another database fills it in a folder beside that one and runs the same
//! suite (`server/tests/storage_suite`).

mod error;
mod records;
pub mod runs;
pub mod sqlite;
mod traits;

pub use error::StorageError;
pub use records::{
    Digest, Gone, Hashes, Head, Images, Life, Locked, LogRow, LogWrite, RowHandle, RowWrite, Slot, SlotNo,
    StoredImages, StoredRow, StoredVerdict, TenantNo,
};
pub use runs::Run;
pub use traits::{Storage, Tx, View, Work, read, write};
