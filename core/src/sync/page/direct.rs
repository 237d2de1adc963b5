//! Rows without pending ops, straight from the page into their table: what a first sync is made of.

use std::collections::HashMap;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, ToSql};
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::schema::{Field, Kind, Table};
use turnstone_protocol::value::Value;
use turnstone_protocol::wire::Row;

use crate::error::Error;
use crate::storage::SystemTx;
use crate::sync::rows::to_text;

/// What the direct way needs to know, once per page.
pub(super) struct Direct {
    /// Whether any base is copied.
    pub(super) has_copies: bool,
    has_absent: bool,
    texts: HashMap<String, Texts>,
}

struct Texts {
    put: String,
    drop: String,
    defaults: Vec<Value>,
}

impl Direct {
    pub(super) fn begin(sys: &SystemTx<'_>) -> Result<Self, Error> {
        let any = |text: &str| -> Result<bool, Error> {
            Ok(sys.conn().prepare_cached(text)?.query_row([], |row| row.get(0))?)
        };
        Ok(Self {
            has_copies: any("SELECT EXISTS (SELECT 1 FROM _ts_base)")?,
            has_absent: any("SELECT EXISTS (SELECT 1 FROM _ts_absent)")?,
            texts: HashMap::new(),
        })
    }

    /// Writes the row of a page if nothing of it is pending. False: nothing was changed, the plan must decide.
    pub(super) fn write(&mut self, sys: &mut SystemTx<'_>, table: &Table, n: u64, row: &Row) -> Result<bool, Error> {
        if self.has_absent {
            let mut absent = sys.conn().prepare_cached("SELECT 1 FROM _ts_absent WHERE tbl = ?1 AND row_id = ?2")?;
            if absent.exists([&table.name, &row.id])? {
                return Ok(false);
            }
        }
        if !self.texts.contains_key(&table.name) {
            self.texts.insert(table.name.clone(), Texts::new(table));
        }
        let Some(texts) = self.texts.get(&table.name) else { return Ok(false) };
        let changed = if row.gone.is_some() {
            sys.conn().prepare_cached(&texts.drop)?.execute((row.id.as_str(), n.cast_signed()))?
        } else {
            let statement = sys.conn().prepare_cached(&texts.put)?;
            match put(statement, table, &texts.defaults, n, row)? {
                Some(changed) => changed,
                None => return Ok(false),
            }
        };
        if changed == 1 {
            sys.touched(&table.name, &row.id);
        }
        Ok(changed == 1)
    }
}

/// Binds and runs the upsert. None: a value does not fit its field here, which is for the plan to keep.
fn put(
    mut statement: CachedStatement<'_>,
    table: &Table,
    defaults: &[Value],
    n: u64,
    row: &Row,
) -> Result<Option<usize>, Error> {
    statement.raw_bind_parameter(1, row.id.as_str())?;
    let mut known = 0;
    let mut at = 2;
    for (field, default) in table.fields.iter().zip(defaults) {
        match row.fields.get(&field.name) {
            None => statement.raw_bind_parameter(at, Bound(default))?,
            Some(value) => {
                known += 1;
                if fits(field, value) {
                    statement.raw_bind_parameter(at, Bound(value))?;
                } else {
                    match field.admit_within(value.clone(), usize::MAX) {
                        Ok(value) => statement.raw_bind_parameter(at, Bound(&value))?,
                        Err(_) => return Ok(None),
                    }
                }
            }
        }
        at += 1;
    }
    let extra = if known == row.fields.len() { None } else { Some(extra_text(table, row)?) };
    statement.raw_bind_parameter(at, extra)?;
    statement.raw_bind_parameter(at + 1, n.cast_signed())?;
    Ok(Some(statement.raw_execute()?))
}

/// Whether a value read from the wire is in the field's own form already.
const fn fits(field: &Field, value: &Value) -> bool {
    matches!(
        (field.kind, value),
        (Kind::Text, Value::Text(_))
            | (Kind::Integer | Kind::Timestamp, Value::Int(_))
            | (Kind::Real, Value::Real(_))
            | (Kind::Boolean, Value::Bool(_))
    ) || (field.nullable && matches!(value, Value::Null))
}

fn extra_text(table: &Table, row: &Row) -> Result<String, Error> {
    let extra = row.fields.iter().filter(|(name, _)| table.field(name).is_none());
    to_text(&extra.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// A field value as SQLite stores it.
struct Bound<'v>(&'v Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Bool(bool) => ValueRef::Integer(i64::from(*bool)),
            Value::Int(int) => ValueRef::Integer(*int),
            Value::Real(real) => ValueRef::Real(*real),
            Value::Text(text) | Value::Json(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Texts {
    fn new(table: &Table) -> Self {
        let columns: Vec<String> = table.fields.iter().map(|field| format!("\"{}\"", field.name)).collect();
        let holes: Vec<String> = (2..table.fields.len() + 4).map(|at| format!("?{at}")).collect();
        let sets: Vec<String> = columns.iter().map(|column| format!("{column} = excluded.{column}")).collect();
        let name = &table.name;
        let put = format!(
            "INSERT INTO \"{name}\" (id, {columns}{comma}_extra, _v) VALUES (?1, {holes}) ON CONFLICT (id) DO UPDATE SET \
             {sets}{comma}_extra = excluded._extra, _v = excluded._v WHERE _p IS NULL AND _v < excluded._v",
            columns = columns.join(", "),
            comma = if columns.is_empty() { "" } else { ", " },
            holes = holes.join(", "),
            sets = sets.join(", "),
        );
        let put = if plant::on(Bug::PullOverwritesPending) { put.replace("_p IS NULL AND", "") } else { put };
        let drop = format!("DELETE FROM \"{name}\" WHERE id = ?1 AND _p IS NULL AND _v < ?2");
        Self { put, drop, defaults: table.fields.iter().map(Field::default_value).collect() }
    }
}
