//! The transaction of the sync core: capture off, internal tables open.

use std::collections::BTreeMap;

use rusqlite::types::{FromSql, ToSql};
use rusqlite::{Connection, params};
use turnstone_engine::oplog::{GroupState, Moment};
use turnstone_protocol::{Fields, Gid, Op, Schema, canonical};

use super::value::{Bound, quoted};
use super::writer::{Setup, State};
use super::{ChangeSet, Key, log, meta};
use crate::error::Error;

/// An open write transaction with capture off.
pub(crate) struct SystemTx<'a> {
    conn: &'a Connection,
    setup: &'a Setup,
    session: Option<i64>,
    /// Whether a row may be in `_ts_absent`.
    absent: bool,
    now: Moment,
    known: meta::Known,
    changes: &'a mut ChangeSet,
}

/// A row as its table holds it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Stored {
    /// Version of its base: the commit, or 0.
    pub(crate) v: u64,
    /// Its newest op in the fold.
    pub(crate) p: Option<i64>,
    /// Every declared field, typed.
    pub(crate) fields: Fields,
    /// Fields this app does not know.
    pub(crate) extra: Fields,
}

/// The base of a row: what the server confirmed.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Base {
    /// The commit, or 0.
    pub(crate) v: u64,
    /// Every declared field, typed, and unknown ones as they came; none: the base has no such row.
    pub(crate) fields: Option<Fields>,
    /// Whether it is the copy in `_ts_base` rather than derived from the visible row.
    pub(crate) explicit: bool,
}

/// An op of the log with the state of its group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LoggedOp {
    /// Its number.
    pub(crate) op: i64,
    /// Its group.
    pub(crate) grp: i64,
    /// Its position in the group.
    pub(crate) n: u32,
    /// Where the group stands.
    pub(crate) state: GroupState,
    /// The next older op of the row.
    pub(crate) prev: Option<i64>,
    /// The op, its values typed where the field is known.
    pub(crate) body: Op,
    /// What `was` does not hold.
    pub(crate) undo: Option<String>,
}

impl<'a> SystemTx<'a> {
    pub(super) fn new(
        conn: &'a Connection,
        setup: &'a Setup,
        state: &State,
        now: Moment,
        changes: &'a mut ChangeSet,
    ) -> Self {
        Self {
            conn,
            setup,
            session: state.session,
            absent: state.numbers.absent,
            now,
            known: meta::Known::default(),
            changes,
        }
    }

    /// The connection. Statements on synced tables are not captured; tell the row to [`Self::touched`].
    pub(crate) fn conn(&self) -> &'a Connection {
        self.conn
    }

    /// The schema.
    pub(crate) fn schema(&self) -> &'a Schema {
        &self.setup.schema
    }

    /// The clocks at the start of the transaction.
    pub(crate) fn now(&self) -> Moment {
        self.now
    }

    /// Tells those who watch that a row was written. `put` and `remove` do it by themselves.
    pub(crate) fn touched(&mut self, table: &str, id: &str) {
        self.changes.row(table, id);
    }

    /// Tells those who watch that sync state changed.
    pub(crate) fn touched_sync(&mut self) {
        self.changes.sync = true;
    }

    /// Reads a meta value.
    pub(crate) fn meta<T: FromSql>(&self, key: Key) -> Result<Option<T>, Error> {
        self.known.read(self.conn, key)
    }

    /// Writes a meta value; none removes it.
    pub(crate) fn set_meta<T: ToSql>(&mut self, key: Key, value: Option<T>) -> Result<(), Error> {
        self.known.write(self.conn, key, value)
    }

    /// Reads a row with its hidden columns. A row that is not there: none.
    pub(crate) fn stored(&self, table: &str, id: &str) -> Result<Option<Stored>, Error> {
        log::stored(self.conn, self.setup.tables.get(table)?, id)
    }

    /// Writes a row, in whatever state it was. Missing fields take their default. Its entry in `_ts_absent` goes.
    pub(crate) fn put(&mut self, table: &str, id: &str, row: &Stored) -> Result<(), Error> {
        let table = self.setup.tables.get(table)?;
        let mut put = self.conn.prepare_cached(&table.put)?;
        put.raw_bind_parameter(1, id)?;
        put.raw_bind_parameter(2, row.v.cast_signed())?;
        put.raw_bind_parameter(3, row.p)?;
        put.raw_bind_parameter(4, extra_text(&row.extra))?;
        for (at, (field, default)) in table.def.fields.iter().zip(&table.defaults).enumerate() {
            put.raw_bind_parameter(at + 5, Bound(row.fields.get(&field.name).unwrap_or(default)))?;
        }
        put.raw_execute()?;
        self.forget_absent(&table.def.name, id)?;
        self.changes.row(&table.def.name, id);
        Ok(())
    }

    /// Writes what differs between a row as its table holds it and as it is to be, with its newest op and base version.
    pub(crate) fn revise(
        &mut self,
        table: &str,
        id: &str,
        (p, v): (Option<i64>, u64),
        before: &Fields,
        after: &Fields,
    ) -> Result<(), Error> {
        let table = self.setup.tables.get(table)?;
        let mut sql = format!("UPDATE {} SET _v = ?2, _p = ?3", table.quoted);
        let mut values = Vec::new();
        for ((field, default), column) in table.def.fields.iter().zip(&table.defaults).zip(&table.columns[..]) {
            let value = after.get(&field.name).unwrap_or(default);
            if before.get(&field.name) != Some(value) {
                values.push(value);
                sql.push_str(&format!(", {} = ?{}", quoted(column), values.len() + 3));
            }
        }
        let unknown = |fields: &Fields| -> Option<Fields> {
            let unknown = fields.iter().filter(|(name, _)| table.def.field(name).is_none());
            let unknown: Fields = unknown.map(|(name, value)| (name.clone(), value.clone())).collect();
            (!unknown.is_empty()).then_some(unknown)
        };
        let extra = unknown(after);
        let keeps_extra = unknown(before) == extra;
        if !keeps_extra {
            sql.push_str(&format!(", _extra = ?{}", values.len() + 4));
        }
        sql.push_str(" WHERE id = ?1");
        let mut update = self.conn.prepare_cached(&sql)?;
        update.raw_bind_parameter(1, id)?;
        update.raw_bind_parameter(2, v.cast_signed())?;
        update.raw_bind_parameter(3, p)?;
        for (at, value) in values.iter().enumerate() {
            update.raw_bind_parameter(at + 4, Bound(value))?;
        }
        if !keeps_extra {
            update.raw_bind_parameter(values.len() + 4, extra.as_ref().and_then(extra_text))?;
        }
        if update.raw_execute()? != 1 {
            return Err(Error::Corrupt);
        }
        self.changes.row(&table.def.name, id);
        Ok(())
    }

    /// Removes a row; with ops in the fold, `absent` (newest op, base version) takes its place in `_ts_absent`.
    pub(crate) fn remove(&mut self, table: &str, id: &str, absent: Option<(i64, u64)>) -> Result<(), Error> {
        let table = self.setup.tables.get(table)?;
        self.conn.prepare_cached(&format!("DELETE FROM {} WHERE id = ?1", table.quoted))?.execute([id])?;
        match absent {
            Some((p, v)) => {
                self.conn
                    .prepare_cached("INSERT OR REPLACE INTO _ts_absent (tbl, row_id, p, v) VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![table.def.name, id, p, v.cast_signed()])?;
                self.absent = true;
            }
            None => self.forget_absent(&table.def.name, id)?,
        }
        self.changes.row(&table.def.name, id);
        Ok(())
    }

    fn forget_absent(&self, table: &str, id: &str) -> Result<(), Error> {
        if !self.absent {
            return Ok(());
        }
        self.conn.prepare_cached("DELETE FROM _ts_absent WHERE tbl = ?1 AND row_id = ?2")?.execute([table, id])?;
        Ok(())
    }

    /// The newest op in the fold and the base version of a row, whether it is visible or not.
    pub(crate) fn head(&self, table: &str, id: &str) -> Result<Option<(Option<i64>, u64)>, Error> {
        log::head(self.conn, self.setup.tables.get(table)?, id)
    }

    /// The ops of a row that are in the fold, oldest first, from the row's head (`_p`, or `_ts_absent`).
    pub(crate) fn ops_in_fold(&self, _table: &str, head: Option<i64>) -> Result<Vec<LoggedOp>, Error> {
        log::ops_in_fold(self.conn, &self.setup.schema, head)
    }

    /// Reads one op of the log.
    pub(crate) fn op(&self, op: i64) -> Result<Option<LoggedOp>, Error> {
        log::op(self.conn, &self.setup.schema, op)
    }

    /// Counts groups (and their ops) out of the pending ones; negative counts bring them back.
    pub(crate) fn settle(&mut self, groups: i64, ops: i64) -> Result<(), Error> {
        for (key, by) in [(Key::SettledGroups, groups), (Key::SettledOps, ops)] {
            let now: i64 = self.meta(key)?.unwrap_or(0);
            self.set_meta(key, Some(now + by))?;
        }
        Ok(())
    }

    /// Adds a group to the log from the sync core (a dead letter sent again), with its row in `_ts_groups`; returns
    /// its number. Each op follows the row's newest one; the caller writes the rows, whose `_p` become these ops.
    pub(crate) fn append_group(&mut self, gid: Gid, ops: &[(Op, Option<String>)]) -> Result<i64, Error> {
        let numbers = super::numbers::Numbers::read(self.conn)?;
        let mut heads: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO _ts_ops (op, grp, n, tbl, row_id, prev, body, undo, gid, wall, boot_ms, session, hlc_floor) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?;
        for (n, (op, undo)) in (0i64..).zip(ops) {
            let number = numbers.next_op + n;
            let key = (op.table.as_str(), op.id.as_str());
            let prev = match heads.get(&key) {
                Some(prev) => Some(*prev),
                None => self.head(&op.table, &op.id)?.and_then(|(head, _)| head),
            };
            heads.insert(key, number);
            let mut body = String::new();
            canonical::write_op(&mut body, op);
            let first = n == 0;
            insert.execute(params![
                number,
                numbers.next_grp,
                n,
                op.table,
                op.id,
                prev,
                body,
                undo,
                first.then(|| gid.as_bytes().as_slice()),
                first.then_some(self.now.wall_ms.cast_signed()),
                first.then_some(self.now.boot_ms.cast_signed()),
                if first { self.session } else { None },
                first.then_some(numbers.server_hlc),
            ])?;
        }
        self.changes.ops += ops.len() as u64;
        log::register(self.conn)?;
        Ok(numbers.next_grp)
    }
}

/// The text of `_extra`.
fn extra_text(extra: &Fields) -> Option<String> {
    (!extra.is_empty()).then(|| canonical::fields(extra))
}
