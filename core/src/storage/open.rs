//! Opening a database: look before touching, then bring it up to date step by step.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use turnstone_protocol::Schema;

use super::capture::Capture;
use super::gate::Gate;
use super::lock::{FileLock, folder_error};
use super::meta::{self, Key};
use super::options::{Durability, OpenOptions};
use super::tables::Tables;
use super::writer::{Setup, Writer};
use super::{account, connect, define, local, migrate};
use crate::error::Error;

/// What opening gives.
pub(crate) struct Opened {
    /// What stays the same from now on.
    pub(crate) setup: Arc<Setup>,
    /// The writer.
    pub(crate) writer: Writer,
    /// The lock on the file.
    pub(crate) lock: Arc<FileLock>,
}

/// Opens a database file, making it if there is none, and brings it to the schema.
pub(crate) fn open(path: &Path, schema: &Schema, options: &OpenOptions) -> Result<Opened, Error> {
    schema.check_supported().map_err(|error| Error::Schema { message: error.to_string() })?;
    let lock = if options.vfs.is_none() {
        look_at_file(path)?;
        FileLock::take(path)?
    } else {
        FileLock::none()
    };
    let tables = Arc::new(Tables::new(schema));
    let has_log = options.vfs.is_some() || log_is_left(path);
    let mut conn = connect::open(path, options.vfs.as_deref())?;
    // Until the file is known to be ours, closing it must not change it either.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let found = migrate::look(&conn)?;
    account::check(&conn, options.account.as_ref(), found == migrate::Found::Empty)?;
    if conn.is_readonly("main")? {
        return Err(Error::ReadOnly);
    }
    connect::configure_writer(&conn, options.durability)?;
    let capture = Capture::install(&conn, &tables)?;
    let gate = Gate::install(&mut conn, Arc::clone(&tables))?;
    migrate::run(&mut conn, found, options)?;
    define::apply(&mut conn, schema)?;
    local::run(&mut conn, &gate, &tables, &options.local_sql)?;
    account::claim(&conn, options.account.as_ref())?;
    if has_log && options.durability == Durability::Power {
        make_durable(&conn);
    }
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    let setup = Arc::new(Setup { schema: Arc::new(schema.clone()), tables, options: options.clone() });
    let writer = Writer::new(conn, &setup, gate, capture)?;
    Ok(Opened { setup, writer, lock: Arc::new(lock) })
}

/// Whether the process before this one left something in the write-ahead log: it did not close the file.
fn log_is_left(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|found| found.len() > 0)
}

/// A process that was killed between writing a commit and syncing it leaves one that SQLite takes for good, and that a
/// power loss could still take away after somebody has seen it. A commit that changes nothing syncs the log before
/// anybody does (I-02; found by the simulator). Where there is no room for one, a checkpoint does: it syncs the log
/// first, and whether there is room for the rest does not matter. If the disk fails, the database opens all the same:
/// what is in it can be read.
fn make_durable(conn: &Connection) {
    let mut done = migrate::stamp(conn);
    if matches!(done, Err(Error::StorageFull)) {
        done = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).map_err(Error::from);
    }
    if !matches!(done, Ok(()) | Err(Error::StorageFull)) {
        log::warn!(target: "turnstone", "what an earlier process left in the log could not be made durable");
    }
}

/// The schema a database file was made with; none where there is no database yet. Changes nothing.
pub(crate) fn stored_schema(path: &Path) -> Result<Option<Schema>, Error> {
    look_at_file(path)?;
    if std::fs::metadata(path).map_or(true, |found| found.len() == 0) {
        return Ok(None);
    }
    let conn = connect::open(path, None)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    if migrate::look(&conn)? == migrate::Found::Empty {
        return Ok(None);
    }
    let text: Option<String> = meta::read(&conn, Key::Schema)?;
    text.map(|text| Schema::from_canonical_json(&text).map_err(|_| Error::Corrupt)).transpose()
}

/// Tells the usual mistakes apart before SQLite, whose words for all of them are the same, gets to see the path.
fn look_at_file(path: &Path) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match std::fs::metadata(folder) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(Error::FolderMissing),
        Err(error) => return Err(folder_error(error.kind())),
    }
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(Error::CannotOpen),
        Ok(found) if found.permissions().readonly() => Err(Error::ReadOnly),
        Ok(found) if found.len() > 0 => look_at_header(path),
        _ => Ok(()),
    }
}

/// A file that is something else is left alone, without even a lock beside it.
fn look_at_header(path: &Path) -> Result<(), Error> {
    use std::io::Read as _;
    let mut header = [0u8; 16];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut header));
    match read {
        Ok(()) if header == *b"SQLite format 3\0" => Ok(()),
        Ok(()) => Err(Error::NotADatabase),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(Error::NotADatabase),
        Err(error) => Err(folder_error(error.kind())),
    }
}
