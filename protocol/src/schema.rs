//! The schema: declared once, read by client and server.

use std::collections::BTreeMap;

use crate::value::Value;

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
}
