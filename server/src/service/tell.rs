//! What the server tells about itself: hello, and the hash of a tenant's rows.

use serde::{Deserialize, Serialize};
use turnstone_protocol::wire::HelloAnswer;
use turnstone_protocol::{DeviceId, Fields, Incarnation, Problem, hash};

use super::Principal;
use super::open::{Service, storage_problem};
use super::position::stable;
use crate::storage::{self, Head, Life, StorageError, TenantNo, View};

/// A tenant's live rows as one hash, to compare with a device's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateHash {
    /// The commit it was taken at.
    pub at: u64,
    /// How many live rows there are.
    pub rows: u64,
    /// The hash, in hex.
    pub hash: String,
}

impl Service {
    /// Says what this server is and, if a device names itself, where it stands.
    ///
    /// # Errors
    /// A problem where the token is for another device or the store cannot be read.
    pub fn hello(
        &self,
        who: &Principal,
        device: Option<(DeviceId, Incarnation)>,
        now_ms: u64,
    ) -> Result<HelloAnswer, Problem> {
        let life = device.map(|(device, incarnation)| Life { device, incarnation });
        if let Some(life) = life {
            self.admit(who, life.device, u32::MAX)?;
        }
        self.read(|view| {
            let (tenant, head) = view.tenant(&who.tenant)?.unwrap_or((TenantNo(0), Head::default()));
            let last_seq = match life {
                Some(life) => Some(last_seq(view, tenant, life)?),
                None => None,
            };
            Ok(HelloAnswer {
                epoch: self.rules.epoch,
                tier: 0,
                schema: self.rules.schema.version,
                schema_hash: self.rules.schema_hash.clone(),
                schema_min: self.rules.schema_min,
                head: head.n,
                stable: stable(view, tenant, &head, now_ms, self.rules.stable_after_ms)?,
                last_seq,
                principal: Some(who.pseudonym()),
                now: now_ms,
                hlc: head.hlc,
            })
        })
    }

    /// Hashes the tenant's live rows. It reads all of them: for tests and support.
    ///
    /// # Errors
    /// A problem where the store cannot be read.
    pub fn state_hash(&self, who: &Principal) -> Result<StateHash, Problem> {
        self.read(|view| {
            let Some((tenant, head)) = view.tenant(&who.tenant)? else {
                return Ok(StateHash { at: 0, rows: 0, hash: hash::State::default().finish() });
            };
            let mut state = hash::State::default();
            view.live_rows(tenant, &mut |table, id, fields| {
                let fields: Fields = serde_json::from_str(fields).map_err(|_| StorageError::BadRecord("row"))?;
                let schema = self.rules.schema.table(table);
                let fields =
                    schema.map_or_else(|| fields.clone(), |table| table.canonical_fields(&table.typed(fields.clone())));
                state.add(&hash::row(table, id, &fields));
                Ok(())
            })?;
            Ok(StateHash { at: head.n, rows: state.rows(), hash: state.finish() })
        })
    }

    /// Whether the store can be read.
    ///
    /// # Errors
    /// A problem where it cannot.
    pub fn is_ready(&self) -> Result<(), Problem> {
        self.read(|view| view.tenant("").map(drop))
    }

    fn read<T>(&self, work: impl FnMut(&dyn View) -> Result<T, StorageError>) -> Result<T, Problem> {
        storage::read(&*self.storage, work).map_err(|error| storage_problem(&error))
    }
}

fn last_seq(view: &dyn View, tenant: TenantNo, life: Life) -> Result<u64, StorageError> {
    let Some(slot) = view.slot(tenant, life)? else { return Ok(0) };
    Ok(view.run_at(slot.no, u64::MAX)?.map_or(0, |run| run.last))
}
