//! Tables, fields and policies.

use std::collections::BTreeMap;

use super::builder::SchemaBuilder;
use super::error::{Place, SchemaError};
use crate::value::{Fields, Value};

/// Tables, fields and policies of an app.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// A name for people.
    pub name: String,
    /// Rises with every change.
    pub version: u32,
    /// The tables by name.
    pub tables: BTreeMap<String, Table>,
}

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its fields, in declared order, without `id`.
    pub fields: Vec<Field>,
    /// Its indexes.
    pub indexes: Vec<Index>,
    /// Who wins when a delete and an edit did not see each other.
    pub delete: DeletePolicy,
    /// What a create on a live row does.
    pub create: CreatePolicy,
    /// Whether fields or whole rows compete.
    pub merge: RowMerge,
    /// Whether the table never leaves the device.
    pub local_only: bool,
    /// Where its document declares it.
    pub place: Place,
}

/// A field.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// Whether it may be null.
    pub nullable: bool,
    /// Its value where none was written. A nullable field's default is null unless declared.
    pub default: Option<Value>,
    /// How overlapping changes are decided.
    pub merge: Policy,
    /// The table whose row id this field holds.
    pub references: Option<String>,
    /// Where its document declares it.
    pub place: Place,
}

/// A field's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UTF-8 text without NUL.
    Text,
    /// 64-bit integer.
    Integer,
    /// Finite double.
    Real,
    /// `true` or `false`, stored as 1 or 0.
    Boolean,
    /// Raw bytes.
    Bytes,
    /// Milliseconds since 1970.
    Timestamp,
    /// A JSON value, stored as its canonical text.
    Json,
}

/// How overlapping changes of a field are decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Policy {
    /// The greater stamp wins.
    #[default]
    Lww,
    /// The value already on the server stays.
    Server,
    /// The value that arrives wins.
    Client,
    /// The greater value wins.
    Max,
    /// The smaller value wins.
    Min,
    /// Increments add up.
    Counter,
    /// Not built yet.
    Set,
    /// Not built yet.
    Text,
    /// Not built yet.
    TextCrdt,
    /// Not built yet.
    Json,
    /// Not built yet.
    Manual,
    /// Not built yet.
    Fork,
}

/// Who wins when a delete and an edit did not see each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DeletePolicy {
    /// The row goes; the edit is kept as a dead letter.
    #[default]
    DeleteWins,
    /// The row stays, or comes back with the edit.
    EditWins,
    /// Not built yet.
    Manual,
}

/// What a create on a live row that its writer had not seen does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CreatePolicy {
    /// Merges field by field.
    #[default]
    Merge,
    /// Refuses the group.
    Reject,
}

/// Whether fields or whole rows compete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RowMerge {
    /// Each field by its own policy.
    #[default]
    Field,
    /// The whole row by the greater stamp.
    Lww,
}

/// An index over fields of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its name, unique in the schema.
    pub name: String,
    /// The fields, in order.
    pub fields: Vec<String>,
    /// Where its document declares it.
    pub place: Place,
}

impl Schema {
    /// Starts a schema in Rust; the same checks follow as for a document.
    #[must_use]
    pub fn builder(version: u32) -> SchemaBuilder {
        SchemaBuilder::new(version)
    }

    /// Reads a TOML document.
    ///
    /// # Errors
    /// [`SchemaError`] with line and column.
    pub fn parse(toml: &str) -> Result<Self, SchemaError> {
        super::toml_read::read(toml)
    }

    /// The TOML document that says the same.
    #[must_use]
    pub fn to_toml(&self) -> String {
        super::toml_write::write(self)
    }

    /// The canonical JSON text, with every default spelled out and members sorted by name.
    #[must_use]
    pub fn to_canonical_json(&self) -> String {
        super::canonical::write(self)
    }

    /// Reads canonical JSON text. Fields come back sorted by name.
    ///
    /// # Errors
    /// [`SchemaError`] where the text is not a schema.
    pub fn from_canonical_json(json: &str) -> Result<Self, SchemaError> {
        super::canonical::read(json)
    }

    /// SHA-256 (hex) of the canonical JSON text: the order of declarations does not count.
    #[must_use]
    pub fn hash(&self) -> String {
        crate::hash::hex(&crate::hash::sha256(self.to_canonical_json().as_bytes()))
    }

    /// Refuses policies that have their name but are not built yet.
    ///
    /// # Errors
    /// [`SchemaError`] with code `schema_unsupported`, naming the first one.
    pub fn check_supported(&self) -> Result<(), SchemaError> {
        super::check::supported(self)
    }

    /// The table of that name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }
}

impl Table {
    /// The field of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Fields without those that equal their default: the form rows travel and are hashed in.
    /// Fields this schema does not know are kept.
    #[must_use]
    pub fn canonical_fields(&self, fields: &Fields) -> Fields {
        let differs = |(name, value): &(&String, &Value)| self.field(name).is_none_or(|field| !field.is_default(value));
        fields.iter().filter(differs).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The names of fields a create must give: not null and without a default.
    pub fn required(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(|field| field.is_required()).map(|field| field.name.as_str())
    }
}

impl Field {
    /// Whether a create must give it: not null and without a default.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        !self.nullable && self.default.is_none()
    }

    /// Whether a value of the field's type is its default.
    #[must_use]
    pub fn is_default(&self, value: &Value) -> bool {
        match (&self.default, value) {
            (Some(default), value) => default == value,
            (None, value) if self.nullable => value.is_null(),
            (None, value) => *value == self.kind.zero(),
        }
    }

    /// Its value where none was written: the declared default, else null if it may be null,
    /// else the empty value of its type (`""`, 0, 0.0, false, no bytes, json `null`).
    #[must_use]
    pub fn default_value(&self) -> Value {
        match &self.default {
            Some(value) => value.clone(),
            None if self.nullable => Value::Null,
            None => self.kind.zero(),
        }
    }
}

impl Kind {
    /// The empty value of the type.
    #[must_use]
    pub fn zero(self) -> Value {
        match self {
            Self::Text => Value::Text(String::new()),
            Self::Integer | Self::Timestamp => Value::Int(0),
            Self::Real => Value::Real(0.0),
            Self::Boolean => Value::Bool(false),
            Self::Bytes => Value::Bytes(Vec::new()),
            Self::Json => Value::Json("null".to_owned()),
        }
    }
}
