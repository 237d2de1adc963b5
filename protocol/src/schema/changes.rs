//! What an update of the schema adds. Schemas only grow: old rows, pending ops and old app
//! versions stay good, because a name never changes its meaning.

use super::error::{CHANGE_REFUSED, DOWNGRADE, Place, SchemaError};
use super::model::{Field, Index, Schema, Table};

/// One step from an older schema to a newer one, in the order to take them.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A new table, with its fields and indexes.
    AddTable(Table),
    /// A new field of an existing table; it is nullable or has a default.
    AddField {
        /// The table.
        table: String,
        /// The field.
        field: Field,
    },
    /// An index that is gone, or comes back under its name with other fields.
    DropIndex {
        /// The table.
        table: String,
        /// The index.
        name: String,
    },
    /// A new index of an existing table.
    AddIndex {
        /// The table.
        table: String,
        /// The index.
        index: Index,
    },
}

/// Names what `new` adds to `old`.
///
/// # Errors
/// [`SchemaError`] with code `schema_change_refused` for anything that is not an addition, and
/// `schema_downgrade` where `new` is the older one.
pub fn changes(old: &Schema, new: &Schema) -> Result<Vec<Change>, SchemaError> {
    if new.version < old.version {
        let message = format!(
            "the data was written with schema version {}, this app has version {}: install the newer app; the data is untouched",
            old.version, new.version
        );
        return Err(SchemaError::new(DOWNGRADE, Place::default(), message));
    }
    if let Some(name) = old.tables.keys().find(|name| !new.tables.contains_key(*name)) {
        return refuse(
            Place::default(),
            &format!("table `{name}` is missing: put it back, even if the app no longer uses it"),
        );
    }
    let mut steps = Vec::new();
    for table in new.tables.values() {
        match old.table(&table.name) {
            None => steps.push(Change::AddTable(table.clone())),
            Some(before) => table_changes(&mut steps, before, table)?,
        }
    }
    if !steps.is_empty() && new.version == old.version {
        let message = format!(
            "the schema changed but its version is still {}: write `version = {}`",
            new.version,
            new.version.saturating_add(1)
        );
        return refuse(Place::default(), &message);
    }
    // An index may move to another table under its name, so everything is dropped first.
    steps.sort_by_key(|step| !matches!(step, Change::DropIndex { .. }));
    Ok(steps)
}

fn refuse<T>(place: Place, message: &str) -> Result<T, SchemaError> {
    Err(SchemaError::new(CHANGE_REFUSED, place, message))
}

fn table_changes(steps: &mut Vec<Change>, old: &Table, new: &Table) -> Result<(), SchemaError> {
    let name = &new.name;
    if (old.delete, old.create, old.merge, old.local_only) != (new.delete, new.create, new.merge, new.local_only) {
        return refuse(
            new.place,
            &format!(
                "table `{name}` changed `delete`, `create`, `merge` or `local_only`: these never change; make a new table"
            ),
        );
    }
    if let Some(gone) = old.fields.iter().find(|field| new.field(&field.name).is_none()) {
        let message =
            format!("field `{name}.{}` is missing: put it back, even if the app no longer uses it", gone.name);
        return refuse(new.place, &message);
    }
    for field in &new.fields {
        match old.field(&field.name) {
            None if field.is_required() => {
                return refuse(
                    field.place,
                    &format!(
                        "new field `{name}.{}` needs `default` or `nullable = true`: older rows and apps do not have it",
                        field.name
                    ),
                );
            }
            None => steps.push(Change::AddField { table: name.clone(), field: field.clone() }),
            Some(before) if before != field => {
                return refuse(
                    field.place,
                    &format!(
                        "field `{name}.{}` changed its type, default, policy, nullability or reference: these never change; make a new field",
                        field.name
                    ),
                );
            }
            Some(_) => {}
        }
    }
    index_changes(steps, old, new);
    Ok(())
}

fn index_changes(steps: &mut Vec<Change>, old: &Table, new: &Table) {
    let name = &new.name;
    for index in &old.indexes {
        if !new.indexes.contains(index) {
            steps.push(Change::DropIndex { table: name.clone(), name: index.name.clone() });
        }
    }
    for index in &new.indexes {
        if !old.indexes.contains(index) {
            steps.push(Change::AddIndex { table: name.clone(), index: index.clone() });
        }
    }
}
