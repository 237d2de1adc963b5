//! The rows of a query as one buffer: the columns' names once, then cells of fixed size that lead to what is longer.
//!
//! Everything is little-endian. With `c` columns and `r` rows:
//!
//! ```text
//!  0  4      "TSR1"
//!  4  u32    c
//!  8  u32    r
//! 12  u32    where the tags begin; the slots begin at the next multiple of 8 after them
//! 16  u32    where the heap begins
//! 20         c times: u32 length, name in UTF-8
//! tags       r * c bytes, row by row: 0 null, 1 integer, 2 real, 3 text, 4 bytes, 5 boolean, 6 json
//! slots      r * c times 8 bytes: i64, f64, 0 or 1; for text, bytes and json u32 offset into the heap, u32 length
//! heap       the bytes of texts, byte strings and json, one after the other
//! ```
//!
//! So a cell is found without reading those before it, a text is decoded when somebody looks at it, and a number never
//! becomes an object. The answer of a query holds booleans as integers, as SQLite does; a row by id has its declared types.

use rusqlite::types::ValueRef;
use turnstone::{Error, Row, Rows, Value};

/// The largest buffer: offsets are 32 bits, and more would not fit into a phone's memory twice.
const BYTES_MAX: usize = 1 << 30;

const MAGIC: &[u8; 4] = b"TSR1";

/// One cell on its way into a buffer.
#[derive(Clone, Copy)]
pub(crate) enum Cell<'a> {
    Null,
    Int(i64),
    Real(f64),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    Bool(bool),
    Json(&'a [u8]),
}

/// Collects cells.
pub(crate) struct Builder {
    names: Vec<String>,
    tags: Vec<u8>,
    slots: Vec<u8>,
    heap: Vec<u8>,
}

impl Builder {
    pub(crate) fn new(names: Vec<String>) -> Self {
        Self { names, tags: Vec::new(), slots: Vec::new(), heap: Vec::new() }
    }

    /// How many bytes there are already.
    pub(crate) fn len(&self) -> usize {
        self.tags.len() + self.slots.len() + self.heap.len()
    }

    /// How many rows there are already.
    pub(crate) fn rows(&self) -> usize {
        self.tags.len().checked_div(self.names.len()).unwrap_or(0)
    }

    /// Takes the rows out, as a buffer; the names stay.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let names = self.names.clone();
        std::mem::replace(self, Self::new(names)).finish()
    }

    /// Adds a cell to the row being built.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where the buffer would become too large: ask for pages.
    pub(crate) fn push(&mut self, cell: Cell<'_>) -> Result<(), Error> {
        let (tag, slot) = match cell {
            Cell::Null => (0, 0),
            Cell::Int(int) => (1, int.cast_unsigned()),
            Cell::Real(real) => (2, real.to_bits()),
            Cell::Text(bytes) => (3, self.keep(bytes)?),
            Cell::Bytes(bytes) => (4, self.keep(bytes)?),
            Cell::Bool(bool) => (5, u64::from(bool)),
            Cell::Json(bytes) => (6, self.keep(bytes)?),
        };
        self.tags.push(tag);
        self.slots.extend_from_slice(&slot.to_le_bytes());
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<u64, Error> {
        if self.len().saturating_add(bytes.len()) > BYTES_MAX {
            return Err(Error::OutOfMemory);
        }
        let (at, length) = (self.heap.len() as u64, bytes.len() as u64);
        self.heap.extend_from_slice(bytes);
        Ok(at | (length << 32))
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.len() + 8);
        out.extend_from_slice(MAGIC);
        let rows = self.rows();
        let names: usize = self.names.iter().map(|name| name.len() + 4).sum();
        let tags_at = 20 + names;
        let slots_at = (tags_at + self.tags.len()).next_multiple_of(8);
        let heap_at = slots_at + self.slots.len();
        for number in [self.names.len(), rows, tags_at, heap_at] {
            put(&mut out, number);
        }
        for name in &self.names {
            put(&mut out, name.len());
            out.extend_from_slice(name.as_bytes());
        }
        out.extend_from_slice(&self.tags);
        out.resize(slots_at, 0);
        out.extend_from_slice(&self.slots);
        out.extend_from_slice(&self.heap);
        out
    }
}

/// Sizes are bounded by `BYTES_MAX`, so they fit.
fn put(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

/// What SQLite gives, without a copy in between.
pub(crate) fn raw_cell(raw: ValueRef<'_>) -> Result<Cell<'_>, Error> {
    Ok(match raw {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(int) => Cell::Int(int),
        ValueRef::Real(real) => Cell::Real(real),
        ValueRef::Text(text) if std::str::from_utf8(text).is_err() => {
            return Err(Error::Sql { message: "a text is not UTF-8".to_owned() });
        }
        ValueRef::Text(text) => Cell::Text(text),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes),
    })
}

fn cell(value: &Value) -> Cell<'_> {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(bool) => Cell::Bool(*bool),
        Value::Int(int) => Cell::Int(*int),
        Value::Real(real) => Cell::Real(*real),
        Value::Text(text) => Cell::Text(text.as_bytes()),
        Value::Bytes(bytes) => Cell::Bytes(bytes),
        Value::Json(text) => Cell::Json(text.as_bytes()),
    }
}

/// One row by id: its id, then its fields with their declared types.
pub(crate) fn row(row: &Row) -> Result<Vec<u8>, Error> {
    let mut names = vec!["id".to_owned()];
    names.extend(row.iter().map(|(name, _)| name.to_owned()));
    let mut builder = Builder::new(names);
    builder.push(Cell::Text(row.id().as_bytes()))?;
    for (_, value) in row.iter() {
        builder.push(cell(value))?;
    }
    Ok(builder.finish())
}

/// Rows that were collected already.
pub(crate) fn rows(rows: &Rows) -> Result<Vec<u8>, Error> {
    let mut builder = Builder::new(rows.columns.clone());
    for value in rows.rows.iter().flatten() {
        builder.push(cell(value))?;
    }
    Ok(builder.finish())
}
