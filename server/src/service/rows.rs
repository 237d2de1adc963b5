//! The rows a push touches, read once and written once, with an undo for the group that is refused half way.

use std::collections::HashMap;

use turnstone_protocol::merge::{self, RowState, Stamp, Stamps};
use turnstone_protocol::schema::Table;
use turnstone_protocol::{Fields, canonical};

use crate::storage::{Gone, RowHandle, RowWrite, StorageError, StoredRow, TenantNo, Tx};

/// Above this many bytes of rows in memory they are written and forgotten between two groups.
const HELD_BYTES_MAX: usize = 64 << 20;

/// The rows a push touches. Names are borrowed from its ops.
pub(super) struct Rows<'a> {
    tenant: TenantNo,
    held: Vec<Held<'a>>,
    index: HashMap<(&'a str, &'a str), usize>,
    /// The rows the open group changed, as they were.
    undo: Vec<(usize, Option<RowState>, bool)>,
    bytes: usize,
}

/// One row.
pub(super) struct Held<'a> {
    pub(super) table: &'a Table,
    pub(super) id: &'a str,
    pub(super) state: Option<RowState>,
    handle: Option<RowHandle>,
    dirty: bool,
    in_group: bool,
}

/// Which row, for the time of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HeldAt(usize);

impl<'a> Rows<'a> {
    pub(super) fn new(tenant: TenantNo) -> Self {
        Self { tenant, held: Vec::new(), index: HashMap::new(), undo: Vec::new(), bytes: 0 }
    }

    /// Finds a row, in memory or in the store.
    pub(super) fn load(&mut self, tx: &dyn Tx, table: &'a Table, id: &'a str) -> Result<HeldAt, StorageError> {
        let key = (table.name.as_str(), id);
        if let Some(at) = self.index.get(&key) {
            return Ok(HeldAt(*at));
        }
        let (handle, state) = match tx.row(self.tenant, &table.name, id)? {
            Some(stored) => {
                self.bytes = self.bytes.saturating_add(stored.fields.len());
                (Some(stored.handle), Some(read_row(table, stored)?))
            }
            None => (None, None),
        };
        let at = self.held.len();
        self.held.push(Held { table, id, state, handle, dirty: false, in_group: false });
        self.index.insert(key, at);
        Ok(HeldAt(at))
    }

    pub(super) fn get(&self, at: HeldAt) -> Option<&Held<'a>> {
        self.held.get(at.0)
    }

    /// Takes a row's state out to be changed; [`Rows::put`] brings it back.
    pub(super) fn take(&mut self, at: HeldAt) -> Option<RowState> {
        let held = self.held.get_mut(at.0)?;
        if !held.in_group {
            held.in_group = true;
            self.undo.push((at.0, held.state.clone(), held.dirty));
        }
        held.state.take()
    }

    /// Brings a row's state back.
    pub(super) fn put(&mut self, at: HeldAt, state: RowState) {
        if let Some(held) = self.held.get_mut(at.0) {
            held.state = Some(state);
            held.dirty = true;
        }
    }

    /// The rows the open group touched, in the order it touched them.
    pub(super) fn touched(&self) -> impl Iterator<Item = &Held<'a>> {
        self.undo.iter().filter_map(|(at, _, _)| self.held.get(*at))
    }

    /// Whether the open group found nothing where its rows are now, and touched each once.
    pub(super) fn all_new(&self, ops: usize) -> bool {
        self.undo.len() == ops && self.undo.iter().all(|(_, before, _)| before.is_none())
    }

    /// Ends the open group and keeps its changes.
    pub(super) fn keep(&mut self, tx: &dyn Tx, bytes: usize) -> Result<(), StorageError> {
        self.bytes = self.bytes.saturating_add(bytes);
        for (at, _, _) in self.undo.drain(..) {
            if let Some(held) = self.held.get_mut(at) {
                held.in_group = false;
            }
        }
        if self.bytes > HELD_BYTES_MAX {
            self.flush(tx)?;
            *self = Self::new(self.tenant);
        }
        Ok(())
    }

    /// Ends the open group and takes its changes back.
    pub(super) fn revert(&mut self) {
        for (at, before, dirty) in self.undo.drain(..) {
            if let Some(held) = self.held.get_mut(at) {
                (held.state, held.dirty, held.in_group) = (before, dirty, false);
            }
        }
    }

    /// Writes every changed row.
    pub(super) fn flush(&self, tx: &dyn Tx) -> Result<(), StorageError> {
        for held in self.held.iter().filter(|held| held.dirty) {
            let Some(state) = &held.state else { continue };
            let gone = state.gone.as_ref().map(|gone| Gone { cause: gone.cause, stamp: gone.stamp.to_bytes() });
            tx.put_row(
                self.tenant,
                &RowWrite {
                    handle: held.handle,
                    table: &held.table.name,
                    id: held.id,
                    born: state.born,
                    version: state.version,
                    fields: &canonical::fields(&state.fields),
                    stamps: &state.stamps.to_bytes(),
                    gone: gone.as_ref(),
                },
            )?;
        }
        Ok(())
    }
}

fn read_row(table: &Table, stored: StoredRow) -> Result<RowState, StorageError> {
    let bad = || StorageError::BadRecord("row");
    let fields: Fields = serde_json::from_str(&stored.fields).map_err(|_| bad())?;
    let gone = match stored.gone {
        Some(gone) => Some(merge::Gone { cause: gone.cause, stamp: Stamp::from_bytes(&gone.stamp).ok_or_else(bad)? }),
        None => None,
    };
    Ok(RowState {
        born: stored.born,
        version: stored.version,
        fields: table.typed(fields),
        stamps: Stamps::from_bytes(&stored.stamps).ok_or_else(bad)?,
        gone,
    })
}
