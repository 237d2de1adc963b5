//! Reading from one consistent state.

use rusqlite::{Connection, Statement};
use turnstone_protocol::Value;

use super::gate::{Gate, Plan};
use super::system::{Base, Stored};
use super::tables::TableSql;
use super::value::typed;
use super::writer::Setup;
use super::{log, sql};
use crate::error::Error;
use crate::row::{Row, Rows};

/// A consistent state of the database.
pub struct Reader<'a> {
    conn: &'a Connection,
    gate: &'a Gate,
    setup: &'a Setup,
}

impl<'a> Reader<'a> {
    pub(super) fn new(conn: &'a Connection, gate: &'a Gate, setup: &'a Setup) -> Self {
        Self { conn, gate, setup }
    }

    /// Reads one row.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], or a typed error of the file.
    pub fn get(&self, table: &str, id: &str) -> Result<Option<Row>, Error> {
        read_row(self.conn, self.setup.tables.get(table)?, id)
    }

    /// Runs a query.
    ///
    /// # Errors
    /// [`Error::Sql`] or [`Error::SqlRefused`], or a typed error of the file.
    pub fn query(&self, sql: &str, params: &[Value]) -> Result<Rows, Error> {
        self.with(sql, |statement| sql::collect(statement, params))
    }

    /// Runs a query and makes something of each row: nothing is copied that `each` does not copy.
    ///
    /// # Errors
    /// As [`Reader::query`].
    pub fn query_map<T>(
        &self,
        sql: &str,
        params: &[Value],
        mut each: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        self.with(sql, |statement| {
            sql::bind(statement, params)?;
            let mut found = statement.raw_query();
            let mut made = Vec::new();
            while let Some(row) = found.next()? {
                made.push(each(row).map_err(Error::of_closure)?);
            }
            Ok(made)
        })
    }

    /// Runs a query and hands its rows over as they come, with the names of the columns: for those who make another
    /// form of them, or pages.
    ///
    /// # Errors
    /// As [`Reader::query`], and what `read` gives.
    pub fn query_with<T>(
        &self,
        sql: &str,
        params: &[Value],
        read: impl FnOnce(Vec<String>, &mut rusqlite::Rows<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.with(sql, |statement| {
            sql::bind(statement, params)?;
            let names = statement.column_names().map(str::to_owned).collect();
            read(names, &mut statement.raw_query())
        })
    }

    /// The tables a query reads.
    pub(super) fn plan(&self, sql: &str) -> Result<Plan, Error> {
        // Prepared anew, so that the gate sees all of it.
        self.conn.flush_prepared_statement_cache();
        let (statement, plan) = sql::prepare(self.conn, self.gate, &sql::marked(sql))?;
        only_reads(&statement)?;
        Ok(plan)
    }

    fn with<T>(&self, sql: &str, run: impl FnOnce(&mut Statement<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let (mut statement, _) = sql::prepare(self.conn, self.gate, &sql::marked(sql))?;
        only_reads(&statement)?;
        let done = self.gate.as_whose(super::gate::Whose::Apps, || run(&mut statement));
        self.gate.explain(done)
    }

    /// The connection: it cannot write.
    #[allow(dead_code, reason = "for the sync steps")]
    pub(crate) fn conn(&self) -> &'a Connection {
        self.conn
    }

    /// Calls `each` with every row of a synced table, in id order.
    #[allow(dead_code, reason = "for the sync steps")]
    pub(crate) fn each_row(
        &self,
        table: &str,
        each: impl FnMut(&str, Stored) -> Result<(), Error>,
    ) -> Result<(), Error> {
        log::each_row(self.conn, &self.setup.tables, table, each)
    }

    /// The base of a row.
    #[allow(dead_code, reason = "for the sync steps")]
    pub(crate) fn base(&self, table: &str, id: &str) -> Result<Base, Error> {
        log::base(self.conn, &self.setup.schema, &self.setup.tables, table, id)
    }

    /// The schema as SQL.
    pub(super) fn tables(&self) -> &'a super::tables::Tables {
        &self.setup.tables
    }

    /// The schema.
    #[allow(dead_code, reason = "for the sync steps")]
    pub(crate) fn schema(&self) -> &'a turnstone_protocol::Schema {
        &self.setup.schema
    }
}

fn only_reads(statement: &Statement<'_>) -> Result<(), Error> {
    if statement.readonly() {
        return Ok(());
    }
    Err(Error::SqlRefused { what: "a statement that writes, in a query: use `execute`, or write in a transaction" })
}

/// Reads one row by id.
pub(super) fn read_row(conn: &Connection, table: &TableSql, id: &str) -> Result<Option<Row>, Error> {
    let mut statement = conn.prepare_cached(&table.get)?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut values = Vec::with_capacity(table.columns.len());
    for (at, field) in table.def.fields.iter().enumerate() {
        values.push(typed(field.kind, row.get_ref(at)?)?);
    }
    Ok(Some(Row { id: id.to_owned(), columns: table.columns.clone(), values }))
}
