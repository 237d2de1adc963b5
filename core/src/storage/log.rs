//! Reading the op log: which ops of a row are in the fold, and the base under them.
//!
//! A row's `_p` (or `_ts_absent.p`) is its newest op; each op knows the one before it. Walking that chain skips
//! ops of groups that left the fold unaccepted (dead, given up) and ends at one whose base contains it (gone).

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};
use turnstone_engine::oplog::GroupState;
use turnstone_protocol::schema::{Schema, Table};
use turnstone_protocol::{Fields, Op, OpKind, Value};

use super::system::{Base, LoggedOp, Stored};
use super::tables::{TableSql, Tables};
use super::value::typed;
use crate::error::Error;

/// How far the log was entered into `_ts_groups`, and how far it goes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Registered {
    /// The last op of the newest group that stands there.
    pub(crate) op: i64,
    /// The newest op.
    newest: i64,
}

/// How far the log was entered into `_ts_groups`.
pub(crate) fn registered(conn: &Connection) -> Result<Registered, Error> {
    let mut found = conn.prepare_cached(
        "SELECT coalesce((SELECT first_op + ops - 1 FROM _ts_groups ORDER BY grp DESC LIMIT 1), 0), \
         coalesce((SELECT max(op) FROM _ts_ops), 0)",
    )?;
    Ok(found.query_row([], |row| Ok(Registered { op: row.get(0)?, newest: row.get(1)? }))?)
}

/// Enters the groups written since the last time into `_ts_groups`, as new. One statement, in log order.
pub(crate) fn register(conn: &Connection) -> Result<usize, Error> {
    let Registered { op: from, newest } = registered(conn)?;
    if newest <= from {
        return Ok(0);
    }
    // A group's ops stand together, so one pass in log order is enough; bodies are measured, not read.
    let mut found = conn.prepare_cached(
        "SELECT o.grp, o.op, octet_length(o.body), o.gid, o.wall, o.boot_ms, o.hlc_floor, s.boot, s.schema, s.app \
         FROM _ts_ops o LEFT JOIN _ts_sessions s ON s.session = o.session WHERE o.op > ?1 ORDER BY o.op",
    )?;
    let mut insert = conn.prepare_cached(
        "INSERT INTO _ts_groups (grp, first_op, gid, state, ops, bytes, wall, boot_ms, hlc_floor, boot, schema, app) \
         VALUES (?1, ?2, ?4, 0, ?11, ?3, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let mut rows = found.query([from])?;
    let mut open: Option<(i64, i64, i64)> = None;
    let mut entered = 0;
    loop {
        let row = rows.next()?;
        let grp = row.map(|row| row.get::<_, i64>(0)).transpose()?;
        if let Some((started, count, bytes)) = open
            && grp != Some(started)
        {
            insert.raw_bind_parameter(3, bytes)?;
            insert.raw_bind_parameter(11, count)?;
            insert.raw_execute()?;
            entered += 1;
            open = None;
        }
        let (Some(row), Some(grp)) = (row, grp) else { break };
        let bytes: i64 = row.get(2)?;
        open = match open {
            Some((grp, count, before)) => Some((grp, count + 1, before + bytes)),
            None => {
                for at in (0..10).filter(|at| *at != 2) {
                    insert.raw_bind_parameter(at + 1, rusqlite::types::ToSqlOutput::Borrowed(row.get_ref(at)?))?;
                }
                Some((grp, 1, bytes))
            }
        };
    }
    Ok(entered)
}

/// What [`read_op`] reads.
macro_rules! ops {
    ($which:literal) => {
        concat!(
            "SELECT o.op, o.grp, o.n, coalesce(g.state, 0), o.prev, o.body, o.undo, o.tbl FROM _ts_ops o ",
            "LEFT JOIN _ts_groups g ON g.grp = o.grp",
            $which
        )
    };
}
const OP: &str = ops!(" WHERE o.op = ?1");
const OPS: &str = ops!("");

/// Reads one op.
pub(crate) fn op(conn: &Connection, schema: &Schema, number: i64) -> Result<Option<LoggedOp>, Error> {
    let mut found = conn.prepare_cached(OP)?;
    let mut rows = found.query([number])?;
    rows.next()?.map(|row| read_op(row, schema)).transpose()
}

fn read_op(row: &SqlRow<'_>, schema: &Schema) -> Result<LoggedOp, Error> {
    let text = |at: usize| row.get_ref(at).map_err(Error::from)?.as_str().map_err(|_| Error::Corrupt);
    let mut body: Op = serde_json::from_str(text(5)?).map_err(|_| Error::Corrupt)?;
    if let Some(table) = schema.table(text(7)?) {
        body.set = table.typed(body.set);
        body.was = table.typed(body.was);
    }
    let (op, prev): (i64, Option<i64>) = (row.get(0)?, row.get(4)?);
    // In a damaged file a chain may come back to where it began.
    if prev.is_some_and(|prev| prev >= op) {
        return Err(Error::Corrupt);
    }
    Ok(LoggedOp {
        op,
        grp: row.get(1)?,
        n: row.get(2)?,
        state: GroupState::from_number(row.get(3)?).ok_or(Error::Corrupt)?,
        prev,
        body,
        undo: row.get(6)?,
    })
}

/// The ops of a row that are in the fold, oldest first.
pub(crate) fn ops_in_fold(conn: &Connection, schema: &Schema, head: Option<i64>) -> Result<Vec<LoggedOp>, Error> {
    fold_of(head, |number| op(conn, schema, number))
}

/// The whole log, by number.
pub(crate) fn ops(conn: &Connection, schema: &Schema) -> Result<BTreeMap<i64, LoggedOp>, Error> {
    let mut found = conn.prepare_cached(OPS)?;
    let mut rows = found.query([])?;
    let mut ops = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let logged = read_op(row, schema)?;
        ops.insert(logged.op, logged);
    }
    Ok(ops)
}

/// Walks from a row's newest op down to its base, and gives those in the fold, oldest first.
pub(crate) fn fold_of(
    head: Option<i64>,
    mut op: impl FnMut(i64) -> Result<Option<LoggedOp>, Error>,
) -> Result<Vec<LoggedOp>, Error> {
    let mut ops = Vec::new();
    let mut next = head;
    while let Some(number) = next {
        // A group that was forgotten is one that was gone.
        let Some(logged) = op(number)? else { break };
        if logged.state.is_contained() {
            break;
        }
        next = logged.prev;
        if logged.state.in_fold() {
            ops.push(logged);
        }
    }
    ops.reverse();
    Ok(ops)
}

/// A row with its hidden columns.
pub(crate) fn stored(conn: &Connection, table: &TableSql, id: &str) -> Result<Option<Stored>, Error> {
    let mut found = conn.prepare_cached(&table.stored)?;
    let mut rows = found.query([id])?;
    rows.next()?.map(|row| read_stored(row, table)).transpose()
}

fn read_stored(row: &SqlRow<'_>, table: &TableSql) -> Result<Stored, Error> {
    let mut fields = Fields::new();
    for (at, field) in table.def.fields.iter().enumerate() {
        fields.insert(field.name.clone(), typed(field.kind, row.get_ref(at + 4)?)?);
    }
    let extra = match row.get_ref(3)?.as_str_or_null().map_err(|_| Error::Corrupt)? {
        Some(text) => serde_json::from_str(text).map_err(|_| Error::Corrupt)?,
        None => Fields::new(),
    };
    Ok(Stored { v: row.get::<_, i64>(1)?.cast_unsigned(), p: row.get(2)?, fields, extra })
}

/// Calls `each` with every row of a table, in id order.
pub(crate) fn each_row(
    conn: &Connection,
    tables: &Tables,
    table: &str,
    mut each: impl FnMut(&str, Stored) -> Result<(), Error>,
) -> Result<(), Error> {
    let table = tables.get(table)?;
    let mut list = String::from("SELECT rowid, _v, _p, _extra");
    let columns = if table.columns.is_empty() { "NULL".to_owned() } else { quoted_columns(table) };
    list.push_str(&format!(", {columns}, id FROM {} ORDER BY id", table.quoted));
    let id_at = 4 + table.columns.len().max(1);
    let mut found = conn.prepare_cached(&list)?;
    let mut rows = found.query([])?;
    while let Some(row) = rows.next()? {
        let stored = read_stored(row, table)?;
        each(row.get_ref(id_at)?.as_str().map_err(|_| Error::Corrupt)?, stored)?;
    }
    Ok(())
}

fn quoted_columns(table: &TableSql) -> String {
    let columns: Vec<String> = table.columns.iter().map(|column| super::value::quoted(column)).collect();
    columns.join(", ")
}

/// The newest op in the fold and the base version of a row, whether it is visible or not.
pub(crate) fn head(conn: &Connection, table: &TableSql, id: &str) -> Result<Option<(Option<i64>, u64)>, Error> {
    let read = |row: &SqlRow<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()));
    let sql = format!("SELECT _p, _v FROM {} WHERE id = ?1", table.quoted);
    let visible = conn.prepare_cached(&sql)?.query_row([id], read).optional()?;
    if visible.is_some() {
        return Ok(visible);
    }
    Ok(conn
        .prepare_cached("SELECT p, v FROM _ts_absent WHERE tbl = ?1 AND row_id = ?2")?
        .query_row([&table.def.name, id], read)
        .optional()?)
}

/// The base of a row: the copy kept in `_ts_base`, else the visible row with its ops in the fold undone.
pub(crate) fn base(conn: &Connection, schema: &Schema, tables: &Tables, table: &str, id: &str) -> Result<Base, Error> {
    let table = tables.get(table)?;
    base_under(conn, table, id, |visible, head| undone(&table.def, visible, &ops_in_fold(conn, schema, head)?))
}

/// The same for those who know how to undo the row's ops: `undo` gets the visible row and its newest op.
pub(crate) fn base_under(
    conn: &Connection,
    table: &TableSql,
    id: &str,
    undo: impl FnOnce(Option<Fields>, Option<i64>) -> Result<Option<Fields>, Error>,
) -> Result<Base, Error> {
    let copy: Option<(i64, bool, Option<String>)> = conn
        .prepare_cached("SELECT v, gone, image FROM _ts_base WHERE tbl = ?1 AND row_id = ?2")?
        .query_row(params![table.def.name, id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    if let Some((v, gone, image)) = copy {
        let fields = if gone { None } else { image.map(|text| read_image(&table.def, &text)).transpose()? };
        return Ok(Base { v: v.cast_unsigned(), fields, explicit: true });
    }
    let stored = stored(conn, table, id)?;
    let (head, v) = match &stored {
        Some(stored) => (stored.p, stored.v),
        None => head(conn, table, id)?.unwrap_or((None, 0)),
    };
    let fields = stored.map(|stored| {
        let mut fields = stored.fields;
        fields.extend(stored.extra);
        fields
    });
    Ok(Base { v, fields: undo(fields, head)?, explicit: false })
}

/// The row as it was before these ops, which are all of it in the fold, oldest first.
pub(crate) fn undone(table: &Table, visible: Option<Fields>, ops: &[LoggedOp]) -> Result<Option<Fields>, Error> {
    ops.iter().rev().try_fold(visible, |after, logged| undo(table, after, logged))
}

/// The last image of a row whose base is a tombstone: an edit may bring it back (rule 9).
pub(crate) fn last_image(conn: &Connection, table: &Table, id: &str) -> Result<Option<Fields>, Error> {
    let image: Option<Option<String>> = conn
        .prepare_cached("SELECT image FROM _ts_base WHERE tbl = ?1 AND row_id = ?2 AND gone = 1")?
        .query_row([&table.name, id], |row| row.get(0))
        .optional()?;
    image.flatten().map(|text| read_image(table, &text)).transpose()
}

/// A row image as this database writes them, typed where the table knows the field.
pub(crate) fn read_image(table: &Table, text: &str) -> Result<Fields, Error> {
    let fields: Fields = serde_json::from_str(text).map_err(|_| Error::Corrupt)?;
    Ok(table.typed(fields))
}

/// The row as it was before an op, from the row as it was right after it.
fn undo(table: &Table, after: Option<Fields>, logged: &LoggedOp) -> Result<Option<Fields>, Error> {
    let kept = logged.undo.as_deref().map(|text| read_image(table, text)).transpose()?;
    match logged.body.kind {
        OpKind::Create | OpKind::Undelete => Ok(None),
        OpKind::Delete => kept.ok_or(Error::Corrupt).map(Some),
        OpKind::Update => {
            let mut fields = after.ok_or(Error::Corrupt)?;
            fields.extend(logged.body.was.clone());
            fields.extend(kept.unwrap_or_default());
            for (name, by) in &logged.body.inc {
                if let Some(Value::Int(now)) = fields.get_mut(name) {
                    *now = now.saturating_sub(*by);
                }
            }
            Ok(Some(fields))
        }
    }
}
