//! Capture of SQL writes: it compares, it does not listen (rule 21).
//!
//! Temporary triggers on the synced tables call a function of this connection with the old row and the new one. Kept of
//! each row is its first old image, or only the fields that differ for as long as it was merely updated. Ops are made
//! later, by comparing with the row as it then is: a failed multi-row UPDATE, a ROLLBACK TO or `c = c` leave no op.
//! What an update wrote is the row as it then is, unless a statement failed and took back what it wrote: from then on,
//! and for everything but plain updates, the row is read again. The triggers are made when SQL first writes a table, so writes by
//! the API do not pay for them. Connections of others are stopped by the guard in the tables themselves
//! (`define.rs`). ADR 0012 says why triggers, and what they cost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use turnstone_protocol::Value;
use turnstone_protocol::plant::{self, Bug};

use super::tables::{TableSql, Tables};
use super::touched::{Before, Notes, Touched, Updated, Was, Written};
use super::value::{quoted, typed};
use crate::error::Error;

/// How the names of our triggers begin.
pub(crate) const TRIGGER_PREFIX: &str = "_ts_";

/// What the capture triggers noted since it was last taken.
#[derive(Clone)]
pub(crate) struct Capture {
    shared: Arc<Shared>,
}

struct Shared {
    on: AtomicBool,
    notes: Mutex<Notes>,
}

impl Capture {
    /// Gives a connection the functions that the guard and the capture triggers call.
    pub(crate) fn install(conn: &Connection, tables: &Arc<Tables>) -> Result<Self, Error> {
        let shared = Arc::new(Shared { on: AtomicBool::new(false), notes: Mutex::default() });
        guard_function(conn)?;
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
        type Noter = fn(&Shared, &Tables, &Context<'_>) -> Result<(), Error>;
        let functions: [(&str, Noter); 3] =
            [("_ts_inserted", inserted), ("_ts_updated", updated), ("_ts_deleted", deleted)];
        for (name, note) in functions {
            let (shared, tables) = (Arc::clone(&shared), Arc::clone(tables));
            conn.create_scalar_function(name, -1, flags, move |arguments| {
                if !shared.on.load(Ordering::Relaxed) {
                    return Ok(0);
                }
                note(&shared, &tables, arguments).map(|()| 1).map_err(|error| {
                    shared.notes().refused.get_or_insert(error);
                    rusqlite::Error::UserFunctionError("refused by Turnstone".into())
                })
            })?;
        }
        Ok(Self { shared })
    }

    /// Turns noting on or off. Off while Turnstone itself writes.
    pub(crate) fn set_on(&self, on: bool) {
        self.shared.on.store(on, Ordering::Relaxed);
    }

    /// Whether anything was noted.
    pub(crate) fn is_empty(&self) -> bool {
        self.shared.notes().rows.is_empty()
    }

    /// Takes what was noted, in the order it was first touched, and whether what updates wrote must be read again.
    pub(crate) fn take(&self) -> (Vec<Touched>, bool) {
        self.shared.notes().take()
    }

    /// Notes that a statement failed: what it wrote may have been taken back.
    pub(crate) fn doubt(&self) {
        self.shared.notes().doubtful = true;
    }

    /// Why a trigger stopped the last statement.
    pub(crate) fn take_refused(&self) -> Option<Error> {
        self.shared.notes().refused.take()
    }
}

impl Shared {
    fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The function every synced table names in a CHECK that is always true: a connection that does not have it
/// cannot write the table at all.
pub(crate) fn guard_function(conn: &Connection) -> Result<(), Error> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS | FunctionFlags::SQLITE_DETERMINISTIC;
    Ok(conn.create_scalar_function(GUARD, 0, flags, |_| Ok(1i64))?)
}

/// The name a foreign connection gets to read in SQLite's error.
pub(crate) const GUARD: &str = "write_this_table_through_turnstone_only";

/// Makes the capture triggers of a table on this connection. They are temporary: gone with it.
pub(crate) fn install_triggers(conn: &Connection, table: &TableSql) -> Result<(), Error> {
    let TableSql { index, quoted: name, .. } = table;
    let columns = table.columns.iter().map(|column| quoted(column));
    // Apps cannot write the hidden columns; that Turnstone does, once for each row it settles, fires nothing.
    let mut written = String::from("id");
    let (mut old, mut both) = (String::from("OLD._v, OLD._p, OLD._extra"), String::new());
    for column in columns {
        written.push_str(&format!(", {column}"));
        old.push_str(&format!(", OLD.{column}"));
        both.push_str(&format!(", OLD.{column}, NEW.{column}"));
    }
    let trigger = |event: &str| quoted(&format!("{TRIGGER_PREFIX}capture_{}_{event}", table.def.name));
    conn.execute_batch(&format!(
        "CREATE TEMP TRIGGER IF NOT EXISTS {} AFTER INSERT ON main.{name}
         BEGIN SELECT _ts_inserted({index}, NEW.id, NEW._v, NEW._p, NEW._extra); END;
         CREATE TEMP TRIGGER IF NOT EXISTS {} AFTER UPDATE OF {written} ON main.{name}
         BEGIN SELECT _ts_updated({index}, OLD.id, OLD._v, OLD._p, OLD._extra, OLD.rowid, NEW.id{both}); END;
         CREATE TEMP TRIGGER IF NOT EXISTS {} AFTER DELETE ON main.{name}
         BEGIN SELECT _ts_deleted({index}, OLD.id, {old}); END;",
        trigger("insert"),
        trigger("update"),
        trigger("delete"),
    ))?;
    Ok(())
}

const ID_CHANGED: Error = Error::SqlRefused { what: "changing the id of a row: delete the row and insert another one" };
const HIDDEN: Error = Error::SqlRefused { what: "giving values for the hidden columns _v, _p, _extra: leave them out" };
const ARGUMENTS: Error = Error::Internal { what: "a capture trigger passed other arguments" };

fn inserted(shared: &Shared, tables: &Tables, arguments: &Context<'_>) -> Result<(), Error> {
    let (table, id) = row_of(tables, arguments)?;
    let hidden = (raw::<i64>(arguments, 2)?, raw::<Option<i64>>(arguments, 3)?, raw::<Option<String>>(arguments, 4)?);
    if hidden != (0, None, None) {
        return Err(HIDDEN);
    }
    let mut notes = shared.notes();
    match notes.find(table.index, id) {
        Ok(_) => Ok(()),
        Err(key) => notes.enter(key, Touched { table: table.index, id: id.to_owned(), was: Was::Nothing }, 0),
    }
}

fn updated(shared: &Shared, tables: &Tables, arguments: &Context<'_>) -> Result<(), Error> {
    let (table, id) = row_of(tables, arguments)?;
    if arguments.get_raw(6).as_str().map_err(|_| ARGUMENTS)? != id {
        return Err(ID_CHANGED);
    }
    let mut notes = shared.notes();
    match notes.find(table.index, id) {
        Err(key) => {
            let mut row = Updated {
                rowid: raw(arguments, 5)?,
                v: raw(arguments, 2)?,
                p: raw(arguments, 3)?,
                extra: raw(arguments, 4)?,
                fields: Vec::new(),
                bytes: 0,
            };
            let bytes = row.write(table, arguments)?;
            notes.enter(key, Touched { table: table.index, id: id.to_owned(), was: Was::Updated(row) }, bytes)
        }
        Ok(place) => {
            let Some(Touched { was: Was::Updated(row), .. }) = notes.rows.get_mut(place) else { return Ok(()) };
            let bytes = row.write(table, arguments)?;
            notes.keep(bytes)
        }
    }
}

fn deleted(shared: &Shared, tables: &Tables, arguments: &Context<'_>) -> Result<(), Error> {
    let (table, id) = row_of(tables, arguments)?;
    let mut notes = shared.notes();
    let place = notes.find(table.index, id);
    if let Ok(place) = place
        && let Some(Touched { was: Was::Nothing | Was::Whole(_), .. }) = notes.rows.get(place)
    {
        return Ok(());
    }
    let before = before(table, arguments)?;
    let bytes = before.values.iter().map(Value::byte_len).sum();
    match place {
        Err(key) => notes.enter(key, Touched { table: table.index, id: id.to_owned(), was: Was::Whole(before) }, bytes),
        Ok(place) => {
            notes.keep(bytes)?;
            if let Some(touched) = notes.rows.get_mut(place)
                && let Was::Updated(row) = std::mem::replace(&mut touched.was, Was::Nothing)
            {
                touched.was = Was::Whole(row.before(before.values));
            }
            Ok(())
        }
    }
}

impl Updated {
    /// Notes what one more update wrote; returns the bytes that takes.
    fn write(&mut self, table: &TableSql, arguments: &Context<'_>) -> Result<usize, Error> {
        let mut kept = 0;
        self.bytes = 0;
        for (at, field) in table.def.fields.iter().enumerate() {
            let (was, now) = (arguments.get_raw(7 + 2 * at), arguments.get_raw(8 + 2 * at));
            self.bytes += match now {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
                _ => 8,
            };
            if was == now && !plant::on(Bug::CaptureListens) {
                continue;
            }
            let now = typed(field.kind, now)?;
            kept += now.byte_len();
            match self.fields.iter_mut().find(|written| written.at == at) {
                Some(written) => written.now = now,
                None => {
                    let was = typed(field.kind, was)?;
                    kept += was.byte_len();
                    self.fields.push(Written { at, was, now });
                }
            }
        }
        Ok(kept)
    }
}

fn row_of<'a>(tables: &'a Tables, arguments: &'a Context<'_>) -> Result<(&'a TableSql, &'a str), Error> {
    let index = usize::try_from(raw::<i64>(arguments, 0)?).map_err(|_| ARGUMENTS)?;
    let id = arguments.get_raw(1).as_str().map_err(|_| Error::InvalidId { reason: "it is not UTF-8 text" })?;
    Ok((tables.at(index)?, id))
}

fn before(table: &TableSql, arguments: &Context<'_>) -> Result<Before, Error> {
    let fields = table.def.fields.iter().enumerate();
    let values = fields.map(|(at, field)| typed(field.kind, arguments.get_raw(5 + at))).collect::<Result<_, _>>()?;
    Ok(Before { v: raw(arguments, 2)?, p: raw(arguments, 3)?, extra: raw(arguments, 4)?, values })
}

fn raw<T: rusqlite::types::FromSql>(arguments: &Context<'_>, at: usize) -> Result<T, Error> {
    arguments.get(at).map_err(|_| ARGUMENTS)
}
