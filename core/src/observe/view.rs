//! Reads what a store shows of itself.

use std::sync::{Arc, Mutex, PoisonError};

use super::{NextAttempt, Phase, RowState, Status};
use crate::Error;
use crate::report::{DeadLetter, StateHash};
use crate::storage::Database;

/// What the driver does now. Everything else of a status is in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Doing {
    pub(crate) phase: Phase,
    pub(crate) next_attempt: Option<NextAttempt>,
}

/// Reads what a store shows of itself. Cheap to clone.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) database: Database,
    pub(crate) doing: Arc<Mutex<Doing>>,
    pub(crate) has_remote: bool,
}

fn unbuilt<T>() -> Result<T, Error> {
    Err(Error::Internal { what: "not built yet" })
}

impl View {
    pub(crate) fn new(database: Database, has_remote: bool) -> Self {
        let doing = Doing { phase: Phase::Idle, next_attempt: None };
        Self { database, doing: Arc::new(Mutex::new(doing)), has_remote }
    }

    /// Where the store stands.
    pub(crate) fn status(&self) -> Result<Status, Error> {
        let _doing = *self.doing.lock().unwrap_or_else(PoisonError::into_inner);
        unbuilt()
    }

    /// Where a row stands.
    pub(crate) fn row_state(&self, _table: &str, _id: &str) -> Result<RowState, Error> {
        unbuilt()
    }

    /// Every refused change.
    pub(crate) fn dead_letters(&self) -> Result<Vec<DeadLetter>, Error> {
        unbuilt()
    }

    /// Sends a refused change again.
    pub(crate) fn retry_dead_letter(&self, _id: i64) -> Result<(), Error> {
        unbuilt()
    }

    /// The hash of the base layer.
    pub(crate) fn state_hash(&self) -> Result<StateHash, Error> {
        unbuilt()
    }
}
