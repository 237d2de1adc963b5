//! Reads a schema from its TOML document, refusing what it does not know with line and column.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check;
use super::error::{INVALID, MISSING_KEY, Place, SYNTAX, SchemaError, TOO_LARGE, UNKNOWN_KEY};
use super::model::{CreatePolicy, DeletePolicy, Field, Index, Kind, Policy, RowMerge, Schema, Table};
use crate::limits::{FIELDS_MAX, SCHEMA_BYTES_MAX, TABLES_MAX};
use crate::value::Value;

type Node<'a> = Spanned<DeValue<'a>>;

pub(super) fn read(text: &str) -> Result<Schema, SchemaError> {
    if text.len() > SCHEMA_BYTES_MAX {
        let message = format!("the schema document is larger than {SCHEMA_BYTES_MAX} bytes");
        return Err(SchemaError::new(TOO_LARGE, Place { line: 1, column: 1 }, message));
    }
    let reader = Reader { text, lines: line_starts(text) };
    let document = DeTable::parse(text).map_err(|error| {
        let place = reader.place(error.span().map_or(text.len(), |span| span.start));
        SchemaError::new(SYNTAX, place, format!("the document is not TOML: {}", one_line(error.message())))
    })?;
    let root = Keys {
        reader: &reader,
        what: "the schema".to_owned(),
        place: Place { line: 1, column: 1 },
        table: document.get_ref(),
    };
    root.only(&["version", "name", "tables"])?;
    let version = reader.version(root.required("version", "such as `version = 1`")?)?;
    let name = root.optional("name").map(|node| reader.string(node, "`name`")).transpose()?.unwrap_or_default();
    let mut tables = Vec::new();
    if let Some(node) = root.optional("tables") {
        let members = reader.table(node, "`tables`")?;
        if members.len() > TABLES_MAX {
            let message = format!("{} tables, but a schema has at most {TABLES_MAX}", members.len());
            return Err(SchemaError::new(TOO_LARGE, reader.place(node.span().start), message));
        }
        for (name, place, node) in reader.sorted(members) {
            tables.push(reader.app_table(name, place, node)?);
        }
    }
    check::finish(name, version, tables).map_err(|error| error.at_least(Place { line: 1, column: 1 }))
}

impl SchemaError {
    /// Gives an error about the document as a whole its first line.
    fn at_least(mut self, place: Place) -> Self {
        if self.line == 0 {
            self.line = place.line;
            self.column = place.column;
        }
        self
    }
}

struct Reader<'t> {
    text: &'t str,
    /// The byte offset at which each line begins.
    lines: Vec<usize>,
}

/// A TOML table whose keys are known beforehand.
struct Keys<'r, 't> {
    reader: &'r Reader<'t>,
    what: String,
    place: Place,
    table: &'r DeTable<'t>,
}

impl<'r, 't> Keys<'r, 't> {
    fn only(&self, known: &[&str]) -> Result<(), SchemaError> {
        for (key, place, _) in self.reader.sorted(self.table) {
            if !known.contains(&key) {
                let message = format!("{} has no key `{}`: use {}", self.what, short(key), list(known));
                return Err(SchemaError::new(UNKNOWN_KEY, place, message));
            }
        }
        Ok(())
    }

    fn optional(&self, key: &str) -> Option<&'r Node<'t>> {
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, node)| node)
    }

    fn required(&self, key: &str, example: &str) -> Result<&'r Node<'t>, SchemaError> {
        self.optional(key)
            .ok_or_else(|| SchemaError::new(MISSING_KEY, self.place, format!("{} needs `{key}`, {example}", self.what)))
    }

    fn word<T: Default>(&self, key: &str, words: &[&str], read: fn(&str) -> Option<T>) -> Result<T, SchemaError> {
        self.optional(key).map_or_else(|| Ok(T::default()), |node| self.reader.word(node, key, words, read))
    }

    fn flag(&self, key: &str) -> Result<bool, SchemaError> {
        match self.optional(key).map(|node| (node.get_ref(), node)) {
            None => Ok(false),
            Some((DeValue::Boolean(flag), _)) => Ok(*flag),
            Some((_, node)) => self.reader.refuse(node, format!("`{key}` is `true` or `false`")),
        }
    }
}

impl<'t> Reader<'t> {
    fn place(&self, start: usize) -> Place {
        let line = self.lines.partition_point(|line_start| *line_start <= start);
        let line_start = line.checked_sub(1).and_then(|at| self.lines.get(at)).copied().unwrap_or_default();
        Place { line, column: self.text.get(line_start..start).map_or(0, |text| text.chars().count()) + 1 }
    }

    fn refuse<T>(&self, node: &Node<'t>, message: String) -> Result<T, SchemaError> {
        Err(SchemaError::new(INVALID, self.place(node.span().start), message))
    }

    /// The members in the order the document declares them.
    fn sorted<'r>(&self, table: &'r DeTable<'t>) -> Vec<(&'r str, Place, &'r Node<'t>)> {
        let mut members: Vec<_> = table.iter().collect();
        members.sort_by_key(|(key, _)| key.span().start);
        members.into_iter().map(|(key, node)| (&**key.get_ref(), self.place(key.span().start), node)).collect()
    }

    fn table<'r>(&self, node: &'r Node<'t>, what: &str) -> Result<&'r DeTable<'t>, SchemaError> {
        match node.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => self.refuse(node, format!("{what} is a table")),
        }
    }

    fn string(&self, node: &Node<'t>, what: &str) -> Result<String, SchemaError> {
        match node.get_ref() {
            DeValue::String(text) => Ok(text.clone().into_owned()),
            _ => self.refuse(node, format!("{what} is text in quotes")),
        }
    }

    fn version(&self, node: &Node<'t>) -> Result<u32, SchemaError> {
        match node.get_ref() {
            DeValue::Integer(int) => match u32::from_str_radix(int.as_str(), int.radix()) {
                Ok(version) if version > 0 => Ok(version),
                _ => self.refuse(node, "`version` starts at 1 and rises with every change".to_owned()),
            },
            _ => self.refuse(node, "`version` is a whole number, from 1".to_owned()),
        }
    }

    fn word<T>(
        &self,
        node: &Node<'t>,
        key: &str,
        words: &[&str],
        read: fn(&str) -> Option<T>,
    ) -> Result<T, SchemaError> {
        let text = self.string(node, &format!("`{key}`"))?;
        read(&text)
            .map_or_else(|| self.refuse(node, format!("`{key}` is not `{}`: use {}", short(&text), list(words))), Ok)
    }

    fn app_table(&self, name: &str, place: Place, node: &Node<'t>) -> Result<Table, SchemaError> {
        let what = format!("table `{}`", short(name));
        let keys = Keys { reader: self, what: what.clone(), place, table: self.table(node, &what)? };
        keys.only(&["delete", "create", "merge", "local_only", "fields", "indexes"])?;
        let mut table = check::empty_table(name, place);
        table.delete = keys.word("delete", DeletePolicy::WORDS, DeletePolicy::from_word)?;
        table.create = keys.word("create", CreatePolicy::WORDS, CreatePolicy::from_word)?;
        table.merge = keys.word("merge", RowMerge::WORDS, RowMerge::from_word)?;
        table.local_only = keys.flag("local_only")?;
        if let Some(node) = keys.optional("fields") {
            let members = self.table(node, "`fields`")?;
            if members.len() > FIELDS_MAX {
                let message = format!("{what} has {} fields, but at most {FIELDS_MAX} fit", members.len());
                return Err(SchemaError::new(TOO_LARGE, place, message));
            }
            for (name, place, node) in self.sorted(members) {
                table.fields.push(self.field(name, place, node)?);
            }
        }
        if let Some(node) = keys.optional("indexes") {
            let DeValue::Array(items) = node.get_ref() else {
                return self.refuse(node, format!("write each index of {what} as `[[tables.{name}.indexes]]`"));
            };
            for item in items.iter() {
                table.indexes.push(self.index(item)?);
            }
        }
        Ok(table)
    }

    fn field(&self, name: &str, place: Place, node: &Node<'t>) -> Result<Field, SchemaError> {
        let what = format!("field `{}`", short(name));
        let DeValue::Table(members) = node.get_ref() else {
            return self.refuse(node, format!("{what} is a table such as `{{ type = \"text\", default = \"\" }}`"));
        };
        let keys = Keys { reader: self, what, place, table: members };
        keys.only(&["type", "nullable", "default", "merge", "references"])?;
        let kind =
            self.word(keys.required("type", "such as `type = \"text\"`")?, "type", Kind::WORDS, Kind::from_word)?;
        let mut field = check::empty_field(name, kind, place);
        field.nullable = keys.flag("nullable")?;
        field.merge = keys.word("merge", Policy::WORDS, Policy::from_word)?;
        field.references = keys.optional("references").map(|node| self.string(node, "`references`")).transpose()?;
        field.default = keys.optional("default").map(|node| self.default(node)).transpose()?;
        Ok(field)
    }

    fn default(&self, node: &Node<'t>) -> Result<Value, SchemaError> {
        let value = match node.get_ref() {
            DeValue::String(text) => Some(Value::Text(text.clone().into_owned())),
            DeValue::Integer(int) => i64::from_str_radix(int.as_str(), int.radix()).ok().map(Value::Int),
            DeValue::Float(real) => real.as_str().parse().ok().map(Value::Real),
            DeValue::Boolean(bool) => Some(Value::Bool(*bool)),
            DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
        };
        value.map_or_else(
            || {
                let message = "`default` is text, a number, true or false; bytes are base64 text, json is JSON text, a timestamp is milliseconds since 1970";
                self.refuse(node, message.to_owned())
            },
            Ok,
        )
    }

    fn index(&self, node: &Node<'t>) -> Result<Index, SchemaError> {
        let place = self.place(node.span().start);
        let keys = Keys { reader: self, what: "an index".to_owned(), place, table: self.table(node, "an index")? };
        keys.only(&["name", "fields"])?;
        let name_node = keys.required("name", "such as `name = \"notes_by_title\"`")?;
        let name = self.string(name_node, "`name`")?;
        let list = keys.required("fields", "such as `fields = [\"title\"]`")?;
        let DeValue::Array(items) = list.get_ref() else {
            return self.refuse(list, "`fields` of an index is a list such as `[\"title\"]`".to_owned());
        };
        let fields = items.iter().map(|item| self.string(item, "a field of an index")).collect::<Result<_, _>>()?;
        Ok(Index { name, fields, place: self.place(name_node.span().start) })
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(after_breaks).collect()
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Quotes at most as much of the document as a person wants to see in a message.
fn short(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(40).collect()
}

fn one_line(text: &str) -> String {
    text.split('\n').collect::<Vec<_>>().join("; ")
}
