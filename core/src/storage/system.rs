//! The transaction of the sync core: capture off, internal tables open.

use rusqlite::Connection;
use rusqlite::types::{FromSql, ToSql};
use turnstone_engine::oplog::{GroupState, Moment};
use turnstone_protocol::{Fields, Op, Schema};

use super::{ChangeSet, Key};
use crate::error::Error;

/// An open write transaction with capture off.
pub(crate) struct SystemTx<'a> {
    conn: &'a Connection,
    schema: &'a Schema,
    now: Moment,
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

fn unbuilt<T>() -> Result<T, Error> {
    Err(Error::Internal { what: "not built yet" })
}

#[allow(
    dead_code,
    clippy::unused_self,
    clippy::needless_pass_by_ref_mut,
    reason = "the sync steps come to use all of it"
)]
impl<'a> SystemTx<'a> {
    /// The connection. Statements on synced tables are not captured; tell the row to [`Self::touched`].
    pub(crate) fn conn(&self) -> &'a Connection {
        self.conn
    }

    /// The schema.
    pub(crate) fn schema(&self) -> &'a Schema {
        self.schema
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
    pub(crate) fn meta<T: FromSql>(&self, _key: Key) -> Result<Option<T>, Error> {
        unbuilt()
    }

    /// Writes a meta value; none removes it.
    pub(crate) fn set_meta<T: ToSql>(&mut self, _key: Key, _value: Option<T>) -> Result<(), Error> {
        unbuilt()
    }

    /// Reads a row with its hidden columns. A row that is not there: none.
    pub(crate) fn stored(&self, _table: &str, _id: &str) -> Result<Option<Stored>, Error> {
        unbuilt()
    }

    /// Writes a row, in whatever state it was. Missing fields take their default. Its entry in `_ts_absent` goes.
    pub(crate) fn put(&mut self, _table: &str, _id: &str, _row: &Stored) -> Result<(), Error> {
        unbuilt()
    }

    /// Removes a row; with ops in the fold, `absent` (newest op, base version) takes its place in `_ts_absent`.
    pub(crate) fn remove(&mut self, _table: &str, _id: &str, _absent: Option<(i64, u64)>) -> Result<(), Error> {
        unbuilt()
    }

    /// The newest op in the fold and the base version of a row, whether it is visible or not.
    pub(crate) fn head(&self, _table: &str, _id: &str) -> Result<Option<(Option<i64>, u64)>, Error> {
        unbuilt()
    }

    /// The ops of a row that are in the fold, oldest first, from the row's head (`_p`, or `_ts_absent`).
    pub(crate) fn ops_in_fold(&self, _table: &str, _head: Option<i64>) -> Result<Vec<LoggedOp>, Error> {
        unbuilt()
    }

    /// The base of a row: the explicit copy, else the visible row with its ops in the fold undone.
    pub(crate) fn base(&self, _table: &str, _id: &str) -> Result<Base, Error> {
        unbuilt()
    }

    /// Reads one op of the log.
    pub(crate) fn op(&self, _op: i64) -> Result<Option<LoggedOp>, Error> {
        unbuilt()
    }

    /// Counts groups (and their ops) out of the pending ones; negative counts bring them back.
    pub(crate) fn settle(&mut self, _groups: i64, _ops: i64) -> Result<(), Error> {
        unbuilt()
    }

    /// Adds a group to the log from the sync core (a dead letter sent again): ops as canonical wire JSON, with their undo.
    pub(crate) fn append_group(
        &mut self,
        _gid: turnstone_protocol::Gid,
        _ops: &[(Op, Option<String>)],
    ) -> Result<i64, Error> {
        unbuilt()
    }
}
