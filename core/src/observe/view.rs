//! Reads what a store shows of itself.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension};
use turnstone_protocol::Gid;

use super::{LastError, NextAttempt, Phase, RowState, Status};
use crate::Error;
use crate::background::{Background, Decision, NextWake, Rest};
use crate::clock::Entropy;
use crate::report::{DeadLetter, StateHash, SyncReport};
use crate::storage::{Database, Key};
use crate::sync::{self, RetryRefused, RowSync};

/// What the driver does now. Everything else of a status is in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doing {
    /// Whether the driver runs; what follows comes from the database otherwise.
    pub(crate) is_running: bool,
    pub(crate) phase: Phase,
    pub(crate) next_attempt: Option<NextAttempt>,
    /// What happens next, and what the system is to hold for it.
    pub(crate) next: Decision,
    pub(crate) wish: Option<Background>,
    pub(crate) last_error: Option<LastError>,
    pub(crate) last_synced_at_ms: Option<u64>,
    /// What syncing did since the store was opened.
    pub(crate) totals: SyncReport,
}

impl Doing {
    const fn nothing() -> Self {
        Self {
            is_running: false,
            phase: Phase::Idle,
            next_attempt: None,
            next: Decision::Idle { why: Rest::OnlyWhenAsked },
            wish: None,
            last_error: None,
            last_synced_at_ms: None,
            totals: SyncReport::NOTHING,
        }
    }
}

/// Reads what a store shows of itself. Cheap to clone.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) database: Database,
    entropy: Entropy,
    doing: Arc<Mutex<Doing>>,
    has_remote: bool,
}

impl View {
    pub(crate) fn new(database: Database, entropy: Entropy, has_remote: bool) -> Self {
        Self { database, entropy, doing: Arc::new(Mutex::new(Doing::nothing())), has_remote }
    }

    /// What the driver does now.
    pub(crate) fn doing(&self) -> Doing {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The driver does something else now.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Doing)) {
        change(&mut self.doing.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What happens next, and what the system is to hold for it.
    pub(crate) fn next_wake(&self) -> NextWake {
        let doing = self.doing();
        let decision = if self.has_remote { doing.next } else { Decision::Idle { why: Rest::NoServer } };
        NextWake { decision, wish: doing.wish }
    }

    /// The driver does nothing now: what went before is in the database.
    pub(crate) fn rest(&self) {
        self.update(|doing| {
            *doing = Doing { totals: doing.totals, ..Doing::nothing() };
        });
    }

    /// Where the store stands: one consistent read of the database, beside what the driver does.
    pub(crate) fn status(&self) -> Result<Status, Error> {
        let (counts, saved_error, saved_synced) = self.database.read(|reader| {
            let conn = reader.conn();
            let error: Option<String> = meta(conn, Key::LastError)?;
            let synced: Option<i64> = meta(conn, Key::LastSyncedMs)?;
            Ok((sync::status_counts(conn)?, error, synced))
        })?;
        let mut doing = self.doing();
        if !doing.is_running {
            doing.last_error = saved_error.and_then(|text| serde_json::from_str(&text).ok());
            doing.last_synced_at_ms = saved_synced.map(i64::cast_unsigned);
        }
        Ok(Status {
            pending_groups: counts.pending_groups,
            pending_ops: counts.pending_ops,
            parked_groups: counts.parked_groups,
            oldest_pending_at_ms: counts.oldest_pending_at_ms,
            dead_letters: counts.dead_letters,
            last_error: doing.last_error,
            last_synced_at_ms: doing.last_synced_at_ms,
            next_attempt: doing.next_attempt,
            phase: doing.phase,
            has_remote: self.has_remote,
            next: self.next_wake().decision,
        })
    }

    /// Where a row stands.
    pub(crate) fn row_state(&self, table: &str, id: &str) -> Result<RowState, Error> {
        let Some(known) = self.database.schema().table(table) else {
            return Err(Error::UnknownTable { table: table.to_owned() });
        };
        if known.local_only {
            return Ok(RowState::Synced);
        }
        let state = self.database.read(|reader| sync::row_state(reader.conn(), table, id))?;
        let doing = self.doing();
        Ok(match state {
            RowSync::Synced => RowState::Synced,
            RowSync::Saved => RowState::Saved,
            RowSync::Failed { code } => RowState::Failed { reason: code },
            RowSync::Sending { .. } if doing.phase == Phase::Pushing => RowState::Sending,
            RowSync::Sending { attempts } => {
                RowState::Retrying { n: attempts, at_ms: doing.next_attempt.map(|next| next.at_ms) }
            }
        })
    }

    /// Every refused change.
    pub(crate) fn dead_letters(&self) -> Result<Vec<DeadLetter>, Error> {
        let letters = self.database.read(|reader| sync::dead_letters(reader.conn()))?;
        Ok(letters.into_iter().map(public).collect())
    }

    /// Sends a refused change again.
    pub(crate) fn retry_dead_letter(&self, id: i64) -> Result<(), Error> {
        let random = (self.entropy.next()?, self.entropy.next()?);
        let ids = fastrand::Rng::with_seed(random.1 as u64);
        let done = self.database.system(|sys| {
            let mut ids = ids.clone();
            let now_ms = sys.now().wall_ms;
            let mut next = || Gid::from_parts(now_ms, ids.u128(..));
            sync::retry_dead_letter(sys, id, Gid::from_parts(now_ms, random.0), &mut next)
        })?;
        done.map_err(|refused| match refused {
            RetryRefused::Unknown => Error::DeadLetterMissing,
            RetryRefused::RowGone => Error::DeadLetterStale,
        })
    }

    /// The hash of the base layer.
    pub(crate) fn state_hash(&self) -> Result<StateHash, Error> {
        let state = self.database.read(sync::state_hash)?;
        Ok(StateHash { at: state.at, rows: state.rows, hash: state.hash })
    }
}

fn public(letter: sync::DeadLetter) -> DeadLetter {
    DeadLetter {
        id: letter.id,
        gid: letter.gid,
        n: letter.n,
        code: letter.code,
        fields: letter.fields,
        ops: letter.ops,
        attempts: letter.attempts,
        at_ms: letter.at_ms,
    }
}

fn meta<T: rusqlite::types::FromSql>(conn: &Connection, key: Key) -> Result<Option<T>, Error> {
    let mut found = conn.prepare_cached("SELECT value FROM _ts_meta WHERE key = ?1")?;
    Ok(found.query_row([key.as_str()], |row| row.get(0)).optional()?)
}
