//! The service: what it is made of, and opening it.

use std::sync::Arc;

use turnstone_protocol::schema::{self, SchemaError};
use turnstone_protocol::{Code, DeviceId, Epoch, Problem, Schema};

use super::Principal;
use crate::config::{Config, Limits};
use crate::cursor::{CursorKeys, Holder};
use crate::key::Key;
use crate::storage::{Storage, StorageError};

/// The rules of the protocol over one store. Every call is synchronous and may wait for the disk; time comes in as an
/// argument. It can be dropped and opened again over the same store at any time.
pub struct Service {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) rules: Arc<Rules>,
}

/// What the rules need to know, besides the store.
pub(super) struct Rules {
    pub(super) schema: Schema,
    pub(super) schema_hash: String,
    pub(super) schema_min: u32,
    pub(super) limits: Limits,
    pub(super) cursors: CursorKeys,
    pub(super) epoch: Epoch,
    pub(super) stable_after_ms: u64,
}

/// What a service is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The schema it serves.
    pub schema: Schema,
    /// The keys cursors are sealed with: the first seals, all open.
    pub keys: Vec<Key>,
    /// Bounds on what comes in and goes out.
    pub limits: Limits,
    /// The lowest schema version a device may still run.
    pub schema_min: u32,
    /// Commits older than this are stable, in milliseconds.
    pub stable_after_ms: u64,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            schema: config.schema.clone(),
            keys: config.keys.clone(),
            limits: config.limits.clone(),
            schema_min: config.schema_min,
            stable_after_ms: config.stable_after_ms,
        }
    }
}

/// A service that cannot be opened. The database is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store cannot be used.
    #[error("{0}")]
    Storage(#[from] StorageError),
    /// The schema cannot be served, or contradicts the database.
    #[error("schema: {0}")]
    Schema(#[from] SchemaError),
    /// There is no key.
    #[error("the server needs a key")]
    NoKey,
}

impl Service {
    /// Opens the service over a store. A schema that only adds to the one served last takes its place.
    ///
    /// # Errors
    /// [`OpenError`] says what to change.
    pub fn open(storage: Arc<dyn Storage>, settings: Settings) -> Result<Self, OpenError> {
        let Settings { schema, keys, limits, schema_min, stable_after_ms } = settings;
        if keys.is_empty() {
            return Err(OpenError::NoKey);
        }
        schema.check_supported()?;
        let text = schema.to_canonical_json();
        // A start that changes nothing writes nothing: a server on a full disk still serves what it has.
        if let Some(served) = storage.schema()? {
            if served != text {
                schema::changes(&Schema::from_canonical_json(&served)?, &schema)?;
                storage.set_schema(&text)?;
            }
        } else {
            storage.set_schema(&text)?;
        }
        let rules = Rules {
            schema_hash: schema.hash(),
            schema,
            schema_min,
            limits,
            cursors: CursorKeys::new(&keys),
            epoch: storage.epoch(),
            stable_after_ms,
        };
        Ok(Self { storage, rules: Arc::new(rules) })
    }

    /// The identity of the history it serves.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.rules.epoch
    }

    /// The bounds it was opened with.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.rules.limits
    }

    /// Refuses a device that the token is not for, and one too old to be served.
    pub(super) fn admit(&self, who: &Principal, device: DeviceId, schema: u32) -> Result<(), Problem> {
        if who.device.is_some_and(|allowed| allowed != device) {
            return Err(Problem::new(Code::Forbidden, "The token is for another device."));
        }
        if schema < self.rules.schema_min {
            return Err(Problem::new(Code::UpgradeRequired, "The app is too old for this server: update it."));
        }
        Ok(())
    }
}

impl Principal {
    /// Whom this principal's cursors are for.
    pub(super) fn holder(&self) -> Holder<'_> {
        Holder { tenant: &self.tenant, scopes: "" }
    }
}

/// The problem a failure of the store becomes. Its cause goes to the log, not to the client.
pub(crate) fn storage_problem(error: &StorageError) -> Problem {
    if error.is_passing() {
        tracing::error!(%error, "storage unavailable");
        let mut problem = Problem::new(Code::Unavailable, "The server cannot store or read now: try again later.");
        problem.retry_after_ms = Some(5_000);
        return problem;
    }
    tracing::error!(%error, "storage failed");
    Problem::new(Code::Internal, "The server failed; nothing of this request was stored.")
}
