//! The one connection that writes, and what it remembers between transactions.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rusqlite::{Connection, params};
use turnstone_protocol::Schema;

use super::capture::Capture;
use super::gate::{Gate, Plan};
use super::numbers::{Numbers, RowIds};
use super::options::OpenOptions;
use super::tables::Tables;
use crate::error::Error;

/// What stays the same while the database is open.
pub(crate) struct Setup {
    /// The schema.
    pub(crate) schema: Arc<Schema>,
    /// The schema as SQL.
    pub(crate) tables: Arc<Tables>,
    /// How it was opened.
    pub(crate) options: OpenOptions,
}

/// The writing connection with its memory.
pub(crate) struct Writer {
    /// The connection.
    pub(crate) conn: Connection,
    /// Its memory.
    pub(crate) state: State,
    /// Pages in the write-ahead log after the last commit.
    wal_pages: Arc<AtomicI32>,
    /// How many there were at the last checkpoint.
    moved_pages: i32,
    /// What `numbers` and `session` were when the transaction began.
    before: (Numbers, Option<i64>),
    data_version: i64,
    /// Whether what is remembered must be read again.
    stale: bool,
}

/// The writer's memory: everything but the connection, so that both can be borrowed.
pub(crate) struct State {
    /// Numbers of the log and of the position.
    pub(crate) numbers: Numbers,
    /// The row of `_ts_sessions` that is ours, once this handle has written: the fencing token.
    pub(crate) session: Option<i64>,
    /// Mints row ids.
    pub(crate) ids: RowIds,
    /// Judges SQL of the app.
    pub(crate) gate: Gate,
    /// Notes rows that SQL touches.
    pub(crate) capture: Capture,
    /// Which tables have their capture triggers, by place.
    pub(crate) captured: Vec<bool>,
    /// What the app's statements do, by their text; as long as SQLite keeps them prepared.
    pub(crate) plans: HashMap<String, Arc<Plan>>,
    /// The body of the op being written.
    pub(crate) body: String,
}

/// Pages the write-ahead log grows between checkpoints: 16 MiB. SQLite's own 4 MiB costs a larger share of a bulk
/// load, and every checkpoint is somebody's slow write.
const CHECKPOINT_PAGES: i32 = 4_096;

/// Statements SQLite keeps prepared on the writer.
const STATEMENTS_MAX: usize = 256;

impl Writer {
    /// Takes over a connection that is open, migrated and brought to the schema.
    pub(crate) fn new(mut conn: Connection, setup: &Setup, gate: Gate, capture: Capture) -> Result<Self, Error> {
        conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let wal_pages = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&wal_pages);
        // Replaces SQLite's automatic checkpoint, which would run inside somebody's COMMIT.
        conn.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            seen.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        let state = State {
            numbers: Numbers::default(),
            session: None,
            ids: RowIds::default(),
            gate,
            capture,
            captured: vec![false; setup.tables.iter().count()],
            plans: HashMap::new(),
            body: String::new(),
        };
        Ok(Self {
            conn,
            state,
            wal_pages,
            moved_pages: 0,
            before: (Numbers::default(), None),
            data_version: -1,
            stale: true,
        })
    }

    /// Starts a write transaction.
    pub(crate) fn begin(&mut self, setup: &Setup) -> Result<(), Error> {
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.raw_execute()?;
        self.before = (self.state.numbers, self.state.session);
        let begun = self.remember(setup);
        if begun.is_err() {
            self.rollback();
        }
        begun
    }

    fn remember(&mut self, setup: &Setup) -> Result<(), Error> {
        let version: i64 = self.conn.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if version != self.data_version {
            // Somebody else wrote to the file since.
            self.check_lease()?;
            self.data_version = version;
            self.stale = true;
        }
        if self.stale {
            self.state.numbers = Numbers::read(&self.conn)?;
            self.stale = false;
        }
        self.before = (self.state.numbers, self.state.session);
        if self.state.session.is_none() {
            self.state.session = Some(claim(&self.conn, setup)?);
        }
        Ok(())
    }

    /// Says whether the lease is still ours: nobody opened the database after us.
    fn check_lease(&self) -> Result<(), Error> {
        let Some(ours) = self.state.session else { return Ok(()) };
        let newest: Option<i64> =
            self.conn.prepare_cached("SELECT max(session) FROM _ts_sessions")?.query_row([], |row| row.get(0))?;
        if newest == Some(ours) { Ok(()) } else { Err(Error::LeaseLost) }
    }

    /// Commits. After an error nothing was changed.
    pub(crate) fn commit(&mut self) -> Result<(), Error> {
        let committed = self.conn.prepare_cached("COMMIT").and_then(|mut commit| commit.raw_execute());
        if let Err(error) = committed {
            self.rollback();
            return Err(error.into());
        }
        Ok(())
    }

    /// Undoes the transaction, if SQLite has not done so already, and forgets what it remembered of it.
    pub(crate) fn rollback(&mut self) {
        if !self.conn.is_autocommit() {
            // A rollback fails only when there is nothing left to roll back.
            let _ = self.conn.prepare_cached("ROLLBACK").and_then(|mut rollback| rollback.raw_execute());
        }
        (self.state.numbers, self.state.session) = self.before;
        self.state.forget_captured();
    }

    /// Reads the numbers again, inside the transaction: the sync core may have changed them.
    pub(crate) fn reread(&mut self) -> Result<(), Error> {
        self.state.numbers = Numbers::read(&self.conn)?;
        Ok(())
    }

    /// Whether the write-ahead log has grown so much since the last checkpoint that the next one is due.
    pub(crate) fn is_checkpoint_due(&mut self) -> bool {
        let pages = self.wal_pages.load(Ordering::Relaxed);
        if pages < self.moved_pages {
            // The log started over.
            self.moved_pages = 0;
        }
        pages - self.moved_pages >= CHECKPOINT_PAGES
    }

    /// Moves what was committed into the file. `PASSIVE` waits for nobody, `TRUNCATE` also empties the log.
    pub(crate) fn checkpoint(&mut self, mode: &str) -> Result<(), Error> {
        // A log that a reader still holds on to grows on; it is not looked at again with every commit.
        self.moved_pages = self.wal_pages.load(Ordering::Relaxed);
        Ok(self.conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))?)
    }

    /// Notes an orderly end and closes the connection.
    pub(crate) fn leave(self: Box<Self>, setup: &Setup) -> Result<(), Error> {
        let noted = match self.state.session {
            Some(session) => self
                .conn
                .execute(
                    "UPDATE _ts_sessions SET closed_wall = ?2 WHERE session = ?1",
                    params![session, setup.options.clock.now().wall_ms.cast_signed()],
                )
                .map(drop),
            None => Ok(()),
        };
        self.conn.flush_prepared_statement_cache();
        let closed = self.conn.close().map_err(|(_, error)| error);
        Ok(noted.and(closed)?)
    }
}

impl State {
    /// After a rollback: notes are void, and triggers made in what was rolled back are gone.
    pub(crate) fn forget_captured(&mut self) {
        self.capture.take();
        self.captured.fill(false);
    }
}

/// Takes the lease: the newest session is the one that may write. Old ones that no open group names are removed.
fn claim(conn: &Connection, setup: &Setup) -> Result<i64, Error> {
    let now = setup.options.clock.now();
    let registered = super::log::registered(conn)?;
    let named: Option<i64> = conn
        .prepare_cached(
            "SELECT min(session) FROM (SELECT session FROM _ts_ops WHERE op > ?1 AND n = 0 ORDER BY op LIMIT 1)",
        )?
        .query_row([registered.op], |row| row.get(0))?;
    conn.prepare_cached(
        "DELETE FROM _ts_sessions WHERE session < coalesce(?1, 9223372036854775807) \
         AND session < (SELECT max(session) FROM _ts_sessions)",
    )?
    .execute([named])?;
    conn.prepare_cached("INSERT INTO _ts_sessions (opened_wall, boot, schema, app) VALUES (?1, ?2, ?3, ?4)")?.execute(
        params![
            now.wall_ms.cast_signed(),
            now.boot_id.as_slice(),
            setup.schema.version,
            setup.options.app_version.as_deref()
        ],
    )?;
    Ok(conn.last_insert_rowid())
}
