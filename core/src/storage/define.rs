//! The app's tables: made from the schema, grown with it, checked against it.

use rusqlite::Connection;
use turnstone_protocol::schema::{Change, Field, Index, Kind, Schema, Table, changes};

use super::capture::{GUARD, TRIGGER_PREFIX};
use super::learn;
use super::meta::{self, Key};
use super::value::{literal, quoted};
use crate::error::Error;

/// Brings the tables to the schema, in one transaction with what is remembered of it. Rows and pending ops stay.
///
/// # Errors
/// [`Error::SchemaContradicts`] for anything that is not an addition, or where the tables are not what the schema
/// that made them says; nothing was changed.
pub(crate) fn apply(conn: &mut Connection, schema: &Schema) -> Result<(), Error> {
    let text = schema.to_canonical_json();
    let stored: Option<String> = meta::read(conn, Key::Schema)?;
    let cookie: i64 = conn.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
    if stored.as_deref() == Some(&text) {
        if meta::read(conn, Key::SchemaCookie)? == Some(cookie) {
            return Ok(());
        }
        verify(conn, schema)?;
        return meta::write(conn, Key::SchemaCookie, Some(cookie));
    }
    let before = match &stored {
        Some(stored) => Schema::from_canonical_json(stored).map_err(|_| Error::Corrupt)?,
        None => Schema { name: schema.name.clone(), version: 0, tables: std::collections::BTreeMap::new() },
    };
    let steps = changes(&before, schema).map_err(|error| Error::SchemaContradicts { reason: error.to_string() })?;
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for step in &steps {
        take(&tx, schema, step)?;
    }
    verify(&tx, schema)?;
    meta::write(&tx, Key::Schema, Some(text))?;
    meta::write(&tx, Key::SchemaVersion, Some(schema.version))?;
    let cookie: i64 = tx.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
    meta::write(&tx, Key::SchemaCookie, Some(cookie))?;
    tx.commit()?;
    Ok(())
}

fn take(conn: &Connection, schema: &Schema, step: &Change) -> Result<(), Error> {
    match step {
        Change::AddTable(table) => {
            conn.execute_batch(&table_sql(table))?;
            for index in &table.indexes {
                conn.execute_batch(&index_sql(&table.name, index))?;
            }
            if table.local_only { Ok(()) } else { learn::table(conn, table) }
        }
        Change::AddField { table, field } => {
            let def = schema.table(table).ok_or(Error::Internal { what: "a new field without a table" })?;
            let check =
                if def.local_only { String::new() } else { format!(" CHECK ({GUARD}() OR {})", quoted(&field.name)) };
            conn.execute_batch(&format!("ALTER TABLE {} ADD COLUMN {}{check}", quoted(table), column_sql(field)))?;
            if def.local_only { Ok(()) } else { learn::field(conn, def, field) }
        }
        Change::DropIndex { name, .. } => Ok(conn.execute_batch(&format!("DROP INDEX IF EXISTS {}", quoted(name)))?),
        Change::AddIndex { table, index } => Ok(conn.execute_batch(&index_sql(table, index))?),
    }
}

/// The statements that make a table. Hidden columns stand first: reading them never walks a large value.
///
/// The CHECK is always true here. It names a function that only Turnstone's connections have, and every column, so
/// a foreign connection that inserts or updates is told so; the trigger does the same for DELETE (rule 23).
fn table_sql(table: &Table) -> String {
    let name = quoted(&table.name);
    let mut columns = vec!["id TEXT NOT NULL PRIMARY KEY".to_owned()];
    if !table.local_only {
        columns.extend(["_v INTEGER NOT NULL DEFAULT 0", "_p INTEGER", "_extra TEXT"].map(str::to_owned));
    }
    columns.extend(table.fields.iter().map(column_sql));
    if table.local_only {
        return format!("CREATE TABLE {name} ({}) STRICT;", columns.join(", "));
    }
    let fields: String = table.fields.iter().map(|field| format!(" OR {}", quoted(&field.name))).collect();
    columns.push(format!("CHECK ({GUARD}() OR id OR _v OR _p OR _extra{fields})"));
    let trigger = quoted(&format!("{TRIGGER_PREFIX}guard_{}", table.name));
    format!(
        "CREATE TABLE {name} ({}) STRICT;
         CREATE TRIGGER {trigger} BEFORE DELETE ON {name} WHEN NOT {GUARD}()
         BEGIN SELECT RAISE(ABORT, 'write this table through Turnstone'); END;",
        columns.join(", ")
    )
}

fn column_sql(field: &Field) -> String {
    let mut sql = format!("{} {}", quoted(&field.name), storage_class(field.kind));
    if !field.nullable {
        sql.push_str(" NOT NULL");
    }
    if !field.is_required() {
        let default = field.default_value();
        if !default.is_null() {
            sql.push_str(&format!(" DEFAULT {}", literal(&default)));
        }
    }
    sql
}

fn index_sql(table: &str, index: &Index) -> String {
    let fields: Vec<String> = index.fields.iter().map(|field| quoted(field)).collect();
    format!("CREATE INDEX {} ON {} ({});", quoted(&index.name), quoted(table), fields.join(", "))
}

const fn storage_class(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Json => "TEXT",
        Kind::Integer | Kind::Timestamp | Kind::Boolean => "INTEGER",
        Kind::Real => "REAL",
        Kind::Bytes => "BLOB",
    }
}

/// Checks that every table is what the schema says.
fn verify(conn: &Connection, schema: &Schema) -> Result<(), Error> {
    schema.tables.values().try_for_each(|table| verify_table(conn, table))
}

fn verify_table(conn: &Connection, table: &Table) -> Result<(), Error> {
    let contradicts = |what: String| Error::SchemaContradicts { reason: format!("table `{}`: {what}", table.name) };
    let mut expected: Vec<(String, &str, bool)> = vec![("id".to_owned(), "TEXT", true)];
    if !table.local_only {
        expected.push(("_v".to_owned(), "INTEGER", true));
        expected.push(("_p".to_owned(), "INTEGER", false));
        expected.push(("_extra".to_owned(), "TEXT", false));
    }
    expected.extend(table.fields.iter().map(|field| (field.name.clone(), storage_class(field.kind), !field.nullable)));
    let mut found = conn.prepare("SELECT name, type, \"notnull\" FROM pragma_table_xinfo(?1)")?;
    let found: Vec<(String, String, bool)> =
        found.query_map([&table.name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<_, _>>()?;
    if found.is_empty() {
        return Err(contradicts("it is not in the database".to_owned()));
    }
    for (name, kind, required) in &expected {
        match found.iter().find(|column| column.0 == *name) {
            None => return Err(contradicts(format!("the column `{name}` is missing"))),
            Some(column) if column.1 != *kind || column.2 != *required => {
                return Err(contradicts(format!("the column `{name}` was declared otherwise")));
            }
            Some(_) => {}
        }
    }
    match found.iter().find(|column| expected.iter().all(|known| known.0 != column.0)) {
        Some(stranger) => Err(contradicts(format!("the column `{}` is not in the schema", stranger.0))),
        None => Ok(()),
    }
}
