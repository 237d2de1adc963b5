//! The group of the running transaction: its ops are in the log as soon as they are made.

use rusqlite::{CachedStatement, Connection, params};
use turnstone_engine::oplog::Moment;
use turnstone_protocol::Gid;
use turnstone_protocol::limits::{GROUP_BYTES_MAX, GROUP_OPS_MAX, REQUEST_PACKED_BYTES_MAX};
use turnstone_protocol::plant::{self, Bug};

use super::writer::{Setup, State};
use crate::codec::Packer;
use crate::error::Error;

/// Room kept for what sealing adds around the ops: ids, stamps, `after` with as many gids as are allowed.
const ENVELOPE_BYTES: usize = 64 << 10;

/// The group being written.
pub(crate) struct Draft {
    /// Its number.
    grp: i64,
    /// The number of its first op.
    first_op: i64,
    /// How many ops it has.
    pub(crate) ops: usize,
    /// Bytes of their bodies.
    bytes: usize,
    /// The clocks, once they were needed: one reading serves the whole transaction.
    moment: Option<Moment>,
    /// Its idempotency key, once it has an op.
    pub(crate) gid: Option<Gid>,
}

/// An op about to be logged.
pub(crate) struct NewOp<'a> {
    /// Its table.
    pub(crate) table: &'a str,
    /// Its row.
    pub(crate) row_id: &'a str,
    /// The row's newest op in the fold.
    pub(crate) prev: Option<i64>,
    /// What `was` does not hold.
    pub(crate) undo: Option<&'a str>,
}

/// The first op of a group carries its facts.
const FIRST: &str = "INSERT INTO _ts_ops (op, grp, n, tbl, row_id, prev, body, undo, gid, wall, boot_ms, session, \
    hlc_floor) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
const LATER: &str =
    "INSERT INTO _ts_ops (op, grp, n, tbl, row_id, prev, body, undo) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

impl Draft {
    /// A group without ops.
    pub(crate) fn new(state: &State) -> Self {
        Self { grp: state.numbers.next_grp, first_op: state.numbers.next_op, ops: 0, bytes: 0, moment: None, gid: None }
    }

    /// The clocks of this transaction.
    pub(crate) fn moment(&mut self, setup: &Setup) -> Moment {
        *self.moment.get_or_insert_with(|| setup.options.clock.now())
    }

    /// The number the next op gets.
    pub(crate) fn next_op(&self) -> i64 {
        self.first_op.saturating_add_unsigned(self.ops as u64)
    }

    /// The group's number.
    pub(crate) const fn grp(&self) -> i64 {
        self.grp
    }

    /// Refuses an op that would make the group larger than every server must accept (rule 18).
    pub(crate) fn check_room(&self, body_bytes: usize) -> Result<(), Error> {
        if self.ops >= GROUP_OPS_MAX {
            return Err(Error::GroupTooLarge { what: "ops", found: self.ops + 1, max: GROUP_OPS_MAX });
        }
        let bytes = self.bytes + self.ops + 1 + body_bytes + ENVELOPE_BYTES;
        if bytes > GROUP_BYTES_MAX {
            return Err(Error::GroupTooLarge { what: "bytes", found: bytes, max: GROUP_BYTES_MAX });
        }
        Ok(())
    }

    /// Appends the op whose body stands in `state.body` to the log and returns its number.
    pub(crate) fn append<'c>(
        &mut self,
        conn: &'c Connection,
        later: &mut Option<CachedStatement<'c>>,
        setup: &Setup,
        state: &State,
        op: &NewOp<'_>,
    ) -> Result<i64, Error> {
        let number = self.next_op();
        if plant::on(Bug::RowAndOpApart) {
            conn.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
        }
        let n = i64::try_from(self.ops).unwrap_or(i64::MAX);
        if self.ops == 0 {
            let moment = self.moment(setup);
            let gid = Gid::from_parts(moment.wall_ms, setup.options.entropy.next()?);
            conn.prepare_cached(FIRST)?.execute(params![
                number,
                self.grp,
                n,
                op.table,
                op.row_id,
                op.prev,
                state.body,
                op.undo,
                gid.as_bytes(),
                moment.wall_ms.cast_signed(),
                moment.boot_ms.cast_signed(),
                state.session,
                state.numbers.server_hlc,
            ])?;
            self.gid = Some(gid);
        } else {
            let insert = match later {
                Some(insert) => insert,
                None => later.insert(conn.prepare_cached(LATER)?),
            };
            insert.raw_bind_parameter(1, number)?;
            insert.raw_bind_parameter(2, self.grp)?;
            insert.raw_bind_parameter(3, n)?;
            insert.raw_bind_parameter(4, op.table)?;
            insert.raw_bind_parameter(5, op.row_id)?;
            insert.raw_bind_parameter(6, op.prev)?;
            insert.raw_bind_parameter(7, state.body.as_str())?;
            insert.raw_bind_parameter(8, op.undo)?;
            insert.raw_execute()?;
        }
        self.ops += 1;
        self.bytes += state.body.len();
        Ok(number)
    }

    /// Refuses a group that no request could carry: one of pictures, say, that does not pack. Reads it only where it
    /// would not fit as it is.
    pub(crate) fn check_packed(&self, conn: &Connection) -> Result<(), Error> {
        let max = REQUEST_PACKED_BYTES_MAX - ENVELOPE_BYTES;
        if self.bytes + self.ops <= max {
            return Ok(());
        }
        let mut bodies = conn.prepare_cached("SELECT body FROM _ts_ops WHERE op >= ?1 ORDER BY op")?;
        let mut rows = bodies.query([self.first_op])?;
        let mut packer = Packer::new();
        while let Some(row) = rows.next()? {
            packer.add(row.get_ref(0)?.as_bytes().map_err(|_| Error::Corrupt)?);
        }
        let found = packer.bytes();
        if found > max {
            return Err(Error::GroupTooLarge { what: "bytes when packed", found, max });
        }
        Ok(())
    }

    /// Counts again from the log, after part of the transaction was rolled back.
    pub(crate) fn recount(&mut self, conn: &Connection) -> Result<(), Error> {
        let mut count =
            conn.prepare_cached("SELECT count(*), coalesce(sum(octet_length(body)), 0) FROM _ts_ops WHERE op >= ?1")?;
        let (ops, bytes): (i64, i64) = count.query_row([self.first_op], |row| Ok((row.get(0)?, row.get(1)?)))?;
        self.ops = usize::try_from(ops).unwrap_or(0);
        self.bytes = usize::try_from(bytes).unwrap_or(0);
        if self.ops == 0 {
            self.gid = None;
        }
        Ok(())
    }
}
