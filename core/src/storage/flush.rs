//! From touched rows to ops: what SQL did is what differs now (rule 21).

use turnstone_protocol::limits::ROW_BYTES_MAX;
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::{Fields, Value};

use super::body::{self, Change};
use super::edit::{self, Held, check_id, check_row_bytes};
use super::tables::TableSql;
use super::touched::{Before, Touched, Updated, Was, Written};
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
        let (touched, doubtful) = self.state.capture.take();
        self.broken_by(|tx| touched.into_iter().try_for_each(|touched| tx.settle(touched, doubtful)))
    }

    fn settle(&mut self, touched: Touched, doubtful: bool) -> Result<(), Error> {
        let table = self.setup.tables.at(touched.table)?;
        let was = match touched.was {
            Was::Updated(row) if !doubtful && !table.is_whole() && row.bytes < ROW_BYTES_MAX / 8 => {
                return self.settle_updated(table, &touched.id, row);
            }
            was => was,
        };
        match (was, self.held(table, &touched.id)?) {
            (Was::Nothing, None) => Ok(()),
            (Was::Nothing, Some(now)) => self.settle_created(table, &touched.id, now),
            (Was::Whole(before), None) => {
                let Before { v, p, extra, values } = before;
                self.log_delete(table, &touched.id, v, p, extra.as_deref(), &values)
            }
            (Was::Whole(before), Some(now)) => self.settle_changed(table, &touched.id, before, now),
            (Was::Updated(_), None) => Err(Error::Corrupt),
            (Was::Updated(row), Some(now)) => {
                let before = row.before(now.values.clone());
                self.settle_changed(table, &touched.id, before, now)
            }
        }
    }

    /// The usual case: SQL did nothing to the row but update it, and what it wrote is what the row holds.
    fn settle_updated(&mut self, table: &'a TableSql, id: &str, row: Updated) -> Result<(), Error> {
        // Of a sound file it always is; of a damaged one that is no panic.
        if cfg!(debug_assertions) && !self.is_as_written(table, id, &row) {
            return Err(Error::Corrupt);
        }
        let mut changes = vec![Change::Keep; table.defaults.len()];
        let mut rewritten = Vec::new();
        for Written { at, was, now } in row.fields {
            if was == now && !plant::on(Bug::CaptureListens) {
                continue;
            }
            let new = table.admit(at, now.clone(), self.setup.options.value_bytes_max)?;
            if new != now || is_negative_zero(&now) {
                rewritten.push((at, new.clone()));
            }
            if let Some(change) = changes.get_mut(at).filter(|_| new != was || plant::on(Bug::CaptureListens)) {
                *change = edit::edit(table, at, new, &was)?;
            }
        }
        let hidden = (row.v, row.p, row.extra.as_deref());
        if changes.iter().all(|change| *change == Change::Keep) {
            return if rewritten.is_empty() {
                Ok(())
            } else {
                self.write_hidden(table, row.rowid, hidden, true, &rewritten)
            };
        }
        self.state.body.clear();
        let base = self.state.numbers.seen(row.v);
        body::write_edit(&mut self.state.body, "update", table, id, base, &changes, &Fields::new());
        self.draft.check_room(self.state.body.len())?;
        let undo = body::write_undo(table, &changes);
        let hidden = (row.v, Some(self.draft.next_op()), row.extra.as_deref());
        self.write_hidden(table, row.rowid, hidden, false, &rewritten)?;
        self.log(table, id, row.p, undo.as_deref())
    }

    /// Says whether the table holds what the updates of a row were seen to write.
    fn is_as_written(&self, table: &TableSql, id: &str, row: &Updated) -> bool {
        let Ok(Some(held)) = self.held(table, id) else { return false };
        let same = |written: &Written| held.values.get(written.at).is_some_and(|value| *value == written.now);
        (held.rowid, held.v, held.p, &held.extra) == (row.rowid, row.v, row.p, &row.extra)
            && row.fields.iter().all(same)
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
        self.write_hidden(table, now.rowid, hidden, v != 0, &rewritten)?;
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
                self.write_hidden(table, now.rowid, hidden, true, &rewritten)?;
            }
            return Ok(());
        }
        let held = Held { rowid: now.rowid, v: before.v, p: before.p, extra: before.extra, values: before.values };
        let extra = if table.is_whole() { edit::carry_whole_row(table, &held, &mut changes)? } else { Fields::new() };
        self.state.body.clear();
        let base = self.state.numbers.seen(held.v);
        body::write_edit(&mut self.state.body, "update", table, id, base, &changes, &extra);
        self.draft.check_room(self.state.body.len())?;
        self.check_grown(table, &now, &changes)?;
        let undo = body::write_undo(table, &changes);
        let hidden = (held.v, Some(self.draft.next_op()), held.extra.as_deref());
        self.write_hidden(table, now.rowid, hidden, replaced, &rewritten)?;
        self.log(table, id, held.p, undo.as_deref())
    }

    /// Gives the values their types, as the API does; names the places where that changed what the table holds.
    fn admit_all(
        &self,
        table: &TableSql,
        now: &mut Held,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<Vec<(usize, Value)>, Error> {
        let mut rewritten = Vec::new();
        for (at, value) in now.values.iter_mut().enumerate().filter(|(at, _)| wanted(*at)) {
            let admitted = table.admit(at, value.clone(), self.setup.options.value_bytes_max)?;
            if admitted != *value || is_negative_zero(value) {
                rewritten.push((at, admitted.clone()));
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
        table: &'a TableSql,
        rowid: i64,
        (v, p, extra): (i64, Option<i64>, Option<&str>),
        all: bool,
        rewritten: &[(usize, Value)],
    ) -> Result<(), Error> {
        if !all && rewritten.is_empty() {
            return self.link(table, rowid, p);
        }
        let mut sql = format!("UPDATE {} SET _v = ?2, _p = ?3, _extra = ?4", table.quoted);
        for (n, (at, _)) in rewritten.iter().enumerate() {
            if let Some(column) = table.columns.get(*at) {
                sql.push_str(&format!(", {} = ?{}", quoted(column), n + 5));
            }
        }
        sql.push_str(" WHERE rowid = ?1");
        let mut update = self.conn.prepare_cached(&sql)?;
        update.raw_bind_parameter(1, rowid)?;
        update.raw_bind_parameter(2, v)?;
        update.raw_bind_parameter(3, p)?;
        update.raw_bind_parameter(4, extra)?;
        for (n, (_, value)) in rewritten.iter().enumerate() {
            update.raw_bind_parameter(n + 5, Bound(value))?;
        }
        update.raw_execute()?;
        Ok(())
    }

    /// Names the newest op of a row.
    fn link(&mut self, table: &'a TableSql, rowid: i64, p: Option<i64>) -> Result<(), Error> {
        let kept = self.link.as_ref().is_some_and(|(index, _)| *index == table.index);
        if !kept {
            self.link = Some((table.index, self.conn.prepare_cached(&table.link)?));
        }
        let Some((_, link)) = &mut self.link else { return Err(Error::Internal { what: "no link statement" }) };
        link.raw_bind_parameter(1, rowid)?;
        link.raw_bind_parameter(2, p)?;
        link.raw_execute()?;
        Ok(())
    }
}

/// `-0.0 == 0.0`, but only one of them has a canonical form.
fn is_negative_zero(value: &Value) -> bool {
    matches!(value, Value::Real(real) if *real == 0.0 && real.is_sign_negative())
}
