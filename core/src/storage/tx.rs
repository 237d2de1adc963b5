//! The transaction a write closure gets.

use std::marker::PhantomData;

use turnstone_protocol::Value;

use crate::error::Error;
use crate::row::{Row, Rows};

/// An open local transaction. Everything it writes is committed together, and travels as one group.
pub struct Tx<'a> {
    writer: PhantomData<&'a mut ()>,
}

fn unbuilt<T>() -> Result<T, Error> {
    Err(Error::Internal { what: "not built yet" })
}

impl Tx<'_> {
    /// Makes a row with a new id and returns the id. Fields that are not named take their default.
    ///
    /// # Errors
    /// A typed error if a name is unknown, a value does not fit, or the group grows too large; nothing was changed.
    pub fn insert<K, V>(&mut self, _table: &str, _fields: impl IntoIterator<Item = (K, V)>) -> Result<String, Error>
    where
        K: AsRef<str>,
        V: Into<Value>,
    {
        unbuilt()
    }

    /// Makes a row with an id of the app's own.
    ///
    /// # Errors
    /// [`Error::RowExists`], [`Error::InvalidId`], or as [`Tx::insert`].
    pub fn insert_with_id<K, V>(
        &mut self,
        _table: &str,
        _id: &str,
        _fields: impl IntoIterator<Item = (K, V)>,
    ) -> Result<(), Error>
    where
        K: AsRef<str>,
        V: Into<Value>,
    {
        unbuilt()
    }

    /// Changes fields of a row. A value equal to the present one is an intent too: it is sent, and competes.
    ///
    /// # Errors
    /// [`Error::RowMissing`], or as [`Tx::insert`].
    pub fn update<K, V>(
        &mut self,
        _table: &str,
        _id: &str,
        _fields: impl IntoIterator<Item = (K, V)>,
    ) -> Result<(), Error>
    where
        K: AsRef<str>,
        V: Into<Value>,
    {
        unbuilt()
    }

    /// Changes fields of a row that is there, else makes it. Says whether it was made.
    ///
    /// # Errors
    /// As [`Tx::insert_with_id`] and [`Tx::update`].
    pub fn upsert<K, V>(
        &mut self,
        _table: &str,
        _id: &str,
        _fields: impl IntoIterator<Item = (K, V)>,
    ) -> Result<bool, Error>
    where
        K: AsRef<str>,
        V: Into<Value>,
    {
        unbuilt()
    }

    /// Removes a row. Says whether it was there.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], or a typed error of the file.
    pub fn delete(&mut self, _table: &str, _id: &str) -> Result<bool, Error> {
        unbuilt()
    }

    /// Adds to a counter. Increments of several devices add up.
    ///
    /// # Errors
    /// [`Error::NotACounter`], [`Error::CounterOverflow`], [`Error::RowMissing`], or as [`Tx::update`].
    pub fn increment(&mut self, _table: &str, _id: &str, _field: &str, _by: i64) -> Result<(), Error> {
        unbuilt()
    }

    /// Reads one row as this transaction sees it.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], or a typed error of the file.
    pub fn get(&mut self, _table: &str, _id: &str) -> Result<Option<Row>, Error> {
        unbuilt()
    }

    /// Runs a query on what this transaction sees; also a writing statement with RETURNING, which is captured.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::SqlRefused`], or a typed error of the file.
    pub fn query(&mut self, _sql: &str, _params: &[Value]) -> Result<Rows, Error> {
        unbuilt()
    }

    /// Runs one SQL statement and says how many rows it changed. Changes to synced tables are captured.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub fn execute(&mut self, _sql: &str, _params: &[Value]) -> Result<usize, Error> {
        unbuilt()
    }

    /// Runs part of the transaction: if it fails, that part alone is undone.
    ///
    /// # Errors
    /// The closure's error, or a typed one of the file.
    pub fn savepoint<T>(&mut self, _part: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        unbuilt()
    }

    /// Remembers a result beside the write id: what a repeated [`crate::storage::Database::write_once`] gives back.
    pub fn remember(&mut self, _result: impl Into<String>) {}
}
