//! What can be written, in SQL, and the connection that writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::hooks::Wal;
use rusqlite::{Connection, params};
use turnstone_protocol::Gid;
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::wire::Outcome;

use super::codes::{cause_code, outcome_code, signed};
use super::seat::{Transactions, Waiting};
use super::view::{AS_SENT, MERGED, Snapshot, log_key};
use crate::storage::records::Life;
use crate::storage::{
    Head, Images, Locked, LogWrite, RowWrite, Run, Slot, SlotNo, StorageError, StoredVerdict, TenantNo, Tx, View,
};

/// The pages in the write-ahead log above which the seat checkpoints between batches: 16 MiB.
const WAL_PAGES_MAX: u32 = 4_096;

/// The one connection that writes.
pub(super) struct Writer {
    connection: Connection,
    wal_pages: Arc<AtomicU32>,
}

impl Writer {
    pub(super) fn new(mut connection: Connection) -> Result<Self, StorageError> {
        let wal_pages = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&wal_pages);
        connection.wal_hook(Some(move |_: &mut Wal, pages| {
            counted.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { connection, wal_pages })
    }

    pub(super) fn set_meta(&mut self, key: &str, value: &str) -> Result<(), StorageError> {
        const SQL: &str =
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value";
        self.connection.prepare_cached(SQL)?.execute([key, value])?;
        Ok(())
    }

    /// Leaves no transaction open, whatever happened in it.
    fn undo(&self) -> Result<(), StorageError> {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        Ok(())
    }

    fn run_all(&self, works: &mut [Waiting]) -> Result<(), StorageError> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let tx = Snapshot::new(&self.connection);
        for waiting in works {
            (waiting.work)(&tx)?;
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }
}

impl Transactions for Writer {
    fn run(&mut self, works: &mut [Waiting]) -> Result<(), StorageError> {
        // Only after a panic is one open here.
        self.undo()?;
        self.run_all(works).inspect_err(|_| {
            // If this fails as well, the next batch tries again before it begins.
            let _ = self.undo();
        })
    }

    fn rest(&mut self) {
        if self.wal_pages.load(Ordering::Relaxed) > WAL_PAGES_MAX {
            // Truncating would cost the next commits the growing of the file again; a passive one lets it start over.
            let checkpointed = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            if let Err(error) = checkpointed {
                // The log only grows until a later one succeeds.
                tracing::warn!(error = %StorageError::from(error), "checkpoint failed");
            }
        }
    }
}

impl Tx for Snapshot<'_> {
    fn lock(&self, tenant: &str, life: Life) -> Result<Locked, StorageError> {
        // BEGIN IMMEDIATE holds the whole file, so only PostgreSQL has an order to keep here.
        let found = self.tenant(tenant)?;
        let (no, head) = match found {
            Some(found) => found,
            None => (TenantNo(self.next("SELECT coalesce(max(t), 0) + 1 FROM tenants")?), Head::default()),
        };
        let slot = match found.map(|_| self.slot(no, life)).transpose()?.flatten() {
            Some(slot) => slot,
            None => Slot { no: SlotNo(self.next("SELECT coalesce(max(d), 0) + 1 FROM devices")?), pruned_seq: 0 },
        };
        Ok(Locked { tenant: no, head, slot })
    }

    fn put_row(&self, tenant: TenantNo, row: &RowWrite<'_>) -> Result<(), StorageError> {
        const INSERT: &str = "INSERT INTO rows (t, tbl, id, born, version, cause, gone, stamps, fields) \
                              VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        const UPDATE: &str = "UPDATE rows SET born = ?, version = ?, cause = ?, gone = ?, stamps = ?, fields = ? \
                              WHERE r = ? AND t = ?";
        let (born, version) = (signed(row.born)?, signed(row.version)?);
        let cause = row.gone.map(|gone| cause_code(gone.cause));
        let stamp = row.gone.map(|gone| &gone.stamp);
        if let Some(handle) = row.handle {
            self.sql(UPDATE)?
                .execute(params![born, version, cause, stamp, row.stamps, row.fields, handle.0, tenant.0])?;
        } else {
            self.sql(INSERT)?
                .execute(params![tenant.0, row.table, row.id, born, version, cause, stamp, row.stamps, row.fields])?;
        }
        Ok(())
    }

    fn append(&self, tenant: TenantNo, group: &LogWrite<'_>) -> Result<(), StorageError> {
        const LOG: &str = "INSERT INTO log (at, gid, d, seq, hlc, ms, flags, count, parts, chain, hash, \
                           rows, ops) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        const PART: &str = "INSERT INTO parts (at, i, rows) VALUES (?, ?, ?)";
        const GID: &str = "INSERT INTO gids (t, gid, n, detail) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET \
                           n = excluded.n, outcome = NULL, hash = NULL, d = NULL, seq = NULL, ops = NULL, \
                           detail = excluded.detail";
        let merged = if group.outcome == Outcome::Merged { MERGED } else { 0 };
        let flags = merged | if group.as_sent { AS_SENT } else { 0 };
        let at = log_key(tenant, group.n)?;
        let (rows, parts) = match group.images {
            Images::InOps => (None, [].as_slice()),
            Images::Inline(rows) => (Some(rows), [].as_slice()),
            Images::Parts(parts) => (None, parts),
        };
        self.sql(LOG)?.execute(params![
            at,
            group.gid.as_bytes(),
            group.slot.0,
            signed(group.seq)?,
            group.hlc.0.cast_signed(),
            signed(group.ms)?,
            flags,
            signed(group.count)?,
            u32::try_from(parts.len()).map_err(|_| StorageError::BadRecord("part"))?,
            group.chain,
            group.hash,
            rows,
            group.ops
        ])?;
        for (i, rows) in (1u32..).zip(parts) {
            self.sql(PART)?.execute(params![at, i, rows])?;
        }
        let gid = params![tenant.0, group.gid.as_bytes(), signed(group.n)?, group.detail];
        if !plant::on(Bug::VerdictNotStored) {
            self.sql(GID)?.execute(gid)?;
        }
        Ok(())
    }

    fn put_verdict(&self, tenant: TenantNo, gid: Gid, verdict: &StoredVerdict) -> Result<(), StorageError> {
        const SQL: &str = "INSERT INTO gids (t, gid, n, outcome, hash, d, seq, detail, ops) \
                           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) \
                           ON CONFLICT DO UPDATE SET n = excluded.n, outcome = excluded.outcome, hash = excluded.hash, \
                           d = excluded.d, seq = excluded.seq, detail = excluded.detail, ops = excluded.ops";
        self.sql(SQL)?.execute(params![
            tenant.0,
            gid.as_bytes(),
            signed(verdict.commit)?,
            outcome_code(verdict.outcome),
            verdict.hashes.payload,
            verdict.from.map(|(slot, _)| slot.0),
            verdict.from.map(|(_, seq)| signed(seq)).transpose()?,
            verdict.detail,
            verdict.hashes.ops
        ])?;
        Ok(())
    }

    fn put_repeated(&self, tenant: TenantNo, n: u64, slot: SlotNo, seq: u64) -> Result<(), StorageError> {
        const SQL: &str = "INSERT INTO repeated (at, d, seq) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
        self.sql(SQL)?.execute(params![log_key(tenant, n)?, slot.0, signed(seq)?])?;
        Ok(())
    }

    fn put_run(&self, slot: SlotNo, run: &Run) -> Result<(), StorageError> {
        const SQL: &str = "INSERT INTO runs (d, first, last, at, rising, before) VALUES (?, ?, ?, ?, ?, ?) \
                           ON CONFLICT DO UPDATE SET last = excluded.last, at = excluded.at, \
                           rising = excluded.rising, before = excluded.before";
        self.sql(SQL)?.execute(params![
            slot.0,
            signed(run.first)?,
            signed(run.last)?,
            run.at.map(signed).transpose()?,
            run.rising,
            i64::try_from(run.before).ok()
        ])?;
        Ok(())
    }

    fn cut_runs(&self, slot: SlotNo, first: u64) -> Result<(), StorageError> {
        self.sql("DELETE FROM runs WHERE d = ? AND first >= ?")?.execute([slot.0, signed(first)?])?;
        Ok(())
    }

    fn put_head(&self, tenant: TenantNo, name: &str, head: &Head) -> Result<(), StorageError> {
        const UPDATE: &str = "UPDATE tenants SET n = ?, chain = ?, hlc = ?, ms = ?, horizon = ?, stable = ? \
                              WHERE t = ? AND name = ?";
        const INSERT: &str = "INSERT INTO tenants (n, chain, hlc, ms, horizon, stable, t, name) \
                              VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        let members = params![
            signed(head.n)?,
            head.chain,
            head.hlc.0.cast_signed(),
            signed(head.ms)?,
            signed(head.horizon)?,
            signed(head.stable)?,
            tenant.0,
            name
        ];
        if self.sql(UPDATE)?.execute(members)? == 0 {
            self.sql(INSERT)?.execute(members)?;
        }
        Ok(())
    }

    fn put_slot(&self, tenant: TenantNo, life: Life, slot: Slot) -> Result<(), StorageError> {
        const SQL: &str = "INSERT INTO devices (d, t, device, incarnation, pruned_seq) VALUES (?, ?, ?, ?, ?) \
                           ON CONFLICT DO UPDATE SET pruned_seq = excluded.pruned_seq";
        self.sql(SQL)?.execute(params![
            slot.no.0,
            tenant.0,
            life.device.as_bytes(),
            life.incarnation.as_bytes(),
            signed(slot.pruned_seq)?
        ])?;
        Ok(())
    }
}

impl Snapshot<'_> {
    fn next(&self, sql: &'static str) -> Result<i64, StorageError> {
        Ok(self.sql(sql)?.query_row([], |row| row.get(0))?)
    }
}
