//! Writes by the API: the row and its op, checked before anything changes.

use rusqlite::{CachedStatement, OptionalExtension, params};
use turnstone_protocol::limits::{ID_BYTES_MAX, ROW_BYTES_MAX};
use turnstone_protocol::{Fields, Value};

use super::body::{self, Change};
use super::draft::NewOp;
use super::tables::TableSql;
use super::tx::Tx;
use super::value::{Bound, quoted, typed};
use crate::error::Error;

/// Values by place of their field; none where the writer said nothing.
pub(crate) type Slots = Vec<Option<Value>>;

/// A row as its table holds it, values by place of their field.
pub(crate) struct Held {
    pub(crate) rowid: i64,
    pub(crate) v: i64,
    pub(crate) p: Option<i64>,
    pub(crate) extra: Option<String>,
    pub(crate) values: Vec<Value>,
}

/// Checks that a text may be a row id.
pub(crate) fn check_id(id: &str) -> Result<(), Error> {
    let reason = match id {
        "" => "it is empty",
        id if id.len() > ID_BYTES_MAX => "it is longer than 256 bytes",
        id if id.contains('\0') => "it holds a NUL character",
        _ => return Ok(()),
    };
    Err(Error::InvalidId { reason })
}

/// Unknown fields from the text of `_extra`.
pub(crate) fn read_extra(text: Option<&str>) -> Result<Fields, Error> {
    text.map_or_else(|| Ok(Fields::new()), |text| serde_json::from_str(text).map_err(|_| Error::Corrupt))
}

impl<'c> Tx<'c> {
    /// Makes a row.
    pub(super) fn create(&mut self, table: &'c TableSql, id: &str, slots: &Slots) -> Result<(), Error> {
        check_id(id)?;
        let missing = table.def.fields.iter().zip(slots).find(|(field, slot)| field.is_required() && slot.is_none());
        if let Some((field, _)) = missing {
            return Err(Error::MissingField { table: table.def.name.clone(), field: field.name.clone() });
        }
        if table.def.local_only {
            self.insert_row(table, id, (0, None, None), slots)?;
            self.changes.row(&table.def.name, id);
            return Ok(());
        }
        let changes = create_changes(table, slots)?;
        let absent = self.absent(table, id)?;
        self.state.body.clear();
        let base = self.state.numbers.applied_n;
        body::write_edit(&mut self.state.body, "create", table, id, base, &changes, &Fields::new());
        self.draft.check_room(self.state.body.len())?;
        // Fields left at their default are not in the body, nor in the row's canonical form.
        check_row_bytes(table, self.state.body.len())?;
        let (prev, v) = absent.unwrap_or((None, 0));
        self.insert_row(table, id, (v, Some(self.draft.next_op()), None), slots)?;
        if absent.is_some() {
            self.broken_by(|tx| {
                tx.conn
                    .prepare_cached("DELETE FROM _ts_absent WHERE tbl = ?1 AND row_id = ?2")?
                    .execute([&table.def.name, id])?;
                Ok(())
            })?;
        }
        self.log(table, id, prev, None)
    }

    /// Changes fields of a row.
    pub(super) fn change(&mut self, table: &'c TableSql, id: &str, slots: Slots) -> Result<(), Error> {
        if table.def.local_only {
            return self.change_local(table, id, &slots);
        }
        let held = self.held_for(table, id, &slots)?;
        let held = held.ok_or_else(|| Error::RowMissing { table: table.def.name.clone() })?;
        let mut changes = Vec::with_capacity(slots.len());
        for (at, (slot, was)) in slots.into_iter().zip(&held.values).enumerate() {
            changes.push(slot.map_or(Ok(Change::Keep), |new| edit(table, at, new, was))?);
        }
        self.apply(table, id, &held, changes)
    }

    /// Adds to a counter.
    pub(super) fn add(&mut self, table: &'c TableSql, id: &str, at: usize, by: i64) -> Result<(), Error> {
        let mut slots: Slots = vec![None; table.defaults.len()];
        if let Some(slot) = slots.get_mut(at) {
            *slot = Some(Value::Int(0));
        }
        let held = self.held_for(table, id, &slots)?;
        let held = held.ok_or_else(|| Error::RowMissing { table: table.def.name.clone() })?;
        let Some(Value::Int(now)) = held.values.get(at) else {
            return Err(Error::Corrupt);
        };
        now.checked_add(by).ok_or_else(|| overflow(table, at))?;
        let mut changes = vec![Change::Keep; slots.len()];
        if let Some(change) = changes.get_mut(at) {
            *change = Change::Inc(by);
        }
        self.apply(table, id, &held, changes)
    }

    /// Removes a row.
    pub(super) fn remove(&mut self, table: &'c TableSql, id: &str) -> Result<bool, Error> {
        if table.def.local_only {
            let gone = self.conn.prepare_cached(&table.delete)?.execute([id])? > 0;
            if gone {
                self.changes.row(&table.def.name, id);
            }
            return Ok(gone);
        }
        let Some(held) = self.held(table, id)? else { return Ok(false) };
        self.log_delete_room(table, id, held.v)?;
        self.conn.prepare_cached(&table.delete)?.execute([held.rowid])?;
        self.broken_by(|tx| tx.log_delete(table, id, held.v, held.p, held.extra.as_deref(), &held.values))?;
        Ok(true)
    }

    /// Writes the body of a delete and checks that the group has room for it.
    fn log_delete_room(&mut self, table: &TableSql, id: &str, v: i64) -> Result<(), Error> {
        self.state.body.clear();
        body::write_delete(&mut self.state.body, table, id, self.state.numbers.seen(v));
        self.draft.check_room(self.state.body.len())
    }

    /// Logs the delete of a row that is gone, and remembers where its ops are.
    pub(super) fn log_delete(
        &mut self,
        table: &TableSql,
        id: &str,
        v: i64,
        p: Option<i64>,
        extra: Option<&str>,
        values: &[Value],
    ) -> Result<(), Error> {
        self.log_delete_room(table, id, v)?;
        let undo = body::write_image(table, values, &read_extra(extra)?);
        let op = self.draft.next_op();
        self.conn
            .prepare_cached("INSERT INTO _ts_absent (tbl, row_id, p, v) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![table.def.name, id, op, v])?;
        self.state.numbers.absent = true;
        self.log(table, id, p, Some(&undo))
    }

    /// Logs the op whose body is ready. From here on a failure undoes the transaction: the row has changed.
    pub(super) fn log(
        &mut self,
        table: &TableSql,
        id: &str,
        prev: Option<i64>,
        undo: Option<&str>,
    ) -> Result<(), Error> {
        self.broken_by(|tx| {
            let op = NewOp { table: &table.def.name, row_id: id, prev, undo };
            tx.draft.append(tx.conn, &mut tx.append, tx.setup, tx.state, &op).map(drop)
        })?;
        self.changes.row(&table.def.name, id);
        Ok(())
    }

    /// Writes an update: the row, then its op.
    fn apply(&mut self, table: &'c TableSql, id: &str, held: &Held, mut changes: Vec<Change>) -> Result<(), Error> {
        if changes.iter().all(|change| *change == Change::Keep) {
            return Ok(());
        }
        let named: Vec<usize> = (0..changes.len()).filter(|at| changes.get(*at) != Some(&Change::Keep)).collect();
        let extra = if table.is_whole() { carry_whole_row(table, held, &mut changes)? } else { Fields::new() };
        self.state.body.clear();
        let base = self.state.numbers.seen(held.v);
        body::write_edit(&mut self.state.body, "update", table, id, base, &changes, &extra);
        self.draft.check_room(self.state.body.len())?;
        self.check_grown_row(table, id, &changes)?;
        let undo = body::write_undo(table, &changes);
        let mut sql = format!("UPDATE {} SET _p = ?2", table.quoted);
        for (n, at) in named.iter().enumerate() {
            if let Some(column) = table.columns.get(*at) {
                sql.push_str(&format!(", {} = ?{}", quoted(column), n + 3));
            }
        }
        sql.push_str(" WHERE rowid = ?1");
        let op = self.draft.next_op();
        let mut update = self.conn.prepare_cached(&sql)?;
        update.raw_bind_parameter(1, held.rowid)?;
        update.raw_bind_parameter(2, op)?;
        for (n, at) in named.iter().enumerate() {
            match (changes.get(*at), held.values.get(*at)) {
                (Some(Change::Set { new, .. }), _) => update.raw_bind_parameter(n + 3, Bound(new))?,
                (Some(Change::Inc(by)), Some(Value::Int(now))) => {
                    update.raw_bind_parameter(n + 3, now.checked_add(*by).ok_or_else(|| overflow(table, *at))?)?;
                }
                _ => return Err(Error::Internal { what: "a change without a value" }),
            }
        }
        update.raw_execute()?;
        self.log(table, id, held.p, undo.as_deref())
    }

    fn change_local(&mut self, table: &TableSql, id: &str, slots: &Slots) -> Result<(), Error> {
        let named = slots.iter().enumerate().filter_map(|(at, slot)| Some((table.columns.get(at)?, slot.as_ref()?)));
        let mut sql = format!("UPDATE {} SET id = id", table.quoted);
        let mut values = Vec::new();
        for (column, value) in named {
            values.push(value);
            sql.push_str(&format!(", {} = ?{}", quoted(column), values.len() + 1));
        }
        sql.push_str(" WHERE id = ?1");
        let mut update = self.conn.prepare_cached(&sql)?;
        update.raw_bind_parameter(1, id)?;
        for (n, value) in values.into_iter().enumerate() {
            update.raw_bind_parameter(n + 2, Bound(value))?;
        }
        if update.raw_execute()? == 0 {
            return Err(Error::RowMissing { table: table.def.name.clone() });
        }
        self.changes.row(&table.def.name, id);
        Ok(())
    }

    /// Inserts the row itself. A row that is there already is a typed error, and nothing changed.
    fn insert_row(
        &mut self,
        table: &'c TableSql,
        id: &str,
        (v, p, extra): (i64, Option<i64>, Option<&str>),
        slots: &Slots,
    ) -> Result<(), Error> {
        let kept = self.insert.as_ref().is_some_and(|(index, _)| *index == table.index);
        if !kept {
            self.insert = Some((table.index, self.conn.prepare_cached(&table.insert)?));
        }
        let Some((_, insert)) = &mut self.insert else { return Err(Error::Internal { what: "no insert statement" }) };
        insert.raw_bind_parameter(1, id)?;
        let first = if table.def.local_only {
            2
        } else {
            insert.raw_bind_parameter(2, v)?;
            insert.raw_bind_parameter(3, p)?;
            insert.raw_bind_parameter(4, extra)?;
            5
        };
        bind_slots(insert, first, table, slots)?;
        insert.raw_execute().map(drop).map_err(|error| match error.sqlite_error().map(|error| error.extended_code) {
            Some(rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => Error::RowExists { table: table.def.name.clone() },
            _ => error.into(),
        })
    }

    /// Where the ops of a row are that is not in its table, with its base version; usually nowhere.
    pub(super) fn absent(&self, table: &TableSql, id: &str) -> Result<Option<(Option<i64>, i64)>, Error> {
        if !self.state.numbers.absent {
            return Ok(None);
        }
        let mut found = self.conn.prepare_cached("SELECT p, v FROM _ts_absent WHERE tbl = ?1 AND row_id = ?2")?;
        Ok(found.query_row([&table.def.name, id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }

    /// A row as it is now, whole.
    pub(super) fn held(&self, table: &TableSql, id: &str) -> Result<Option<Held>, Error> {
        read_held(self.conn.prepare_cached(&table.stored)?, table, id, |_| true)
    }

    /// A row with the fields an update needs: those it names, or all where whole rows compete.
    fn held_for(&self, table: &TableSql, id: &str, slots: &Slots) -> Result<Option<Held>, Error> {
        if table.is_whole() {
            return self.held(table, id);
        }
        let wanted = |at: usize| slots.get(at).is_some_and(Option::is_some);
        let mut sql = String::from("SELECT rowid, _v, _p, NULL");
        for at in (0..slots.len()).filter(|at| wanted(*at)) {
            if let Some(column) = table.columns.get(at) {
                sql.push_str(", ");
                sql.push_str(&quoted(column));
            }
        }
        sql.push_str(&format!(" FROM {} WHERE id = ?1", table.quoted));
        read_held(self.conn.prepare_cached(&sql)?, table, id, wanted)
    }

    /// Refuses an update that makes the row larger than every server must accept. Most updates are too small to.
    fn check_grown_row(&self, table: &TableSql, id: &str, changes: &[Change]) -> Result<(), Error> {
        // The canonical form has at most six bytes for one, and a name for each field.
        let harmless = ROW_BYTES_MAX / changes.len().max(1) / 6 - 128;
        let large = |change: &Change| matches!(change, Change::Set { new, .. } if new.byte_len() > harmless);
        if !changes.iter().any(large) {
            return Ok(());
        }
        let Some(mut held) = self.held(table, id)? else { return Ok(()) };
        for (value, change) in held.values.iter_mut().zip(changes) {
            if let Change::Set { new, .. } = change {
                value.clone_from(new);
            }
        }
        let image = body::write_image(table, &held.values, &read_extra(held.extra.as_deref())?);
        check_row_bytes(table, image.len())
    }
}

/// What an update says about one field.
pub(super) fn edit(table: &TableSql, at: usize, new: Value, was: &Value) -> Result<Change, Error> {
    if !table.is_counter(at) {
        return Ok(Change::Set { new, was: Some(was.clone()) });
    }
    match (&new, was) {
        (Value::Int(new), Value::Int(was)) if new == was => Ok(Change::Keep),
        (Value::Int(new), Value::Int(was)) => new.checked_sub(*was).map(Change::Inc).ok_or_else(|| overflow(table, at)),
        _ => Err(Error::Corrupt),
    }
}

/// What a create says: every value that was given, counters as the amount over their default.
fn create_changes(table: &TableSql, slots: &Slots) -> Result<Vec<Change>, Error> {
    let one = |at: usize, slot: &Option<Value>| {
        let Some(new) = slot else { return Ok(Change::Keep) };
        if table.is_counter(at) {
            let default = table.defaults.get(at).cloned().unwrap_or_default();
            return edit(table, at, new.clone(), &default);
        }
        Ok(Change::Set { new: new.clone(), was: None })
    };
    slots.iter().enumerate().map(|(at, slot)| one(at, slot)).collect()
}

/// Adds the fields the writer did not name to an op of a table where whole rows compete; returns the unknown ones.
pub(super) fn carry_whole_row(table: &TableSql, held: &Held, changes: &mut [Change]) -> Result<Fields, Error> {
    for (at, (change, value)) in changes.iter_mut().zip(&held.values).enumerate() {
        if *change == Change::Keep && !table.is_counter(at) {
            *change = Change::Set { new: value.clone(), was: None };
        }
    }
    read_extra(held.extra.as_deref())
}

pub(super) fn overflow(table: &TableSql, at: usize) -> Error {
    let field = table.columns.get(at).map(ToString::to_string).unwrap_or_default();
    Error::CounterOverflow { table: table.def.name.clone(), field }
}

pub(super) fn check_row_bytes(table: &TableSql, bytes: usize) -> Result<(), Error> {
    if bytes > ROW_BYTES_MAX {
        return Err(Error::RowTooLarge { table: table.def.name.clone(), max: ROW_BYTES_MAX });
    }
    Ok(())
}

fn bind_slots(statement: &mut CachedStatement<'_>, first: usize, table: &TableSql, slots: &Slots) -> Result<(), Error> {
    for (n, (slot, default)) in slots.iter().zip(&table.defaults).enumerate() {
        statement.raw_bind_parameter(first + n, Bound(slot.as_ref().unwrap_or(default)))?;
    }
    Ok(())
}

fn read_held(
    mut statement: CachedStatement<'_>,
    table: &TableSql,
    id: &str,
    wanted: impl Fn(usize) -> bool,
) -> Result<Option<Held>, Error> {
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut values = Vec::with_capacity(table.defaults.len());
    let mut column = 4;
    for (at, field) in table.def.fields.iter().enumerate() {
        if wanted(at) {
            values.push(typed(field.kind, row.get_ref(column)?)?);
            column += 1;
        } else {
            values.push(Value::Null);
        }
    }
    Ok(Some(Held { rowid: row.get(0)?, v: row.get(1)?, p: row.get(2)?, extra: row.get(3)?, values }))
}
