//! What capture keeps of the rows that SQL touched, until their ops are made.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use turnstone_protocol::Value;

use crate::error::Error;

/// The most rows one transaction may touch by SQL, changed or not: bounds memory. More than the ops a group may
/// have, so that a large UPDATE that changes little goes through.
const ROWS_MAX: usize = 200_000;
/// The most bytes of old values kept at once.
const BYTES_MAX: usize = 256 << 20;

/// A row that SQL touched.
pub(crate) struct Touched {
    /// The table, by place.
    pub(crate) table: usize,
    /// The row id.
    pub(crate) id: String,
    /// The row before.
    pub(crate) was: Was,
}

/// What a row that SQL touched was before.
pub(crate) enum Was {
    /// There was none.
    Nothing,
    /// The same row, and it was only updated since.
    Updated(Updated),
    /// This one.
    Whole(Before),
}

/// A row that was only updated.
pub(crate) struct Updated {
    pub(crate) rowid: i64,
    pub(crate) v: i64,
    pub(crate) p: Option<i64>,
    pub(crate) extra: Option<String>,
    /// The fields that were written with another value than they had, each once.
    pub(crate) fields: Vec<Written>,
    /// Bytes of all its values, as last written.
    pub(crate) bytes: usize,
}

/// A field an update wrote.
pub(crate) struct Written {
    /// Its place.
    pub(crate) at: usize,
    /// What it was before the first of them.
    pub(crate) was: Value,
    /// What the last of them wrote.
    pub(crate) now: Value,
}

/// A row before SQL touched it.
pub(crate) struct Before {
    pub(crate) v: i64,
    pub(crate) p: Option<i64>,
    pub(crate) extra: Option<String>,
    pub(crate) values: Vec<Value>,
}

/// Everything noted since it was last taken.
#[derive(Default)]
pub(crate) struct Notes {
    /// In the order they were first touched.
    pub(crate) rows: Vec<Touched>,
    /// The place in `rows` of each row, by a hash of table and id; where two share one, the later takes the next free.
    known: HashMap<u64, usize>,
    hasher: RandomState,
    bytes: usize,
    /// Whether a statement failed since: what updates wrote may have been taken back.
    pub(crate) doubtful: bool,
    /// Why a trigger stopped the statement.
    pub(crate) refused: Option<Error>,
}

impl Updated {
    /// The row as it was, from the values it has now.
    pub(crate) fn before(self, mut values: Vec<Value>) -> Before {
        for written in self.fields {
            if let Some(value) = values.get_mut(written.at) {
                *value = written.was;
            }
        }
        Before { v: self.v, p: self.p, extra: self.extra, values }
    }
}

impl Notes {
    /// Where a row stands in `rows`, or the key under which it is to be entered.
    pub(crate) fn find(&self, table: usize, id: &str) -> Result<usize, u64> {
        let mut key = self.hasher.hash_one((table, id));
        while let Some(place) = self.known.get(&key) {
            if self.rows.get(*place).is_some_and(|row| row.table == table && row.id == id) {
                return Ok(*place);
            }
            key = key.wrapping_add(1);
        }
        Err(key)
    }

    /// Enters a row under its key; `bytes` is what is kept of it.
    pub(crate) fn enter(&mut self, key: u64, touched: Touched, bytes: usize) -> Result<(), Error> {
        self.keep(bytes)?;
        if self.rows.len() >= ROWS_MAX {
            return Err(Error::GroupTooLarge { what: "rows touched by SQL", found: self.rows.len(), max: ROWS_MAX });
        }
        self.known.insert(key, self.rows.len());
        self.rows.push(touched);
        Ok(())
    }

    /// Counts what is kept.
    pub(crate) fn keep(&mut self, bytes: usize) -> Result<(), Error> {
        self.bytes += bytes;
        if self.bytes > BYTES_MAX {
            return Err(Error::GroupTooLarge { what: "bytes touched by SQL", found: self.bytes, max: BYTES_MAX });
        }
        Ok(())
    }

    /// Takes what was noted, and whether what updates wrote must be read again.
    pub(crate) fn take(&mut self) -> (Vec<Touched>, bool) {
        self.known.clear();
        self.bytes = 0;
        (std::mem::take(&mut self.rows), std::mem::take(&mut self.doubtful))
    }
}
