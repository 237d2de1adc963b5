//! Capture of SQL writes: it compares, it does not listen (rule 21).
//!
//! Temporary triggers on the synced tables call a function of this connection with the old row; the first old image
//! of each row is kept here. Ops are made later, by comparing it with the row as it then is: a failed multi-row
//! UPDATE, a ROLLBACK TO or `c = c` leave no op. The triggers are made when SQL first writes a table, so writes by
//! the API do not pay for them. Connections of others are stopped by the guard in the tables themselves
//! (`define.rs`). `core/examples/measure_storage.rs` measures triggers beside a pre-update hook.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use turnstone_protocol::Value;

use super::tables::{TableSql, Tables};
use super::value::{quoted, typed};
use crate::error::Error;

/// How the names of our triggers begin.
pub(crate) const TRIGGER_PREFIX: &str = "_ts_";

/// The most rows one transaction may touch by SQL, changed or not: bounds memory. More than the ops a group may
/// have, so that a large UPDATE that changes little goes through.
const ROWS_MAX: usize = 200_000;
/// The most bytes of old values kept at once.
const BYTES_MAX: usize = 256 << 20;

/// A row that SQL touched, as it was before.
pub(crate) struct Touched {
    /// The table, by place.
    pub(crate) table: usize,
    /// The row id.
    pub(crate) id: String,
    /// The row before; none: there was none.
    pub(crate) before: Option<Before>,
}

/// A row before SQL touched it.
#[derive(Clone, PartialEq)]
pub(crate) struct Before {
    pub(crate) v: i64,
    pub(crate) p: Option<i64>,
    pub(crate) extra: Option<String>,
    pub(crate) values: Vec<Value>,
}

/// What the capture triggers noted since it was last taken.
#[derive(Clone)]
pub(crate) struct Capture {
    shared: Arc<Shared>,
}

struct Shared {
    on: AtomicBool,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    rows: Vec<Touched>,
    known: HashMap<(usize, String), ()>,
    bytes: usize,
    refused: Option<Error>,
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

    /// Takes what was noted, in the order it was first touched.
    pub(crate) fn take(&self) -> Vec<Touched> {
        let mut notes = self.shared.notes();
        notes.known.clear();
        notes.bytes = 0;
        std::mem::take(&mut notes.rows)
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

    fn note(
        &self,
        table: usize,
        id: &str,
        before: impl FnOnce() -> Result<Option<Before>, Error>,
    ) -> Result<(), Error> {
        let mut notes = self.notes();
        let key = (table, id.to_owned());
        if notes.known.contains_key(&key) {
            return Ok(());
        }
        let before = before()?;
        notes.bytes += before.as_ref().map_or(0, |row| row.values.iter().map(Value::byte_len).sum::<usize>());
        if notes.rows.len() >= ROWS_MAX || notes.bytes > BYTES_MAX {
            return Err(Error::GroupTooLarge { what: "rows touched by SQL", found: notes.rows.len(), max: ROWS_MAX });
        }
        notes.rows.push(Touched { table, id: key.1.clone(), before });
        notes.known.insert(key, ());
        Ok(())
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
    let columns: String = table.columns.iter().map(|column| format!(", OLD.{}", quoted(column))).collect();
    let trigger = |event: &str| quoted(&format!("{TRIGGER_PREFIX}capture_{}_{event}", table.def.name));
    let old = format!("OLD._v, OLD._p, OLD._extra{columns}");
    conn.execute_batch(&format!(
        "CREATE TEMP TRIGGER IF NOT EXISTS {} AFTER INSERT ON main.{name}
         BEGIN SELECT _ts_inserted({index}, NEW.id, NEW._v, NEW._p, NEW._extra); END;
         CREATE TEMP TRIGGER IF NOT EXISTS {} AFTER UPDATE ON main.{name}
         BEGIN SELECT _ts_updated({index}, OLD.id, {old}, NEW.id); END;
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
    shared.note(table.index, id, || Ok(None))
}

fn updated(shared: &Shared, tables: &Tables, arguments: &Context<'_>) -> Result<(), Error> {
    let (table, id) = row_of(tables, arguments)?;
    let now = arguments.get_raw(arguments.len().saturating_sub(1)).as_str().map_err(|_| ARGUMENTS)?;
    if now != id {
        return Err(ID_CHANGED);
    }
    shared.note(table.index, id, || before(table, arguments).map(Some))
}

fn deleted(shared: &Shared, tables: &Tables, arguments: &Context<'_>) -> Result<(), Error> {
    let (table, id) = row_of(tables, arguments)?;
    shared.note(table.index, id, || before(table, arguments).map(Some))
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
