//! What an older app kept for later becomes rows and columns once the app knows it (E17).

use rusqlite::{Connection, params};
use turnstone_protocol::schema::{Field, Table};
use turnstone_protocol::{Fields, canonical};

use super::log::read_image;
use super::tables::TableSql;
use super::value::{Bound, quoted};
use crate::error::Error;

/// Moves the values of a new field from `_extra` into its column. A value that does not fit stays where it is.
pub(crate) fn field(conn: &Connection, table: &Table, field: &Field) -> Result<(), Error> {
    let name = quoted(&table.name);
    let mut found = conn.prepare(&format!("SELECT rowid, _extra FROM {name} WHERE _extra IS NOT NULL"))?;
    let kept: Vec<(i64, String)> =
        found.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut write =
        conn.prepare(&format!("UPDATE {name} SET _extra = ?2, {} = ?3 WHERE rowid = ?1", quoted(&field.name)))?;
    for (rowid, text) in kept {
        let mut extra: Fields = serde_json::from_str(&text).map_err(|_| Error::Corrupt)?;
        let Some(value) = extra.remove(&field.name) else { continue };
        let Ok(value) = field.admit_within(value, usize::MAX) else { continue };
        let rest = (!extra.is_empty()).then(|| canonical::fields(&extra));
        write.execute(params![rowid, rest, Bound(&value)])?;
    }
    Ok(())
}

/// Moves the rows of a new table out of `_ts_unknown`.
pub(crate) fn table(conn: &Connection, table: &Table) -> Result<(), Error> {
    let mut found = conn.prepare("SELECT row_id, v, image FROM _ts_unknown WHERE tbl = ?1")?;
    let kept: Vec<(String, i64, String)> =
        found.query_map([&table.name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<_, _>>()?;
    if kept.is_empty() {
        return Ok(());
    }
    let sql = TableSql::new(0, table);
    let mut insert = conn.prepare(&sql.insert)?;
    for (id, v, image) in kept {
        let (fields, extra): (Fields, Fields) =
            read_image(table, &image)?.into_iter().partition(|(name, _)| table.field(name).is_some());
        insert.raw_bind_parameter(1, &id)?;
        insert.raw_bind_parameter(2, v)?;
        insert.raw_bind_parameter(3, None::<i64>)?;
        insert.raw_bind_parameter(4, (!extra.is_empty()).then(|| canonical::fields(&extra)))?;
        for (at, (field, default)) in table.fields.iter().zip(&sql.defaults).enumerate() {
            insert.raw_bind_parameter(at + 5, Bound(fields.get(&field.name).unwrap_or(default)))?;
        }
        insert.raw_execute()?;
    }
    conn.execute("DELETE FROM _ts_unknown WHERE tbl = ?1", [&table.name])?;
    Ok(())
}
