//! Rows between the database and the pure plan: loading one with its base and its ops, writing what the plan says.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};
use turnstone_engine::apply::{Base, FoldOp, KeepBase, Row, RowPlan, Standing};
use turnstone_protocol::schema::{Schema, Table};
use turnstone_protocol::value::Value;
use turnstone_protocol::{Fields, OpKind};

use crate::error::Error;
use crate::storage::{LoggedOp, Stored, SystemTx, undone};

/// A row being worked on, and how the database holds it meanwhile.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The row.
    pub(super) row: Row,
    held: Held,
}

/// What the database holds now, so that only what changes is written.
#[derive(Debug)]
struct Held {
    visible: Option<Fields>,
    head: Option<i64>,
    version: u64,
    copied: bool,
}

/// The rows a step works on, by table and id. Written at its end, in a fixed order.
#[derive(Debug, Default)]
pub(super) struct Rows {
    loaded: BTreeMap<(String, String), Loaded>,
}

impl Rows {
    /// Whether a row is being worked on.
    pub(super) fn get(&mut self, table: &str, id: &str) -> Option<&mut Loaded> {
        if self.loaded.is_empty() {
            return None;
        }
        self.loaded.get_mut(&(table.to_owned(), id.to_owned()))
    }

    /// The row, loaded if it was not yet.
    pub(super) fn load(&mut self, sys: &SystemTx<'_>, table: &Table, id: &str) -> Result<&mut Loaded, Error> {
        let key = (table.name.clone(), id.to_owned());
        Ok(match self.loaded.entry(key) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => entry.insert(load(sys, table, id, None)?),
        })
    }

    /// An op that the base contained, or that was given up, is folded again; and if it made its row, what waits from before.
    pub(super) fn restore(&mut self, sys: &SystemTx<'_>, op: LoggedOp) -> Result<(), Error> {
        let table = known(sys.schema(), &op.body.table)?;
        let before = if op.body.kind == OpKind::Create { sys.ops_in_fold(&table.name, op.prev)? } else { Vec::new() };
        let row = &mut self.load(sys, table, &op.body.id)?.row;
        for op in before.into_iter().chain([op]) {
            row.restore(FoldOp { number: op.op, group: op.grp, op: op.body });
        }
        Ok(())
    }

    /// The row of a page, or its tombstone, comes under whatever is pending. Says whether anything is.
    pub(super) fn receive(
        &mut self,
        sys: &SystemTx<'_>,
        table: &Table,
        id: &str,
        version: u64,
        fields: Option<Fields>,
    ) -> Result<bool, Error> {
        let key = (table.name.clone(), id.to_owned());
        let loaded = match self.loaded.entry(key) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(load(sys, table, id, fields.is_some().then_some(version))?)
            }
        };
        loaded.row.receive(version, fields);
        Ok(!loaded.row.ops.is_empty())
    }

    /// Changes a row, and writes it at once if nothing else of it is being worked on: what is done to every row of
    /// a database must not gather all of them in memory.
    pub(super) fn change(
        &mut self,
        sys: &mut SystemTx<'_>,
        table: &Table,
        id: &str,
        change: impl FnOnce(&mut Row),
    ) -> Result<(), Error> {
        if let Some(loaded) = self.get(&table.name, id) {
            change(&mut loaded.row);
            return Ok(());
        }
        let mut loaded = load(sys, table, id, None)?;
        change(&mut loaded.row);
        write(sys, table, id, loaded)
    }

    /// Writes every row as its plan says.
    pub(super) fn flush(self, sys: &mut SystemTx<'_>) -> Result<(), Error> {
        let schema = sys.schema();
        for ((table, id), loaded) in self.loaded {
            write(sys, known(schema, &table)?, &id, loaded)?;
        }
        Ok(())
    }
}

/// A table the log or a letter names: it was in the schema when that was written, and schemas only grow.
pub(super) fn known<'s>(schema: &'s Schema, table: &str) -> Result<&'s Table, Error> {
    schema.table(table).ok_or(Error::Corrupt)
}

/// Reads a row. `replaced_by`: the version of a row that takes the place of its base at once, which is not read then
/// unless it is the newer one.
fn load(sys: &SystemTx<'_>, table: &Table, id: &str, replaced_by: Option<u64>) -> Result<Loaded, Error> {
    let stored = sys.stored(&table.name, id)?;
    let (head, version) = match &stored {
        Some(stored) => (stored.p, stored.v),
        None => sys.head(&table.name, id)?.unwrap_or((None, 0)),
    };
    let visible = stored.map(|stored| whole(stored.fields, stored.extra));
    let logged = if head.is_some() { sys.ops_in_fold(&table.name, head)? } else { Vec::new() };
    let copy = if head.is_some() { read_copy(sys, table, id)? } else { None };
    let copied = copy.is_some();
    let base = match copy {
        Some(base) => base,
        None if replaced_by.is_some_and(|newer| newer > version) => {
            Base { version, standing: Standing::Gone { last: None } }
        }
        None => Base { version, standing: standing(undone(table, visible.clone(), &logged)?) },
    };
    let ops =
        logged.into_iter().map(|logged| FoldOp { number: logged.op, group: logged.grp, op: logged.body }).collect();
    let row = Row::new(base, ops, !copied);
    Ok(Loaded { row, held: Held { visible, head, version, copied } })
}

fn standing(fields: Option<Fields>) -> Standing {
    fields.map_or(Standing::Gone { last: None }, Standing::Live)
}

fn write(sys: &mut SystemTx<'_>, table: &Table, id: &str, loaded: Loaded) -> Result<(), Error> {
    let Loaded { row, held } = loaded;
    let RowPlan { visible, version, head, base, relinked } = row.plan(table);
    write_copy(sys, table, id, &held, base)?;
    for link in relinked {
        let mut relink = sys.conn().prepare_cached("UPDATE _ts_ops SET prev = ?2 WHERE op = ?1")?;
        relink.execute(params![link.op, link.prev])?;
    }
    let moved = (head, version) != (held.head, held.version);
    let same = visible == held.visible;
    match visible {
        _ if same && !moved => {}
        Some(_) if same => {
            let text = format!("UPDATE \"{}\" SET _p = ?2, _v = ?3 WHERE id = ?1", table.name);
            sys.conn().prepare_cached(&text)?.execute(params![id, head, version.cast_signed()])?;
            sys.touched_sync();
        }
        Some(fields) => match &held.visible {
            Some(before) => sys.revise(&table.name, id, (head, version), before, &fields)?,
            None => {
                let (fields, extra) = fields.into_iter().partition(|(name, _)| table.field(name).is_some());
                sys.put(&table.name, id, &Stored { v: version, p: head, fields, extra })?;
            }
        },
        None => sys.remove(&table.name, id, head.map(|head| (head, version)))?,
    }
    Ok(())
}

fn write_copy(sys: &SystemTx<'_>, table: &Table, id: &str, held: &Held, base: KeepBase) -> Result<(), Error> {
    match base {
        KeepBase::Drop if held.copied => {
            sys.conn()
                .prepare_cached("DELETE FROM _ts_base WHERE tbl = ?1 AND row_id = ?2")?
                .execute(params![table.name, id])?;
        }
        KeepBase::Drop => {}
        KeepBase::Copy(base) => {
            let (gone, image) = match &base.standing {
                Standing::Live(fields) => (0, Some(to_text(fields)?)),
                Standing::Gone { last } => (1, last.as_ref().map(to_text).transpose()?),
            };
            sys.conn()
                .prepare_cached(
                    "INSERT OR REPLACE INTO _ts_base (tbl, row_id, v, gone, image) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![table.name, id, base.version.cast_signed(), gone, image])?;
        }
    }
    Ok(())
}

fn read_copy(sys: &SystemTx<'_>, table: &Table, id: &str) -> Result<Option<Base>, Error> {
    let found: Option<(i64, bool, Option<String>)> = sys
        .conn()
        .prepare_cached("SELECT v, gone, image FROM _ts_base WHERE tbl = ?1 AND row_id = ?2")?
        .query_row(params![table.name, id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((version, gone, image)) = found else { return Ok(None) };
    let image = image.map(|text| from_text(table, &text)).transpose()?;
    let standing = if gone { Standing::Gone { last: image } } else { standing(image) };
    Ok(Some(Base { version: version.cast_unsigned(), standing }))
}

/// Fields as JSON text.
pub(super) fn to_text(fields: &Fields) -> Result<String, Error> {
    serde_json::to_string(fields).map_err(|_| Error::Internal { what: "fields without a JSON text" })
}

/// Fields from JSON text, typed where the table knows them.
pub(super) fn from_text(table: &Table, text: &str) -> Result<Fields, Error> {
    let fields: Fields = serde_json::from_str(text).map_err(|_| Error::Corrupt)?;
    Ok(table.typed(fields))
}

/// What a server says a row holds. A value its field cannot hold (no server that keeps to the protocol sends one) is
/// passed over: the field has its default, and the page is applied. Fields this schema does not know stay as they are.
pub(super) fn fitting(table: &Table, fields: Fields) -> Fields {
    let fits = |(name, value): (String, Value)| match table.field(&name) {
        Some(field) => field.admit_within(value, usize::MAX).ok().map(|value| (name, value)),
        None => Some((name, value)),
    };
    fields.into_iter().filter_map(fits).collect()
}

/// Known and unknown fields together.
pub(super) fn whole(mut fields: Fields, extra: Fields) -> Fields {
    fields.extend(extra);
    fields
}

/// The row as loaded, and as it is shown.
#[cfg(test)]
pub(super) fn peek(sys: &SystemTx<'_>, table: &Table, id: &str) -> Result<(Row, Option<Fields>), Error> {
    let loaded = load(sys, table, id, None)?;
    Ok((loaded.row, loaded.held.visible))
}
