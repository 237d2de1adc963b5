//! What the simulated app writes in one local transaction, and what that means to the model.

use std::collections::BTreeMap;

use turnstone::{Error, Tx, Value};

use crate::app;
use crate::model::{Meaning, ModelOp};

/// One local transaction of the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Makes a row, if it does not show.
    Create { table: &'static str, id: String, value: i64 },
    /// Sets a field of a row that shows.
    Set { table: &'static str, id: String, field: &'static str, value: i64, by_sql: bool },
    /// Moves the counter of a row that shows.
    Add { table: &'static str, id: String, by: i64 },
    /// Deletes a row that shows.
    Delete { table: &'static str, id: String, by_sql: bool },
    /// Writes both rows of the pair.
    Pair { value: i64 },
    /// Makes or changes the settings.
    Settings { value: i64 },
    /// A statement that fails at its last row, then a good write; or an error at the end, if `whole`.
    Failing { table: &'static str, id: String, value: i64, whole: bool },
}

type Registers = BTreeMap<&'static str, i64>;

impl Work {
    /// Writes it, and says what was written.
    pub fn perform(&self, tx: &mut Tx<'_>) -> Result<Vec<ModelOp>, Error> {
        match self {
            Self::Create { table, id, value } => create(tx, table, id, *value),
            Self::Set { table, id, field, value, by_sql } => set(tx, table, id, field, *value, *by_sql),
            Self::Add { table, id, by } => {
                let Some(row) = tx.get(table, id)? else { return Ok(Vec::new()) };
                if *table == app::WHOLE {
                    let count = app::shown(&row, "count").unwrap_or(0);
                    return set(tx, table, id, "count", count + by, false);
                }
                tx.increment(table, id, "count", *by)?;
                Ok(vec![op(table, id, Meaning::Add("count", *by))])
            }
            Self::Delete { table, id, by_sql } => delete(tx, table, id, *by_sql),
            Self::Pair { value } => {
                let mut ops = Vec::new();
                for id in app::PAIR {
                    ops.push(upsert(tx, "pairs", id, &[("v", *value)])?);
                }
                Ok(ops)
            }
            Self::Settings { value } => {
                Ok(vec![upsert(tx, "notes", app::SETTINGS, &[("a", *value), ("hi", *value), ("lo", *value)])?])
            }
            Self::Failing { table, id, value, whole } => failing(tx, table, id, *value, *whole),
        }
    }
}

fn op(table: &'static str, id: &str, meaning: Meaning) -> ModelOp {
    ModelOp { table, id: id.to_owned(), meaning }
}

fn create(tx: &mut Tx<'_>, table: &'static str, id: &str, value: i64) -> Result<Vec<ModelOp>, Error> {
    if tx.get(table, id)?.is_some() {
        return Ok(Vec::new());
    }
    // Not every field: what a new life does not say must not come from the one before.
    let some = usize::try_from(value.rem_euclid(3)).unwrap_or(0) * 2 + 2;
    let fields: Registers = app::SETTABLE.iter().take(some).map(|field| (*field, value)).collect();
    tx.insert_with_id(table, id, fields.iter().map(|(name, value)| (*name, app::value(name, *value))))?;
    Ok(vec![op(table, id, Meaning::Create(app::written(table, None, fields)))])
}

fn set(
    tx: &mut Tx<'_>,
    table: &'static str,
    id: &str,
    field: &'static str,
    value: i64,
    by_sql: bool,
) -> Result<Vec<ModelOp>, Error> {
    let Some(row) = tx.get(table, id)? else { return Ok(Vec::new()) };
    if by_sql {
        tx.execute(&format!("UPDATE {table} SET {field} = ?1 WHERE id = ?2"), &[app::value(field, value), id.into()])?;
        if app::shown(&row, field) == Some(value) {
            // SQL is compared, not listened to: this is no change.
            return Ok(Vec::new());
        }
    } else {
        tx.update(table, id, [(field, app::value(field, value))])?;
    }
    Ok(vec![op(table, id, Meaning::Set(app::written(table, Some(&row), Registers::from([(field, value)]))))])
}

fn delete(tx: &mut Tx<'_>, table: &'static str, id: &str, by_sql: bool) -> Result<Vec<ModelOp>, Error> {
    if tx.get(table, id)?.is_none() {
        return Ok(Vec::new());
    }
    if by_sql {
        tx.execute(&format!("DELETE FROM {table} WHERE id = ?1"), &[id.into()])?;
    } else {
        tx.delete(table, id)?;
    }
    Ok(vec![op(table, id, Meaning::Delete)])
}

fn upsert(
    tx: &mut Tx<'_>,
    table: &'static str,
    id: &'static str,
    fields: &[(&'static str, i64)],
) -> Result<ModelOp, Error> {
    let known = tx.get(table, id)?.is_some();
    tx.upsert(table, id, fields.iter().map(|(name, value)| (*name, app::value(name, *value))))?;
    let fields: Registers = fields.iter().copied().collect();
    Ok(op(table, id, if known { Meaning::Set(fields) } else { Meaning::Create(fields) }))
}

fn failing(tx: &mut Tx<'_>, table: &'static str, id: &str, value: i64, whole: bool) -> Result<Vec<ModelOp>, Error> {
    let statement =
        format!("UPDATE {table} SET a = CASE WHEN id = (SELECT max(id) FROM {table}) THEN NULL ELSE a + 1000001 END");
    let failed = tx.execute(&statement, &[]);
    let ops = set(tx, table, id, "b", value, false)?;
    if whole {
        failed?;
        // With no rows the statement does not fail, so something else must.
        tx.update(table, "no-such-row", [("a", Value::Int(1))])?;
    }
    Ok(ops)
}
