//! A whole database as text, read with plain SQLite.

use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use turnstone_vfs::{DiskImage, Mount};

use crate::scenario::{Failure, World};

/// Opens a database of a machine with plain SQLite.
///
/// # Errors
/// SQLite's.
pub fn open(machine: &Mount, path: &str) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    Ok(Connection::open_with_flags_and_vfs(path, flags, machine.name())?)
}

/// Every table but `leave_out`, row by row, after a check of the file's integrity. `leave_out` names tables, or
/// keys of a table as `table/key`.
///
/// # Errors
/// If the file is damaged or SQLite cannot read it.
pub fn dump(machine: &Mount, path: &str, leave_out: &[&str]) -> Result<String, Failure> {
    let db = open(machine, path)?;
    // The guard in the client's tables, which integrity_check evaluates.
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    db.create_scalar_function("write_this_table_through_turnstone_only", 0, flags, |_| Ok(1))?;
    let sound: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if sound != "ok" {
        return Err(Failure::unexpected(format!("integrity check: {sound}")));
    }
    let mut schema = db.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")?;
    let objects: Vec<(String, String)> =
        schema.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut out = String::new();
    for (name, sql) in objects {
        out.push_str(&sql);
        out.push('\n');
        if sql.starts_with("CREATE TABLE") && !leave_out.contains(&name.as_str()) {
            table(&db, &name, leave_out, &mut out)?;
        }
    }
    Ok(out)
}

/// The same of files at rest, on a machine of their own: whoever has them open is not disturbed. `more` is one more
/// table and the columns of it that are told, where there is such a table.
///
/// # Errors
/// As [`dump`].
pub fn image(files: &DiskImage, path: &str, leave_out: &[&str], more: Option<(&str, &str)>) -> Result<String, Failure> {
    thread_local! {
        static MACHINE: World = World::new(1);
    }
    MACHINE.with(|world| {
        world.load([files]);
        let machine = world.mount(0)?;
        let mut out = dump(machine, path, leave_out)?;
        if let Some((table, columns)) = more {
            let db = open(machine, path)?;
            if db.table_exists(None, table)? {
                select(&db, &format!("SELECT {columns} FROM {table} ORDER BY 1"), table, &[], &mut out)?;
            }
        }
        Ok(out)
    })
}

fn table(db: &Connection, name: &str, leave_out: &[&str], out: &mut String) -> Result<(), Failure> {
    select(db, &format!("SELECT * FROM \"{name}\" ORDER BY 1, 2"), name, leave_out, out)
}

fn select(db: &Connection, sql: &str, name: &str, leave_out: &[&str], out: &mut String) -> Result<(), Failure> {
    let mut rows = db.prepare(sql)?;
    let columns = rows.column_count();
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let mut line = String::new();
        for column in 0..columns {
            match row.get_ref(column)? {
                ValueRef::Null => line.push('-'),
                ValueRef::Integer(int) => line.push_str(&int.to_string()),
                ValueRef::Real(real) => line.push_str(&real.to_string()),
                ValueRef::Text(text) => line.push_str(&String::from_utf8_lossy(text)),
                ValueRef::Blob(blob) => line.push_str(&blob.iter().map(|b| format!("{b:02x}")).collect::<String>()),
            }
            line.push('|');
        }
        let key = format!("{name}/{}", line.split('|').next().unwrap_or_default());
        if !leave_out.contains(&key.as_str()) {
            out.push_str(&line);
            out.push('\n');
        }
    }
    Ok(())
}
