//! Reading from one consistent state.

use rusqlite::Connection;
use turnstone_protocol::Value;

use crate::error::Error;
use crate::row::{Row, Rows};

/// A consistent state of the database.
pub struct Reader<'a> {
    conn: &'a Connection,
}

impl Reader<'_> {
    /// Reads one row.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], or a typed error of the file.
    pub fn get(&self, _table: &str, _id: &str) -> Result<Option<Row>, Error> {
        Err(Error::Internal { what: "not built yet" })
    }

    /// Runs a query.
    ///
    /// # Errors
    /// [`Error::Sql`] or [`Error::SqlRefused`], or a typed error of the file.
    pub fn query(&self, _sql: &str, _params: &[Value]) -> Result<Rows, Error> {
        Err(Error::Internal { what: "not built yet" })
    }

    /// The connection: it cannot write.
    #[allow(dead_code, reason = "for the sync steps")]
    pub(crate) fn conn(&self) -> &Connection {
        self.conn
    }
}
