//! The checks every schema passes, wherever it came from.

use std::collections::{BTreeMap, BTreeSet};

use super::builder::typed_default;
use super::error::{INVALID, INVALID_NAME, INVALID_POLICY, Place, SchemaError, TOO_LARGE, UNSUPPORTED};
use super::model::{CreatePolicy, DeletePolicy, Field, Kind, Policy, RowMerge, Schema, Table};
use crate::limits::{FIELDS_MAX, INDEXES_MAX, NAME_BYTES_MAX, TABLES_MAX};
use crate::value::Value;

/// Names that mean something to every table of the database.
const RESERVED: [&str; 3] = ["id", "rowid", "oid"];

/// A table that declares nothing yet.
pub(super) fn empty_table(name: &str, place: Place) -> Table {
    Table {
        name: name.to_owned(),
        fields: Vec::new(),
        indexes: Vec::new(),
        delete: DeletePolicy::default(),
        create: CreatePolicy::default(),
        merge: RowMerge::default(),
        local_only: false,
        place,
    }
}

/// A field that declares nothing but its type yet.
pub(super) fn empty_field(name: &str, kind: Kind, place: Place) -> Field {
    Field { name: name.to_owned(), kind, nullable: false, default: None, merge: Policy::Lww, references: None, place }
}

/// Checks everything a schema says and puts it together.
pub(super) fn finish(name: String, version: u32, tables: Vec<Table>) -> Result<Schema, SchemaError> {
    if version == 0 {
        return Err(SchemaError::new(INVALID, Place::default(), "`version` starts at 1 and rises with every change"));
    }
    if name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        let message = format!("the schema's `name` is at most {NAME_BYTES_MAX} bytes of plain text");
        return Err(SchemaError::new(INVALID_NAME, Place::default(), message));
    }
    if tables.len() > TABLES_MAX {
        let message = format!("{} tables, but a schema has at most {TABLES_MAX}", tables.len());
        return Err(SchemaError::new(TOO_LARGE, Place::default(), message));
    }
    let mut taken = BTreeSet::new();
    for table in &tables {
        check_name("table", &table.name, table.place)?;
        take(&mut taken, &table.name, table.place)?;
    }
    for index in tables.iter().flat_map(|table| &table.indexes) {
        check_name("index", &index.name, index.place)?;
        take(&mut taken, &index.name, index.place)?;
    }
    let mut schema = Schema { name, version, tables: BTreeMap::new() };
    let local: BTreeMap<String, bool> = tables.iter().map(|table| (table.name.clone(), table.local_only)).collect();
    for mut table in tables {
        check_fields(&mut table)?;
        check_indexes(&table)?;
        check_references(&table, &local)?;
        schema.tables.insert(table.name.clone(), table);
    }
    Ok(schema)
}

/// Refuses policies that are not built yet.
pub(super) fn supported(schema: &Schema) -> Result<(), SchemaError> {
    for table in schema.tables.values().filter(|table| !table.local_only) {
        if table.delete == DeletePolicy::Manual {
            let message = format!(
                "table `{}`: delete policy `manual` is not built yet; use `delete_wins` or `edit_wins`",
                table.name
            );
            return Err(SchemaError::new(UNSUPPORTED, table.place, message));
        }
        for field in &table.fields {
            if !field.merge.is_built() {
                let message = format!(
                    "field `{}.{}`: merge policy `{}` is not built yet; use lww, server, client, max, min or counter",
                    table.name,
                    field.name,
                    field.merge.as_str()
                );
                return Err(SchemaError::new(UNSUPPORTED, field.place, message));
            }
        }
    }
    Ok(())
}

impl Policy {
    /// Whether this version of Turnstone merges by it.
    #[must_use]
    pub const fn is_built(self) -> bool {
        matches!(self, Self::Lww | Self::Server | Self::Client | Self::Max | Self::Min | Self::Counter)
    }

    /// Whether it can decide fields of that type.
    #[must_use]
    pub const fn fits(self, kind: Kind) -> bool {
        match self {
            Self::Lww | Self::Server | Self::Client | Self::Manual | Self::Fork => true,
            Self::Max | Self::Min => matches!(kind, Kind::Integer | Kind::Real | Kind::Timestamp | Kind::Text),
            Self::Counter => matches!(kind, Kind::Integer),
            Self::Text | Self::TextCrdt => matches!(kind, Kind::Text),
            Self::Set | Self::Json => matches!(kind, Kind::Json),
        }
    }
}

/// Whether a name may stand for a table, field or index: `[a-z][a-z0-9_]*`, at most 63 bytes.
pub(crate) fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= NAME_BYTES_MAX
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn check_name(what: &str, name: &str, place: Place) -> Result<(), SchemaError> {
    if !is_name(name) {
        let message = format!(
            "{what} name `{}`: use a lower-case letter, then lower-case letters, digits and `_`, at most {NAME_BYTES_MAX} bytes",
            name.chars().take(NAME_BYTES_MAX).filter(|c| !c.is_control()).collect::<String>()
        );
        return Err(SchemaError::new(INVALID_NAME, place, message));
    }
    if RESERVED.contains(&name) || name.starts_with("sqlite_") {
        let message = format!("{what} name `{name}` belongs to the database; choose another");
        return Err(SchemaError::new(INVALID_NAME, place, message));
    }
    Ok(())
}

fn take<'a>(taken: &mut BTreeSet<&'a str>, name: &'a str, place: Place) -> Result<(), SchemaError> {
    if taken.insert(name) {
        return Ok(());
    }
    let message = format!("`{name}` names two things: tables and indexes share one set of names, so rename one");
    Err(SchemaError::new(INVALID_NAME, place, message))
}

fn check_fields(table: &mut Table) -> Result<(), SchemaError> {
    if table.fields.len() > FIELDS_MAX {
        let message = format!("table `{}` has {} fields, but at most {FIELDS_MAX} fit", table.name, table.fields.len());
        return Err(SchemaError::new(TOO_LARGE, table.place, message));
    }
    let mut taken = BTreeSet::new();
    for field in &mut table.fields {
        check_name("field", &field.name, field.place)?;
        if !taken.insert(field.name.clone()) {
            let message = format!("table `{}` declares field `{}` twice", table.name, field.name);
            return Err(SchemaError::new(INVALID_NAME, field.place, message));
        }
        if let Some(value) = field.default.take() {
            field.default = typed_default(field, value)?;
        }
        check_policy(&table.name, table.merge, field)?;
    }
    Ok(())
}

fn check_policy(table: &str, merge: RowMerge, field: &Field) -> Result<(), SchemaError> {
    let policy = field.merge.as_str();
    let refuse = |why: String| {
        Err(SchemaError::new(INVALID_POLICY, field.place, format!("field `{table}.{}`: {why}", field.name)))
    };
    if merge == RowMerge::Lww && field.merge != Policy::Lww {
        return refuse(format!(
            "its table merges whole rows (`merge = \"lww\"`), so a field cannot merge by `{policy}`; leave out one of the two"
        ));
    }
    if !field.merge.fits(field.kind) {
        return refuse(format!("merge policy `{policy}` does not work on type {}", field.kind.as_str()));
    }
    if field.merge == Policy::Counter && (field.nullable || !matches!(field.default, Some(Value::Int(_)))) {
        return refuse("a counter is not nullable and has an integer default, such as `default = 0`".to_owned());
    }
    Ok(())
}

fn check_indexes(table: &Table) -> Result<(), SchemaError> {
    if table.indexes.len() > INDEXES_MAX {
        let message =
            format!("table `{}` has {} indexes, but at most {INDEXES_MAX} fit", table.name, table.indexes.len());
        return Err(SchemaError::new(TOO_LARGE, table.place, message));
    }
    for index in &table.indexes {
        let mut taken = BTreeSet::new();
        for name in &index.fields {
            if name != "id" && table.field(name).is_none() {
                let message =
                    format!("index `{}` names `{name}`, which is not a field of table `{}`", index.name, table.name);
                return Err(SchemaError::new(INVALID, index.place, message));
            }
            if !taken.insert(name) {
                let message = format!("index `{}` names field `{name}` twice", index.name);
                return Err(SchemaError::new(INVALID, index.place, message));
            }
        }
        if index.fields.is_empty() {
            let message = format!("index `{}` names no field", index.name);
            return Err(SchemaError::new(INVALID, index.place, message));
        }
    }
    Ok(())
}

fn check_references(table: &Table, local: &BTreeMap<String, bool>) -> Result<(), SchemaError> {
    for field in &table.fields {
        let Some(target) = &field.references else { continue };
        let refuse = |why: &str| {
            let message = format!("field `{}.{}` references `{target}`: {why}", table.name, field.name);
            Err(SchemaError::new(INVALID, field.place, message))
        };
        if field.kind != Kind::Text {
            return refuse("only a text field holds the id of a row");
        }
        match local.get(target) {
            None => return refuse("there is no such table"),
            Some(true) if !table.local_only => return refuse("a synced table cannot point at a local one"),
            Some(_) => {}
        }
    }
    Ok(())
}
