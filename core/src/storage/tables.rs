//! The schema as the SQL and the lookups that every write needs, made once at open.

use std::sync::Arc;

use turnstone_protocol::schema::{Policy, RowMerge, Schema, Table};
use turnstone_protocol::{Value, canonical};

use super::value::quoted;
use crate::error::Error;

/// Every table, sorted by name.
#[derive(Debug)]
pub(crate) struct Tables {
    list: Vec<TableSql>,
}

/// One table.
#[derive(Debug)]
pub(crate) struct TableSql {
    /// Its place in the list: how capture triggers name it.
    pub(crate) index: usize,
    /// What the schema declares.
    pub(crate) def: Table,
    /// Its name, quoted.
    pub(crate) quoted: String,
    /// The names of its fields, for [`crate::Row`].
    pub(crate) columns: Arc<[Box<str>]>,
    /// What each field is where nothing was written.
    pub(crate) defaults: Vec<Value>,
    /// The fields in canonical order, by place.
    pub(crate) sorted: Vec<usize>,
    /// `"name":` of each field, as JSON has it.
    pub(crate) keys: Vec<String>,
    /// Makes a row: id, `_v`, `_p`, `_extra` (synced tables only), then every field.
    pub(crate) insert: String,
    /// Writes a row whether it is there or not, same parameters. Synced tables only.
    pub(crate) put: String,
    /// Reads every field by id.
    pub(crate) get: String,
    /// Reads rowid, `_v`, `_p`, `_extra`, then every field by id. Synced tables only.
    pub(crate) stored: String,
    /// Removes a row by rowid (synced tables) or id.
    pub(crate) delete: String,
    /// Sets `_p` by rowid.
    pub(crate) link: String,
}

impl Tables {
    /// Prepares a schema.
    pub(crate) fn new(schema: &Schema) -> Self {
        let list = schema.tables.values().enumerate().map(|(index, table)| TableSql::new(index, table)).collect();
        Self { list }
    }

    /// The table of that name.
    pub(crate) fn find(&self, name: &str) -> Option<&TableSql> {
        let at = self.list.binary_search_by(|table| table.def.name.as_str().cmp(name)).ok()?;
        self.list.get(at)
    }

    /// The table of that name, or a typed error.
    pub(crate) fn get(&self, name: &str) -> Result<&TableSql, Error> {
        self.find(name).ok_or_else(|| Error::UnknownTable { table: name.to_owned() })
    }

    /// The table at that place.
    pub(crate) fn at(&self, index: usize) -> Result<&TableSql, Error> {
        self.list.get(index).ok_or(Error::Internal { what: "a capture trigger names no table" })
    }

    /// Every table.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &TableSql> {
        self.list.iter()
    }
}

impl TableSql {
    /// Prepares a table.
    pub(crate) fn new(index: usize, def: &Table) -> Self {
        let name = quoted(&def.name);
        let fields: Vec<String> = def.fields.iter().map(|field| quoted(&field.name)).collect();
        let list = if fields.is_empty() { "NULL".to_owned() } else { fields.join(", ") };
        let mut sorted: Vec<usize> = (0..def.fields.len()).collect();
        sorted.sort_by_key(|at| def.fields.get(*at).map(|field| field.name.as_str()));
        Self {
            index,
            columns: def.fields.iter().map(|field| field.name.as_str().into()).collect(),
            defaults: def.fields.iter().map(turnstone_protocol::schema::Field::default_value).collect(),
            keys: def.fields.iter().map(|field| key(&field.name)).collect(),
            sorted,
            put: put_sql(def, &name, &fields),
            insert: insert_sql(def, &name, &fields),
            get: format!("SELECT {list} FROM {name} WHERE id = ?1"),
            stored: format!("SELECT rowid, _v, _p, _extra, {list} FROM {name} WHERE id = ?1"),
            delete: format!("DELETE FROM {name} WHERE {} = ?1", if def.local_only { "id" } else { "rowid" }),
            link: format!("UPDATE {name} SET _p = ?2 WHERE rowid = ?1"),
            quoted: name,
            def: def.clone(),
        }
    }

    /// The place of a field, or a typed error.
    pub(crate) fn field(&self, name: &str) -> Result<usize, Error> {
        self.def
            .fields
            .iter()
            .position(|field| field.name == name)
            .ok_or_else(|| Error::UnknownField { table: self.def.name.clone(), field: name.to_owned() })
    }

    /// Whether a field travels as amounts.
    pub(crate) fn is_counter(&self, at: usize) -> bool {
        self.def.fields.get(at).is_some_and(|field| field.merge == Policy::Counter)
    }

    /// Whether whole rows compete, so that every op carries the whole row.
    pub(crate) fn is_whole(&self) -> bool {
        self.def.merge == RowMerge::Lww
    }

    /// Checks a value for a field and gives it the field's type.
    pub(crate) fn admit(&self, at: usize, value: Value, bytes_max: usize) -> Result<Value, Error> {
        let field = self.def.fields.get(at).ok_or(Error::Internal { what: "a field without a place" })?;
        field.admit_within(value, bytes_max).map_err(|error| Error::InvalidValue {
            table: self.def.name.clone(),
            field: field.name.clone(),
            code: error.code,
            reason: error.reason.to_owned(),
        })
    }
}

fn insert_sql(def: &Table, name: &str, fields: &[String]) -> String {
    let hidden: &[&str] = if def.local_only { &["id"] } else { &["id", "_v", "_p", "_extra"] };
    let columns: Vec<&str> = hidden.iter().copied().chain(fields.iter().map(String::as_str)).collect();
    let marks: Vec<String> = (1..=columns.len()).map(|n| format!("?{n}")).collect();
    format!("INSERT INTO {name} ({}) VALUES ({})", columns.join(", "), marks.join(", "))
}

fn put_sql(def: &Table, name: &str, fields: &[String]) -> String {
    let hidden = ["_v", "_p", "_extra"];
    let columns = hidden.iter().copied().chain(fields.iter().map(String::as_str));
    let set: Vec<String> = columns.map(|column| format!("{column} = excluded.{column}")).collect();
    format!("{} ON CONFLICT (id) DO UPDATE SET {}", insert_sql(def, name, fields), set.join(", "))
}

fn key(name: &str) -> String {
    let mut key = String::new();
    canonical::write_string(&mut key, name);
    key.push(':');
    key
}
