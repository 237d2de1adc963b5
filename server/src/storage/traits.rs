//! The two things a store hands out, and how to ask for them.

use std::sync::{Arc, Mutex, PoisonError};

use turnstone_protocol::{DeviceId, Epoch, Gid};

use super::error::StorageError;
use super::records::{
    Head, Life, Locked, LogRow, LogWrite, RowWrite, Slot, SlotNo, StoredRow, StoredVerdict, TenantNo,
};
use super::runs::Run;

/// Work that runs inside one write transaction. It may run more than once (after a serialisation failure, or because
/// other work that shared its transaction failed), so it starts from nothing each time.
pub type Work = Box<dyn FnMut(&dyn Tx) -> Result<(), StorageError> + Send>;

/// A store of tenants. Calls block; the HTTP layer keeps them off its own threads.
pub trait Storage: Send + Sync + 'static {
    /// The identity of the history it holds, mixed with something a backup does not contain.
    fn epoch(&self) -> Epoch;

    /// Runs work in a write transaction and returns once it is durable. If the work or the store fails, nothing of
    /// it was written.
    ///
    /// # Errors
    /// [`StorageError`].
    fn write(&self, work: Work) -> Result<(), StorageError>;

    /// Runs work over one consistent snapshot that sees every write that has returned.
    ///
    /// # Errors
    /// [`StorageError`].
    fn read(&self, work: &mut dyn FnMut(&dyn View) -> Result<(), StorageError>) -> Result<(), StorageError>;

    /// The schema served last, as canonical JSON.
    ///
    /// # Errors
    /// [`StorageError`].
    fn schema(&self) -> Result<Option<String>, StorageError>;

    /// Remembers the schema served now.
    ///
    /// # Errors
    /// [`StorageError`].
    fn set_schema(&self, canonical_json: &str) -> Result<(), StorageError>;
}

/// One consistent snapshot.
pub trait View {
    /// The tenant of a name, with its head row.
    ///
    /// # Errors
    /// [`StorageError`], as for every call of this trait.
    fn tenant(&self, name: &str) -> Result<Option<(TenantNo, Head)>, StorageError>;

    /// A device in one incarnation.
    ///
    /// # Errors
    /// [`StorageError`].
    fn slot(&self, tenant: TenantNo, life: Life) -> Result<Option<Slot>, StorageError>;

    /// A device in each of its incarnations.
    ///
    /// # Errors
    /// [`StorageError`].
    fn slots(&self, tenant: TenantNo, device: DeviceId) -> Result<Vec<SlotNo>, StorageError>;

    /// What was said of a group.
    ///
    /// # Errors
    /// [`StorageError`].
    fn verdict(&self, tenant: TenantNo, gid: Gid) -> Result<Option<StoredVerdict>, StorageError>;

    /// The ops of a group in the log, as they were sent: canonical text.
    ///
    /// # Errors
    /// [`StorageError`].
    fn ops(&self, tenant: TenantNo, n: u64) -> Result<Option<String>, StorageError>;

    /// A row or its tombstone.
    ///
    /// # Errors
    /// [`StorageError`].
    fn row(&self, tenant: TenantNo, table: &str, id: &str) -> Result<Option<StoredRow>, StorageError>;

    /// Visits every live row of a tenant: table, id, fields.
    ///
    /// # Errors
    /// [`StorageError`], also the visitor's.
    fn live_rows(
        &self,
        tenant: TenantNo,
        visit: &mut dyn FnMut(&str, &str, &str) -> Result<(), StorageError>,
    ) -> Result<(), StorageError>;

    /// Part `i` (from 1) of the rows after a commit.
    ///
    /// # Errors
    /// [`StorageError`].
    fn part(&self, tenant: TenantNo, n: u64, i: u32) -> Result<Option<String>, StorageError>;

    /// Visits the log from the first commit after `after`, in order, until the visitor says `false`.
    ///
    /// # Errors
    /// [`StorageError`], also the visitor's.
    fn log(
        &self,
        tenant: TenantNo,
        after: u64,
        visit: &mut dyn FnMut(LogRow<'_>) -> Result<bool, StorageError>,
    ) -> Result<(), StorageError>;

    /// The small members of one commit: who sent it, when, and H_n. Its texts are empty.
    ///
    /// # Errors
    /// [`StorageError`].
    fn commit(&self, tenant: TenantNo, n: u64) -> Result<Option<LogRow<'static>>, StorageError>;

    /// With which seq a device sent a group that was in the log already, as commit `n`: a copy of it had been first.
    ///
    /// # Errors
    /// [`StorageError`].
    fn repeated(&self, tenant: TenantNo, n: u64, slot: SlotNo) -> Result<Option<u64>, StorageError>;

    /// The run that holds `seq`, or the last one before it.
    ///
    /// # Errors
    /// [`StorageError`].
    fn run_at(&self, slot: SlotNo, seq: u64) -> Result<Option<Run>, StorageError>;

    /// Every run that begins at `first` or later, in order.
    ///
    /// # Errors
    /// [`StorageError`].
    fn runs_from(&self, slot: SlotNo, first: u64) -> Result<Vec<Run>, StorageError>;
}

/// The one transaction object. It sees its own writes.
pub trait Tx: View {
    /// Locks the device's row, then the tenant's head row, and reads both. Every transaction begins with it; a tenant
    /// or device that is not there yet gets a number that becomes real with [`Tx::put_head`] and [`Tx::put_slot`].
    ///
    /// # Errors
    /// [`StorageError`], as for every call of this trait.
    fn lock(&self, tenant: &str, life: Life) -> Result<Locked, StorageError>;

    /// Writes a row, new or again.
    ///
    /// # Errors
    /// [`StorageError`].
    fn put_row(&self, tenant: TenantNo, row: &RowWrite<'_>) -> Result<(), StorageError>;

    /// Appends a group to the log and records its gid.
    ///
    /// # Errors
    /// [`StorageError`].
    fn append(&self, tenant: TenantNo, group: &LogWrite<'_>) -> Result<(), StorageError>;

    /// Records what was said of a group that is not in the log.
    ///
    /// # Errors
    /// [`StorageError`].
    fn put_verdict(&self, tenant: TenantNo, gid: Gid, verdict: &StoredVerdict) -> Result<(), StorageError>;

    /// Records that a device sent a group that was in the log already, as commit `n`. The first time counts.
    ///
    /// # Errors
    /// [`StorageError`].
    fn put_repeated(&self, tenant: TenantNo, n: u64, slot: SlotNo, seq: u64) -> Result<(), StorageError>;

    /// Writes a run, new or again; its first seq is its key.
    ///
    /// # Errors
    /// [`StorageError`].
    fn put_run(&self, slot: SlotNo, run: &Run) -> Result<(), StorageError>;

    /// Forgets every run that begins at `first` or later.
    ///
    /// # Errors
    /// [`StorageError`].
    fn cut_runs(&self, slot: SlotNo, first: u64) -> Result<(), StorageError>;

    /// Writes the head row.
    ///
    /// # Errors
    /// [`StorageError`].
    fn put_head(&self, tenant: TenantNo, name: &str, head: &Head) -> Result<(), StorageError>;

    /// Writes a device's row.
    ///
    /// # Errors
    /// [`StorageError`].
    fn put_slot(&self, tenant: TenantNo, life: Life, slot: Slot) -> Result<(), StorageError>;
}

/// Runs `work` in a write transaction and gives its result once it is durable.
///
/// # Errors
/// [`StorageError`] of the store or the work.
pub fn write<T: Send + 'static>(
    storage: &dyn Storage,
    mut work: impl FnMut(&dyn Tx) -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    let result = Arc::new(Mutex::new(None));
    let inside = Arc::clone(&result);
    storage.write(Box::new(move |tx| {
        let value = work(tx)?;
        *inside.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        Ok(())
    }))?;
    result.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or(StorageError::GivenUp)
}

/// Runs `work` over one snapshot and gives its result.
///
/// # Errors
/// [`StorageError`] of the store or the work.
pub fn read<T>(
    storage: &dyn Storage,
    mut work: impl FnMut(&dyn View) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    let mut result = None;
    storage.read(&mut |view| {
        result = Some(work(view)?);
        Ok(())
    })?;
    result.ok_or(StorageError::GivenUp)
}
