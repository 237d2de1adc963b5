//! A schema written in Rust. It means what the TOML document means.

use super::check;
use super::error::{INVALID, Place, SchemaError};
use super::model::{CreatePolicy, DeletePolicy, Field, Index, Kind, Policy, RowMerge, Schema, Table};
use crate::value::Value;

/// A schema being written; see [`Schema::builder`].
#[derive(Debug, Clone)]
pub struct SchemaBuilder {
    name: String,
    version: u32,
    tables: Vec<Table>,
}

impl SchemaBuilder {
    pub(super) fn new(version: u32) -> Self {
        Self { name: String::new(), version, tables: Vec::new() }
    }

    /// Sets the name for people.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Adds a table.
    #[must_use]
    pub fn table(mut self, name: &str, declare: impl FnOnce(TableBuilder) -> TableBuilder) -> Self {
        self.tables.push(declare(TableBuilder(check::empty_table(name, Place::default()))).0);
        self
    }

    /// Checks the schema and hands it over.
    ///
    /// # Errors
    /// [`SchemaError`] as for a document, without line and column.
    pub fn build(self) -> Result<Schema, SchemaError> {
        check::finish(self.name, self.version, self.tables)
    }
}

/// A table being written.
#[derive(Debug, Clone)]
pub struct TableBuilder(Table);

impl TableBuilder {
    /// Adds a text field.
    #[must_use]
    pub fn text(self, name: &str) -> FieldBuilder {
        self.field(name, Kind::Text)
    }

    /// Adds a 64-bit integer field.
    #[must_use]
    pub fn integer(self, name: &str) -> FieldBuilder {
        self.field(name, Kind::Integer)
    }

    /// Adds a double field.
    #[must_use]
    pub fn real(self, name: &str) -> FieldBuilder {
        self.field(name, Kind::Real)
    }

    /// Adds a boolean field.
    #[must_use]
    pub fn boolean(self, name: &str) -> FieldBuilder {
        self.field(name, Kind::Boolean)
    }

    /// Adds a field of raw bytes.
    #[must_use]
    pub fn bytes(self, name: &str) -> FieldBuilder {
        self.field(name, Kind::Bytes)
    }

    /// Adds a field of milliseconds since 1970.
    #[must_use]
    pub fn timestamp(self, name: &str) -> FieldBuilder {
        self.field(name, Kind::Timestamp)
    }

    /// Adds a json field. Its default, where given as text, is JSON text.
    #[must_use]
    pub fn json(self, name: &str) -> FieldBuilder {
        self.field(name, Kind::Json)
    }

    /// Adds a field of any type.
    #[must_use]
    pub fn field(self, name: &str, kind: Kind) -> FieldBuilder {
        FieldBuilder { table: self, field: check::empty_field(name, kind, Place::default()) }
    }

    /// Says who wins when a delete and an edit did not see each other.
    #[must_use]
    pub const fn delete(mut self, policy: DeletePolicy) -> Self {
        self.0.delete = policy;
        self
    }

    /// Says what a create on a live row does.
    #[must_use]
    pub const fn create(mut self, policy: CreatePolicy) -> Self {
        self.0.create = policy;
        self
    }

    /// Says whether fields or whole rows compete.
    #[must_use]
    pub const fn merge(mut self, merge: RowMerge) -> Self {
        self.0.merge = merge;
        self
    }

    /// Keeps the table on the device.
    #[must_use]
    pub const fn local_only(mut self) -> Self {
        self.0.local_only = true;
        self
    }

    /// Adds an index.
    #[must_use]
    pub fn index(mut self, name: &str, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        self.0.indexes.push(Index { name: name.to_owned(), fields, place: Place::default() });
        self
    }
}

/// A field being written; [`FieldBuilder::end`] goes back to its table.
#[derive(Debug, Clone)]
pub struct FieldBuilder {
    table: TableBuilder,
    field: Field,
}

impl FieldBuilder {
    /// Lets the field be null, which is then its default unless another is given.
    #[must_use]
    pub const fn nullable(mut self) -> Self {
        self.field.nullable = true;
        self
    }

    /// Sets the value where none was written.
    #[must_use]
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.field.default = Some(value.into());
        self
    }

    /// Says how overlapping changes are decided.
    #[must_use]
    pub const fn merge(mut self, policy: Policy) -> Self {
        self.field.merge = policy;
        self
    }

    /// Says that the field holds the id of a row of that table.
    #[must_use]
    pub fn references(mut self, table: &str) -> Self {
        self.field.references = Some(table.to_owned());
        self
    }

    /// Ends the field.
    #[must_use]
    pub fn end(mut self) -> TableBuilder {
        self.table.0.fields.push(self.field);
        self.table
    }
}

/// Gives a declared default its field's type. A json default is JSON text.
pub(super) fn typed_default(field: &Field, value: Value) -> Result<Option<Value>, SchemaError> {
    let value = match (field.kind, value) {
        (Kind::Json, Value::Text(text)) => Value::Json(text),
        (_, value) => value,
    };
    match field.admit(value) {
        // Null is the default of a nullable field anyway: there is one way to say it.
        Ok(Value::Null) => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            let message = format!(
                "the default of field `{}` does not fit type {} ({}): write one that does, or leave `default` out",
                field.name,
                field.kind.as_str(),
                error.reason
            );
            Err(SchemaError::new(INVALID, field.place, message))
        }
    }
}
