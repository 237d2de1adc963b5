//! From touched rows to ops: what SQL did is what differs now (rule 21).

use rusqlite::params;
use turnstone_protocol::{Fields, Value};

use super::body::{self, Change};
use super::capture::{Before, Touched};
use super::edit::{self, Held, check_id, check_row_bytes};
use super::tables::TableSql;
use super::tx::Tx;
use super::value::{Bound, quoted};
use crate::error::Error;

impl<'a> Tx<'a> {
    /// Makes the ops of everything SQL touched since the last time.
    ///
    /// # Errors
    /// A typed error where a value, an id or the group's size would not be accepted by a server; the whole
    /// transaction is refused then, because the rows have changed.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        if self.state.capture.is_empty() {
            return Ok(());
        }
        let touched = self.state.capture.take();
        self.broken_by(|tx| touched.into_iter().try_for_each(|touched| tx.settle(touched)))
    }

    fn settle(&mut self, touched: Touched) -> Result<(), Error> {
        let table = self.setup.tables.at(touched.table)?;
        match (touched.before, self.held(table, &touched.id)?) {
            (None, None) => Ok(()),
            (None, Some(now)) => self.settle_created(table, &touched.id, now),
            (Some(before), None) => {
                let Before { v, p, extra, values } = before;
                self.log_delete(table, &touched.id, v, p, extra.as_deref(), &values)
            }
            (Some(before), Some(now)) => self.settle_changed(table, &touched.id, before, now),
        }
    }

    fn settle_created(&mut self, table: &'a TableSql, id: &str, mut now: Held) -> Result<(), Error> {
        check_id(id)?;
        let rewritten = self.admit_all(table, &mut now, |_| true)?;
        let mut changes = Vec::with_capacity(now.values.len());
        for (at, (field, value)) in table.def.fields.iter().zip(&now.values).enumerate() {
            changes.push(match table.defaults.get(at) {
                Some(default) if table.is_counter(at) => edit::edit(table, at, value.clone(), default)?,
                Some(default) if value == default && !field.is_required() => Change::Keep,
                _ => Change::Set { new: value.clone(), was: None },
            });
        }
        let absent = self.absent(table, id)?;
        let (prev, v) = absent.unwrap_or((None, 0));
        self.state.body.clear();
        let base = self.state.numbers.applied_n;
        body::write_edit(&mut self.state.body, "create", table, id, base, &changes, &Fields::new());
        self.draft.check_room(self.state.body.len())?;
        check_row_bytes(table, self.state.body.len())?;
        if absent.is_some() {
            self.conn
                .prepare_cached("DELETE FROM _ts_absent WHERE tbl = ?1 AND row_id = ?2")?
                .execute([&table.def.name, id])?;
        }
        let hidden = (v, Some(self.draft.next_op()), None);
        self.write_hidden(table, &now, hidden, v != 0, &rewritten)?;
        self.log(table, id, prev, None)
    }

    fn settle_changed(&mut self, table: &'a TableSql, id: &str, before: Before, mut now: Held) -> Result<(), Error> {
        // What did not change was admitted when it was written.
        let same: Vec<bool> = before.values.iter().zip(&now.values).map(|(was, new)| was == new).collect();
        let rewritten = self.admit_all(table, &mut now, |at| same.get(at) != Some(&true))?;
        let mut changes = Vec::with_capacity(now.values.len());
        for (at, (was, new)) in before.values.iter().zip(&now.values).enumerate() {
            changes.push(if was == new { Change::Keep } else { edit::edit(table, at, new.clone(), was)? });
        }
        let replaced = (now.v, now.p, &now.extra) != (before.v, before.p, &before.extra);
        if changes.iter().all(|change| *change == Change::Keep) {
            let hidden = (before.v, before.p, before.extra.as_deref());
            if replaced || !rewritten.is_empty() {
                self.write_hidden(table, &now, hidden, true, &rewritten)?;
            }
            return Ok(());
        }
        let held = Held { rowid: now.rowid, v: before.v, p: before.p, extra: before.extra, values: before.values };
        let extra = if table.is_whole() { edit::carry_whole_row(table, &held, &mut changes)? } else { Fields::new() };
        self.state.body.clear();
        body::write_edit(&mut self.state.body, "update", table, id, held.v.cast_unsigned(), &changes, &extra);
        self.draft.check_room(self.state.body.len())?;
        self.check_grown(table, &now, &changes)?;
        let undo = body::write_undo(table, &changes);
        let hidden = (held.v, Some(self.draft.next_op()), held.extra.as_deref());
        self.write_hidden(table, &now, hidden, replaced, &rewritten)?;
        self.log(table, id, held.p, undo.as_deref())
    }

    /// Gives the values their types, as the API does; names the places where that changed what the table holds.
    fn admit_all(&self, table: &TableSql, now: &mut Held, wanted: impl Fn(usize) -> bool) -> Result<Vec<usize>, Error> {
        let mut rewritten = Vec::new();
        for (at, value) in now.values.iter_mut().enumerate().filter(|(at, _)| wanted(*at)) {
            let admitted = table.admit(at, value.clone(), self.setup.options.value_bytes_max)?;
            if admitted != *value || is_negative_zero(value) {
                rewritten.push(at);
                *value = admitted;
            }
        }
        Ok(rewritten)
    }

    fn check_grown(&self, table: &TableSql, now: &Held, changes: &[Change]) -> Result<(), Error> {
        let bytes: usize = now.values.iter().map(Value::byte_len).sum();
        if bytes.saturating_mul(6) < turnstone_protocol::limits::ROW_BYTES_MAX || changes.is_empty() {
            return Ok(());
        }
        let image = body::write_image(table, &now.values, &edit::read_extra(now.extra.as_deref())?);
        check_row_bytes(table, image.len())
    }

    /// Writes the hidden columns of a row that SQL wrote, and values in the form they are sent in.
    fn write_hidden(
        &mut self,
        table: &TableSql,
        now: &Held,
        (v, p, extra): (i64, Option<i64>, Option<&str>),
        all: bool,
        rewritten: &[usize],
    ) -> Result<(), Error> {
        if !all && rewritten.is_empty() {
            self.conn.prepare_cached(&table.link)?.execute(params![now.rowid, p])?;
            return Ok(());
        }
        let mut sql = format!("UPDATE {} SET _v = ?2, _p = ?3, _extra = ?4", table.quoted);
        for (n, at) in rewritten.iter().enumerate() {
            if let Some(column) = table.columns.get(*at) {
                sql.push_str(&format!(", {} = ?{}", quoted(column), n + 5));
            }
        }
        sql.push_str(" WHERE rowid = ?1");
        let mut update = self.conn.prepare_cached(&sql)?;
        update.raw_bind_parameter(1, now.rowid)?;
        update.raw_bind_parameter(2, v)?;
        update.raw_bind_parameter(3, p)?;
        update.raw_bind_parameter(4, extra)?;
        for (n, at) in rewritten.iter().enumerate() {
            if let Some(value) = now.values.get(*at) {
                update.raw_bind_parameter(n + 5, Bound(value))?;
            }
        }
        update.raw_execute()?;
        Ok(())
    }
}

/// `-0.0 == 0.0`, but only one of them has a canonical form.
fn is_negative_zero(value: &Value) -> bool {
    matches!(value, Value::Real(real) if *real == 0.0 && real.is_sign_negative())
}
