//! The hash of what the server confirmed, for comparing with the server's (I-27).

use rusqlite::OptionalExtension;
use turnstone_protocol::schema::Table;
use turnstone_protocol::{Fields, hash};

use super::rows::whole;
use crate::error::Error;
use crate::storage::{Key, Reader};

/// The state of the base layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateHash {
    /// The commit it stands for.
    pub(crate) at: u64,
    /// How many rows there are.
    pub(crate) rows: u64,
    /// SHA-256, in hex.
    pub(crate) hash: String,
}

/// Hashes the base of every row: never what is merely shown (rule 31). Tables that stay on the device do not count;
/// rows of tables the app does not know do.
pub(crate) fn state_hash(reader: &Reader<'_>) -> Result<StateHash, Error> {
    let mut state = hash::State::default();
    for table in reader.schema().tables.values().filter(|table| !table.local_only) {
        hash_table(reader, table, &mut state)?;
    }
    let mut found = reader.conn().prepare_cached("SELECT tbl, row_id, image FROM _ts_unknown")?;
    let mut rows = found.query([])?;
    while let Some(row) = rows.next()? {
        let text = |at: usize| row.get_ref(at).map_err(Error::from)?.as_str().map_err(|_| Error::Corrupt);
        let fields: Fields = serde_json::from_str(text(2)?).map_err(|_| Error::Corrupt)?;
        state.add(&hash::row(text(0)?, text(1)?, &fields));
    }
    let at: Option<i64> = reader
        .conn()
        .prepare_cached("SELECT value FROM _ts_meta WHERE key = ?1")?
        .query_row([Key::AppliedN.as_str()], |row| row.get(0))
        .optional()?;
    Ok(StateHash { at: at.unwrap_or(0).cast_unsigned(), rows: state.rows(), hash: state.finish() })
}

fn hash_table(reader: &Reader<'_>, table: &Table, state: &mut hash::State) -> Result<(), Error> {
    let mut add = |id: &str, fields: &Fields| state.add(&hash::row(&table.name, id, &table.canonical_fields(fields)));
    let mut pending: Vec<String> = Vec::new();
    reader.each_row(&table.name, |id, stored| {
        if stored.p.is_some() {
            pending.push(id.to_owned());
        } else if stored.extra.is_empty() {
            add(id, &stored.fields);
        } else {
            add(id, &whole(stored.fields, stored.extra));
        }
        Ok(())
    })?;
    let mut found = reader.conn().prepare_cached("SELECT row_id FROM _ts_absent WHERE tbl = ?1")?;
    for id in found.query_map([&table.name], |row| row.get::<_, String>(0))? {
        pending.push(id?);
    }
    for id in pending {
        if let Some(fields) = reader.base(&table.name, &id)?.fields {
            add(&id, &fields);
        }
    }
    Ok(())
}
