//! Opening connections: every flag and pragma, and why.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use turnstone_protocol::plant::{self, Bug};

use super::options::Durability;
use crate::error::Error;

/// Opens a connection; SQLite's own mutex is off because ours already lets one thread at a time use it.
pub(crate) fn open(path: &Path, vfs: Option<&str>) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = match vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs)?,
        None => Connection::open_with_flags(path, flags)?,
    };
    // "x" is a column, never quietly a text; the catalogue is not written by hand.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(conn)
}

/// Sets the writer up.
///
/// | Pragma | Why |
/// |---|---|
/// | `journal_mode=WAL` | readers and the writer never wait for each other |
/// | `synchronous` | FULL: a commit is on the disk when it returns; NORMAL: with the next checkpoint |
/// | `fullfsync`, `checkpoint_fullfsync` | Apple's fsync does not reach the platter without them; elsewhere without effect |
/// | `temp_store=MEMORY` | the capture triggers and sorters leave no files |
/// | `mmap_size=0` | an I/O error stays an error and is never a signal (I-53) |
/// | `recursive_triggers=ON` | REPLACE fires delete triggers, so capture sees the row it removes |
/// | `trusted_schema=OFF` | what a foreign program wrote into the catalogue runs no function of ours |
/// | `cell_size_check=ON` | damage is found when a page is read |
/// | `journal_size_limit` | a log that grew in bulk shrinks again |
///
/// And one switch: a plan does not depend on what is bound (QPSG). Otherwise SQLite compiles a statement anew for each
/// value it is given wherever a partial index might serve it (`_ts_groups_seq`): a quarter of what applying a page took.
/// Readers keep the dependence: there `GLOB ?1` may use an index, and their tables have no partial ones.
pub(crate) fn configure_writer(conn: &Connection, durability: Durability) -> Result<(), Error> {
    let (synchronous, fullfsync) = match durability {
        _ if plant::on(Bug::DeviceDoesNotSync) => ("OFF", 0),
        Durability::Power => ("FULL", 1),
        Durability::Process => ("NORMAL", 0),
    };
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    switch_to_wal(conn)?;
    conn.execute_batch(&format!(
        "PRAGMA synchronous = {synchronous}; PRAGMA fullfsync = {fullfsync};
         PRAGMA checkpoint_fullfsync = {fullfsync}; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;
         PRAGMA recursive_triggers = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;
         PRAGMA journal_size_limit = 67108864;"
    ))?;
    Ok(())
}

/// Turns the write-ahead log on. SQLite commits that change only after it has given the row that names the new mode, so
/// the statement is run to its end: `execute_batch` and `query_row` stop at the row, hide that the change failed, and
/// leave a rollback journal behind, with which FULL does not keep the newest commit (I-02; found by the crash loops).
fn switch_to_wal(conn: &Connection) -> Result<(), Error> {
    let mut statement = conn.prepare("PRAGMA journal_mode = WAL")?;
    let mut rows = statement.query([])?;
    let mut mode = String::new();
    while let Some(row) = rows.next()? {
        mode = row.get(0)?;
    }
    if mode == "wal" { Ok(()) } else { Err(Error::CannotOpen) }
}

/// Sets a reader up: it cannot write, whatever SQL it is given.
pub(crate) fn configure_reader(conn: &Connection) -> Result<(), Error> {
    conn.execute_batch(
        "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;",
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Setup = fn(&Connection) -> Result<(), Error>;

    #[test]
    fn no_connection_maps_the_file_into_memory_whatever_sqlite_was_built_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let mapped = |conn: &Connection| conn.query_row("PRAGMA mmap_size", [], |row| row.get::<_, i64>(0)).unwrap();
        let setups: [(&str, Setup); 2] =
            [("writer", |conn| configure_writer(conn, Durability::Process)), ("reader", configure_reader)];
        for (who, setup) in setups {
            let conn = open(&folder.path().join("t.db"), None).unwrap();
            // As a build of SQLite may begin.
            conn.query_row("PRAGMA mmap_size = 1048576", [], |_| Ok(())).unwrap();
            assert_eq!(mapped(&conn), 1_048_576, "{who} would map");
            setup(&conn).unwrap();
            assert_eq!(mapped(&conn), 0, "{who} maps the file");
        }
    }
}
