//! Rows as they travel: written once, when a group is committed, and read as ready text by every pull.

use serde::Deserialize;
use serde_json::value::RawValue;
use turnstone_protocol::canonical::{write_string, write_value};
use turnstone_protocol::merge::RowState;
use turnstone_protocol::schema::Table;
use turnstone_protocol::wire::Cause;

use crate::config::Limits;
use crate::storage::{Images, StorageError};

/// Gathers the rows of a commit and cuts them into pages.
pub(super) struct ImageText {
    parts: Vec<String>,
    open: String,
    rows_in_open: usize,
    /// How many rows there are.
    pub(super) count: u64,
    /// How many bytes they take.
    pub(super) bytes: usize,
}

impl ImageText {
    pub(super) fn new() -> Self {
        Self { parts: Vec::new(), open: String::new(), rows_in_open: 0, count: 0, bytes: 0 }
    }

    /// Adds a row as it is after the commit.
    pub(super) fn push(&mut self, n: u64, table: &Table, id: &str, row: &RowState, limits: &Limits) {
        let before = self.open.len();
        if self.rows_in_open > 0 {
            self.open.push(',');
        }
        write_row(&mut self.open, n, table, id, row);
        self.bytes = self.bytes.saturating_add(self.open.len() - before);
        self.count = self.count.saturating_add(1);
        self.rows_in_open += 1;
        if self.rows_in_open > 1 && self.open.len() > limits.page_bytes_max {
            // The row that does not fit begins the next part, without its comma.
            let row = self.open.split_off(before);
            self.parts.push(std::mem::replace(&mut self.open, row.get(1..).unwrap_or_default().to_owned()));
            self.rows_in_open = 1;
        }
        if self.rows_in_open >= limits.page_rows_max {
            self.parts.push(std::mem::take(&mut self.open));
            self.rows_in_open = 0;
        }
    }

    /// Ends the last part.
    pub(super) fn finish(&mut self) {
        if !self.parts.is_empty() && self.rows_in_open > 0 {
            self.parts.push(std::mem::take(&mut self.open));
        }
    }

    /// The rows as the store takes them.
    pub(super) fn images(&self) -> Images<'_> {
        match self.parts.as_slice() {
            [] => Images::Inline(&self.open),
            [whole] => Images::Inline(whole),
            parts => Images::Parts(parts),
        }
    }
}

fn write_row(out: &mut String, n: u64, table: &Table, id: &str, row: &RowState) {
    out.push_str("{\"table\":");
    write_string(out, &table.name);
    out.push_str(",\"id\":");
    write_string(out, id);
    // Left out where it is this very commit, which the commit says.
    if row.born != n {
        out.push_str(",\"born\":");
        out.push_str(&row.born.to_string());
    }
    if let Some(gone) = &row.gone {
        out.push_str(match gone.cause {
            Cause::Deleted => ",\"gone\":\"deleted\"}",
            Cause::MovedOut => ",\"gone\":\"moved_out\"}",
            Cause::Revoked => ",\"gone\":\"revoked\"}",
            Cause::MergedInto => ",\"gone\":\"merged_into\"}",
        });
        return;
    }
    let mut opening = ",\"fields\":{";
    for (name, value) in &row.fields {
        if table.field(name).is_some_and(|field| field.is_default(value)) {
            continue;
        }
        out.push_str(opening);
        write_string(out, name);
        out.push(':');
        write_value(out, value);
        opening = ",";
    }
    out.push_str(if opening == "," { "}}" } else { "}" });
}

/// Writes the rows that ops made exactly as they say (a log entry without images). They were born then.
pub(super) fn write_rows_of_ops(out: &mut String, ops: &str) -> Result<(), StorageError> {
    #[derive(Deserialize)]
    struct Create<'a> {
        #[serde(borrow)]
        table: &'a RawValue,
        #[serde(borrow)]
        id: &'a RawValue,
        #[serde(borrow, default)]
        set: Option<&'a RawValue>,
    }
    let ops: Vec<Create<'_>> = serde_json::from_str(ops).map_err(|_| StorageError::BadRecord("op"))?;
    for (at, op) in ops.iter().enumerate() {
        out.push_str(if at > 0 { ",{\"table\":" } else { "{\"table\":" });
        out.push_str(op.table.get());
        out.push_str(",\"id\":");
        out.push_str(op.id.get());
        if let Some(set) = op.set {
            out.push_str(",\"fields\":");
            out.push_str(set.get());
        }
        out.push('}');
    }
    Ok(())
}
