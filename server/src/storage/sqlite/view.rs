//! What can be read, in SQL.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::{DeviceId, Gid, Hlc};

use super::codes::{cause, outcome, signed, unsigned};
use super::statements::{Lent, Statements};
use crate::storage::records::Life;
use crate::storage::{
    Gone, Hashes, Head, LogRow, RowHandle, Run, Slot, SlotNo, StorageError, StoredImages, StoredRow, StoredVerdict,
    TenantNo, View,
};

/// Set in `log.flags` where the group met changes its writer had not seen.
pub(super) const MERGED: i64 = 1;
/// Set in `log.flags` where every intent took full effect.
pub(super) const AS_SENT: i64 = 2;

/// A connection inside a transaction.
pub(super) struct Snapshot<'a> {
    connection: &'a Connection,
    statements: Statements<'a>,
}

/// The key of a commit in the log: 2^23 tenants of 2^40 commits.
pub(super) fn log_key(tenant: TenantNo, n: u64) -> Result<i64, StorageError> {
    if tenant.0 >> 23 != 0 || n >> 40 != 0 {
        return Err(StorageError::BadRecord("commit number"));
    }
    Ok((tenant.0 << 40) | signed(n)?)
}

impl View for Snapshot<'_> {
    fn tenant(&self, name: &str) -> Result<Option<(TenantNo, Head)>, StorageError> {
        const SQL: &str = "SELECT t, n, chain, hlc, ms, horizon, stable FROM tenants WHERE name = ?";
        let mut statement = self.sql(SQL)?;
        let mut rows = statement.query([name])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let head = Head {
            n: unsigned(row.get(1)?)?,
            chain: bytes(row, 2)?,
            hlc: hlc(row.get(3)?),
            ms: unsigned(row.get(4)?)?,
            horizon: unsigned(row.get(5)?)?,
            stable: unsigned(row.get(6)?)?,
        };
        Ok(Some((TenantNo(row.get(0)?), head)))
    }

    fn slot(&self, tenant: TenantNo, life: Life) -> Result<Option<Slot>, StorageError> {
        const SQL: &str = "SELECT d, pruned_seq FROM devices WHERE t = ? AND device = ? AND incarnation = ?";
        let mut statement = self.sql(SQL)?;
        let found: Option<(i64, i64)> = statement
            .query_row(params![tenant.0, life.device.as_bytes(), life.incarnation.as_bytes()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        found.map(|(d, pruned)| Ok(Slot { no: SlotNo(d), pruned_seq: unsigned(pruned)? })).transpose()
    }

    fn slots(&self, tenant: TenantNo, device: DeviceId) -> Result<Vec<SlotNo>, StorageError> {
        const SQL: &str = "SELECT d FROM devices WHERE t = ? AND device = ?";
        let mut statement = self.sql(SQL)?;
        let found = statement.query_map(params![tenant.0, device.as_bytes()], |row| row.get(0).map(SlotNo))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    fn ops(&self, tenant: TenantNo, n: u64) -> Result<Option<String>, StorageError> {
        const SQL: &str = "SELECT ops FROM log WHERE at = ?";
        Ok(self.sql(SQL)?.query_row([log_key(tenant, n)?], |row| row.get(0)).optional()?)
    }

    fn verdict(&self, tenant: TenantNo, gid: Gid) -> Result<Option<StoredVerdict>, StorageError> {
        const SQL: &str = "SELECT n, outcome, hash, d, seq, detail, ops FROM gids WHERE t = ? AND gid = ?";
        let mut statement = self.sql(SQL)?;
        let mut rows = statement.query(params![tenant.0, gid.as_bytes()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let commit = unsigned(row.get(0)?)?;
        let detail = row.get(5)?;
        let Some(code) = row.get::<_, Option<i64>>(1)? else {
            return self.logged_verdict(tenant, commit, detail).map(Some);
        };
        let digest = |at| if row.get_ref(at)? == ValueRef::Null { Ok(None) } else { bytes(row, at).map(Some) };
        let hashes = Hashes { payload: digest(2)?, ops: digest(6)? };
        let from = match (row.get(3)?, row.get::<_, Option<i64>>(4)?) {
            (Some(d), Some(seq)) => Some((SlotNo(d), unsigned(seq)?)),
            _ => None,
        };
        Ok(Some(StoredVerdict { hashes, outcome: outcome(code)?, commit, from, detail }))
    }

    fn row(&self, tenant: TenantNo, table: &str, id: &str) -> Result<Option<StoredRow>, StorageError> {
        const SQL: &str = "SELECT r, born, version, cause, gone, stamps, fields FROM rows \
                           WHERE t = ? AND tbl = ? AND id = ?";
        let mut statement = self.sql(SQL)?;
        let mut rows = statement.query(params![tenant.0, table, id])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let gone = match row.get::<_, Option<i64>>(3)? {
            Some(code) => Some(Gone { cause: cause(code)?, stamp: row.get(4)? }),
            None => None,
        };
        Ok(Some(StoredRow {
            handle: RowHandle(row.get(0)?),
            born: unsigned(row.get(1)?)?,
            version: unsigned(row.get(2)?)?,
            gone,
            stamps: row.get(5)?,
            fields: row.get(6)?,
        }))
    }

    fn live_rows(
        &self,
        tenant: TenantNo,
        visit: &mut dyn FnMut(&str, &str, &str) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        const SQL: &str = "SELECT tbl, id, fields FROM rows INDEXED BY rows_by_id WHERE t = ? AND cause IS NULL";
        let mut statement = self.sql(SQL)?;
        let mut rows = statement.query([tenant.0])?;
        while let Some(row) = rows.next()? {
            visit(text(row, 0)?, text(row, 1)?, text(row, 2)?)?;
        }
        Ok(())
    }

    fn part(&self, tenant: TenantNo, n: u64, i: u32) -> Result<Option<String>, StorageError> {
        const SQL: &str = "SELECT rows FROM parts WHERE at = ? AND i = ?";
        let part = self.sql(SQL)?.query_row((log_key(tenant, n)?, i), |row| row.get(0));
        Ok(part.optional()?)
    }

    fn log(
        &self,
        tenant: TenantNo,
        after: u64,
        visit: &mut dyn FnMut(LogRow<'_>) -> Result<bool, StorageError>,
    ) -> Result<(), StorageError> {
        const SQL: &str = "SELECT at, gid, d, seq, ms, flags, chain, count, parts, rows, ops FROM log \
                           WHERE at > ? AND at < ? ORDER BY at";
        let from = log_key(tenant, after)?;
        let tenants = if plant::on(Bug::WrongTenant) { 2 } else { 1 };
        let mut statement = self.sql(SQL)?;
        let mut rows = statement.query([from, (tenant.0 + tenants) << 40])?;
        while let Some(row) = rows.next()? {
            let images = match (row.get_ref(9)?, row.get(8)?) {
                (ValueRef::Null, 0) => StoredImages::InOps,
                (ValueRef::Null, parts) => StoredImages::Parts(parts),
                _ => StoredImages::Inline(text(row, 9)?),
            };
            let entry = LogRow { images, ops: text(row, 10)?, ..small_members(row)? };
            if !visit(entry)? {
                break;
            }
        }
        Ok(())
    }

    fn commit(&self, tenant: TenantNo, n: u64) -> Result<Option<LogRow<'static>>, StorageError> {
        const SQL: &str = "SELECT at, gid, d, seq, ms, flags, chain, count FROM log WHERE at = ?";
        let mut statement = self.sql(SQL)?;
        let mut rows = statement.query([log_key(tenant, n)?])?;
        rows.next()?.map(small_members).transpose()
    }

    fn repeated(&self, tenant: TenantNo, n: u64, slot: SlotNo) -> Result<Option<u64>, StorageError> {
        let mut statement = self.sql("SELECT seq FROM repeated WHERE at = ? AND d = ?")?;
        let seq = statement.query_row((log_key(tenant, n)?, slot.0), |row| row.get::<_, i64>(0)).optional()?;
        Ok(seq.map(i64::cast_unsigned))
    }

    fn run_at(&self, slot: SlotNo, seq: u64) -> Result<Option<Run>, StorageError> {
        const SQL: &str = "SELECT first, last, at, rising, before FROM runs WHERE d = ? AND first <= ? \
                           ORDER BY first DESC LIMIT 1";
        let mut statement = self.sql(SQL)?;
        let mut rows = statement.query([slot.0, i64::try_from(seq).unwrap_or(i64::MAX)])?;
        rows.next()?.map(run).transpose()
    }

    fn runs_from(&self, slot: SlotNo, first: u64) -> Result<Vec<Run>, StorageError> {
        const SQL: &str = "SELECT first, last, at, rising, before FROM runs WHERE d = ? AND first >= ? ORDER BY first";
        let mut statement = self.sql(SQL)?;
        let mut rows = statement.query([slot.0, signed(first)?])?;
        let mut runs = Vec::new();
        while let Some(row) = rows.next()? {
            runs.push(run(row)?);
        }
        Ok(runs)
    }
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(connection: &'a Connection) -> Self {
        Self { connection, statements: Statements::default() }
    }

    /// A statement, prepared at its first use.
    pub(super) fn sql(&self, sql: &'static str) -> Result<Lent<'_, 'a>, StorageError> {
        self.statements.lend(self.connection, sql)
    }

    /// The verdict of a group that is in the log.
    fn logged_verdict(&self, tenant: TenantNo, n: u64, detail: Option<String>) -> Result<StoredVerdict, StorageError> {
        use turnstone_protocol::wire::Outcome;
        const SQL: &str = "SELECT flags, hash, d, seq FROM log WHERE at = ?";
        let mut statement = self.sql(SQL)?;
        let mut rows = statement.query([log_key(tenant, n)?])?;
        let row = rows.next()?.ok_or(StorageError::BadRecord("gid"))?;
        let merged = row.get::<_, i64>(0)? & MERGED != 0;
        Ok(StoredVerdict {
            hashes: Hashes { payload: Some(bytes(row, 1)?), ops: None },
            outcome: if merged { Outcome::Merged } else { Outcome::Applied },
            commit: n,
            from: Some((SlotNo(row.get(2)?), unsigned(row.get(3)?)?)),
            detail,
        })
    }
}

/// The members of a commit before its texts.
fn small_members(row: &Row<'_>) -> Result<LogRow<'static>, StorageError> {
    let key: i64 = row.get(0)?;
    Ok(LogRow {
        n: unsigned(key & ((1 << 40) - 1))?,
        gid: Gid(bytes(row, 1)?),
        slot: SlotNo(row.get(2)?),
        seq: unsigned(row.get(3)?)?,
        ms: unsigned(row.get(4)?)?,
        as_sent: row.get::<_, i64>(5)? & AS_SENT != 0,
        chain: bytes(row, 6)?,
        count: unsigned(row.get(7)?)?,
        ops: "",
        images: StoredImages::InOps,
    })
}

fn run(row: &Row<'_>) -> Result<Run, StorageError> {
    Ok(Run {
        first: unsigned(row.get(0)?)?,
        last: unsigned(row.get(1)?)?,
        at: row.get::<_, Option<i64>>(2)?.map(unsigned).transpose()?,
        rising: row.get(3)?,
        before: row.get::<_, Option<i64>>(4)?.map_or(Ok(u64::MAX), unsigned)?,
    })
}

fn bytes<const N: usize>(row: &Row<'_>, column: usize) -> Result<[u8; N], StorageError> {
    let blob = row.get_ref(column)?.as_blob().map_err(|_| StorageError::BadRecord("blob"))?;
    blob.try_into().map_err(|_| StorageError::BadRecord("blob"))
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a str, StorageError> {
    row.get_ref(column)?.as_str().map_err(|_| StorageError::BadRecord("text"))
}

/// All 64 bits of a clock, whatever their sign as SQLite sees it.
fn hlc(bits: i64) -> Hlc {
    Hlc(bits.cast_unsigned())
}
