//! Opening the database: pragmas, migrations, the history's identity.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use sha2::{Digest as _, Sha256};
use turnstone_protocol::Epoch;
use turnstone_protocol::plant::{self, Bug};

use super::db::Writer;
use super::readers::Readers;
use super::seat::Seat;
use crate::key::{beside, hex, write_private};
use crate::storage::{Storage, StorageError, View, Work};

/// `TSNS`: marks a file as a Turnstone server's database.
const APPLICATION_ID: i64 = 0x5453_4e53;
/// The migrations, in order; `user_version` counts those that ran.
const MIGRATIONS: [&str; 2] = [include_str!("0001_start.sql"), include_str!("0002_copies.sql")];
/// How long to wait for another process (a backup) that holds the database.
const BUSY: Duration = Duration::from_secs(2);
/// Prepared statements kept per connection; there are fewer than this.
const STATEMENTS_MAX: usize = 64;

/// Whether a commit is on the disk when it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// It is: survives power loss.
    #[default]
    Full,
    /// It may not be: only for tests and simulations, where the process is the world.
    Off,
}

/// How to open a store.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The file; made if it is not there, in a folder that is.
    pub path: PathBuf,
    /// Whether a commit is on the disk when it returns.
    pub synchronous: Synchronous,
    /// Declares the history another one.
    pub new_epoch: bool,
    /// 32 random bytes, for the identity of a new history.
    pub random: [u8; 32],
    /// The SQLite VFS to open the file with, by its registered name; none: the system's own. With it, tests and
    /// simulations put a disk of theirs under the store.
    pub vfs: Option<String>,
    /// The half of the epoch that lives outside the database; none: in a file beside it.
    pub witness: Option<String>,
}

impl SqliteOptions {
    /// A durable store in this file, with this randomness for the identity of a new history.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, random: [u8; 32]) -> Self {
        Self { path: path.into(), synchronous: Synchronous::Full, new_epoch: false, random, vfs: None, witness: None }
    }
}

/// A store in one SQLite file. Dropping it closes the file; it can be opened again.
pub struct SqliteStorage {
    seat: Seat<Writer>,
    readers: Readers,
    epoch: Epoch,
}

impl SqliteStorage {
    /// Opens the store, makes or migrates it.
    ///
    /// # Errors
    /// [`StorageError`]; a file that was there is left as it was.
    pub fn open(options: &SqliteOptions) -> Result<Self, StorageError> {
        let mut connection = connect(&options.path, options.vfs.as_deref(), options.synchronous)?;
        migrate(&mut connection)?;
        make_durable(&connection)?;
        let (inside, outside) = options.random.split_at(16);
        let history = history(&connection, inside)?;
        let witness = match &options.witness {
            Some(witness) => witness.clone(),
            None => witness(&options.path, outside, options.new_epoch)?,
        };
        let readers = Readers::new(options.path.clone(), options.vfs.clone());
        let seat = Seat::new(Writer::new(connection)?);
        Ok(Self { seat, readers, epoch: epoch(&history, &witness) })
    }
}

impl Storage for SqliteStorage {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn write(&self, work: Work) -> Result<(), StorageError> {
        self.seat.run(work)
    }

    fn read(&self, work: &mut dyn FnMut(&dyn View) -> Result<(), StorageError>) -> Result<(), StorageError> {
        self.readers.read(work)
    }

    fn schema(&self) -> Result<Option<String>, StorageError> {
        self.readers.with(|connection| {
            let schema = connection.query_row("SELECT value FROM meta WHERE key = 'schema'", [], |row| row.get(0));
            Ok(schema.optional()?)
        })
    }

    fn set_schema(&self, canonical_json: &str) -> Result<(), StorageError> {
        self.seat.with(|writer| writer.set_meta("schema", canonical_json))
    }
}

/// Opens a connection with the pragmas every connection of ours has.
pub(super) fn connect(path: &Path, vfs: Option<&str>, synchronous: Synchronous) -> Result<Connection, StorageError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs)?,
        None => Connection::open_with_flags(path, flags)?,
    };
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    check_ours(&connection)?;
    // A plan does not depend on what is bound: else SQLite compiles a statement anew whenever a number that is compared
    // turns from 0 or 1 to another one, or back.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    switch_to_wal(&connection)?;
    let synchronous = match synchronous {
        _ if plant::on(Bug::ServerDoesNotSync) => "off",
        Synchronous::Full => "full",
        Synchronous::Off => "off",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    // On Apple systems an fsync alone stops at the drive's cache; elsewhere this does nothing.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    // The seat checkpoints when nobody has an answer outstanding.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "cache_size", -32_768)?;
    // A file somebody tampered with may not call functions by its schema.
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// Refuses a file that is somebody else's, or newer than this server, before anything in it is touched.
fn check_ours(connection: &Connection) -> Result<(), StorageError> {
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if objects > 0 && application != APPLICATION_ID {
        return Err(StorageError::NotOurs);
    }
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = known_version();
    if found > known { Err(StorageError::Newer { found, known }) } else { Ok(()) }
}

fn known_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// A server that was killed between writing a commit and syncing it leaves one that SQLite takes for good, and that a
/// power loss could still take away after somebody was told of it. A commit that changes nothing syncs the log before
/// anybody asks (I-54; found by the simulator). Where there is no room for one, a checkpoint does: it syncs the log
/// first, and whether there is room for the rest does not matter.
fn make_durable(connection: &Connection) -> Result<(), StorageError> {
    let no_room = |error: &StorageError| matches!(error, StorageError::Full);
    match connection.pragma_update(None, "user_version", known_version()).map_err(StorageError::from) {
        Err(error) if no_room(&error) => {}
        done => return done,
    }
    match connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).map_err(StorageError::from) {
        Err(error) if !no_room(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Turns the write-ahead log on. SQLite commits that change only after it has given the row that names the new mode, so
/// the statement is run to its end: `pragma_update` stops at the row, hides that the change failed, and leaves a
/// rollback journal behind, with which FULL does not keep the newest commit.
fn switch_to_wal(connection: &Connection) -> Result<(), StorageError> {
    let mut statement = connection.prepare("PRAGMA journal_mode = wal")?;
    let mut rows = statement.query([])?;
    let mut mode = String::new();
    while let Some(row) = rows.next()? {
        mode = row.get(0)?;
    }
    if mode == "wal" { Ok(()) } else { Err(StorageError::BadRecord("journal mode")) }
}

fn migrate(connection: &mut Connection) -> Result<(), StorageError> {
    let known = known_version();
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    if found < known {
        transaction.pragma_update(None, "user_version", known)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    Ok(transaction.commit()?)
}

/// The half of the epoch that a backup of the database contains.
fn history(connection: &Connection, random: &[u8]) -> Result<Vec<u8>, StorageError> {
    connection.execute("INSERT INTO meta (key, value) VALUES ('history', ?) ON CONFLICT DO NOTHING", [random])?;
    Ok(connection.query_row("SELECT value FROM meta WHERE key = 'history'", [], |row| row.get(0))?)
}

/// The half of the epoch that lives beside the database. A database that comes back without it, or that somebody
/// declares restored, has another history.
fn witness(database: &Path, random: &[u8], new_epoch: bool) -> Result<String, StorageError> {
    let path = beside(database, ".epoch");
    if !new_epoch {
        match fs::read_to_string(&path) {
            Ok(text) => return Ok(text.trim().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io_error(&error)),
        }
    }
    let text = hex(random);
    write_private(&path, &text).map_err(|error| io_error(&error))?;
    Ok(text)
}

fn epoch(history: &[u8], witness: &str) -> Epoch {
    let witness = if plant::on(Bug::EpochReused) { "" } else { witness };
    let digest = Sha256::new().chain_update(history).chain_update(witness.as_bytes()).finalize();
    digest.first_chunk().copied().map(Epoch).unwrap_or_default()
}

fn io_error(error: &io::Error) -> StorageError {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => StorageError::ReadOnly,
        io::ErrorKind::StorageFull => StorageError::Full,
        _ => StorageError::Io(error.raw_os_error().unwrap_or(0)),
    }
}
