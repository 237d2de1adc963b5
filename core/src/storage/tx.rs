//! The transaction a write closure gets.

use rusqlite::{CachedStatement, Connection};
use turnstone_protocol::Value;

use super::ChangeSet;
use super::draft::Draft;
use super::edit::Slots;
use super::tables::TableSql;
use super::writer::{Setup, State};
use crate::error::Error;
use crate::row::{Row, Rows};

/// An open local transaction. Everything it writes is committed together, and travels as one group.
pub struct Tx<'a> {
    pub(super) conn: &'a Connection,
    pub(super) setup: &'a Setup,
    pub(super) state: &'a mut State,
    pub(super) draft: Draft,
    pub(super) changes: ChangeSet,
    /// Why the transaction cannot be committed any more: a row changed and its op could not be written.
    pub(super) broken: Option<Error>,
    /// What to remember beside the write id.
    pub(super) result: Option<String>,
    /// The statement that appends the later ops of a group to the log, kept for the whole transaction.
    pub(super) append: Option<CachedStatement<'a>>,
    /// The statement that inserts into the table written last.
    pub(super) insert: Option<(usize, CachedStatement<'a>)>,
    /// The statement that names the newest op of a row of the table settled last.
    pub(super) link: Option<(usize, CachedStatement<'a>)>,
}

impl<'a> Tx<'a> {
    pub(super) fn new(conn: &'a Connection, setup: &'a Setup, state: &'a mut State) -> Self {
        let draft = Draft::new(state);
        Self {
            conn,
            setup,
            state,
            draft,
            changes: ChangeSet::default(),
            broken: None,
            result: None,
            append: None,
            insert: None,
            link: None,
        }
    }

    /// Makes a row with a new id and returns the id. Fields that are not named take their default.
    ///
    /// # Errors
    /// A typed error if a name is unknown, a value does not fit, or the group grows too large; nothing was changed.
    pub fn insert<K, V>(&mut self, table: &str, fields: impl IntoIterator<Item = (K, V)>) -> Result<String, Error>
    where
        K: AsRef<str>,
        V: Into<Value>,
    {
        let table = self.table(table)?;
        let slots = self.slots(table, fields)?;
        let moment = self.draft.moment(self.setup);
        let id = self.state.ids.mint(moment, self.setup.options.entropy.next()?).to_string();
        self.create(table, &id, &slots)?;
        Ok(id)
    }

    /// Makes a row with an id of the app's own.
    ///
    /// # Errors
    /// [`Error::RowExists`], [`Error::InvalidId`], or as [`Tx::insert`].
    pub fn insert_with_id<K, V>(
        &mut self,
        table: &str,
        id: &str,
        fields: impl IntoIterator<Item = (K, V)>,
    ) -> Result<(), Error>
    where
        K: AsRef<str>,
        V: Into<Value>,
    {
        let table = self.table(table)?;
        let slots = self.slots(table, fields)?;
        self.create(table, id, &slots)
    }

    /// Changes fields of a row. A value equal to the present one is an intent too: it is sent, and competes.
    ///
    /// # Errors
    /// [`Error::RowMissing`], or as [`Tx::insert`].
    pub fn update<K, V>(&mut self, table: &str, id: &str, fields: impl IntoIterator<Item = (K, V)>) -> Result<(), Error>
    where
        K: AsRef<str>,
        V: Into<Value>,
    {
        let table = self.table(table)?;
        let slots = self.slots(table, fields)?;
        self.change(table, id, slots)
    }

    /// Changes fields of a row that is there, else makes it. Says whether it was made.
    ///
    /// # Errors
    /// As [`Tx::insert_with_id`] and [`Tx::update`].
    pub fn upsert<K, V>(
        &mut self,
        table: &str,
        id: &str,
        fields: impl IntoIterator<Item = (K, V)>,
    ) -> Result<bool, Error>
    where
        K: AsRef<str>,
        V: Into<Value>,
    {
        let table = self.table(table)?;
        let slots = self.slots(table, fields)?;
        let made = self.read_row(table, id, false)?.is_none();
        if made {
            self.create(table, id, &slots)?
        } else {
            self.change(table, id, slots)?
        }
        Ok(made)
    }

    /// Removes a row. Says whether it was there.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], or a typed error of the file.
    pub fn delete(&mut self, table: &str, id: &str) -> Result<bool, Error> {
        let table = self.table(table)?;
        self.remove(table, id)
    }

    /// Adds to a counter. Increments of several devices add up.
    ///
    /// # Errors
    /// [`Error::NotACounter`], [`Error::CounterOverflow`], [`Error::RowMissing`], or as [`Tx::update`].
    pub fn increment(&mut self, table: &str, id: &str, field: &str, by: i64) -> Result<(), Error> {
        let table = self.table(table)?;
        let at = table.field(field)?;
        if !table.is_counter(at) {
            return Err(Error::NotACounter { table: table.def.name.clone(), field: field.to_owned() });
        }
        self.add(table, id, at, by)
    }

    /// Reads one row as this transaction sees it.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], or a typed error of the file.
    pub fn get(&mut self, table: &str, id: &str) -> Result<Option<Row>, Error> {
        let table = self.setup.tables.get(table)?;
        self.read_row(table, id, true)
    }

    /// Runs a query on what this transaction sees; also a writing statement with RETURNING, which is captured.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::SqlRefused`], or a typed error of the file.
    pub fn query(&mut self, sql: &str, params: &[Value]) -> Result<Rows, Error> {
        self.alive()?;
        self.run_sql(sql, |statement| super::sql::collect(statement, params))
    }

    /// Runs one SQL statement and says how many rows it changed. Changes to synced tables are captured.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub fn execute(&mut self, sql: &str, params: &[Value]) -> Result<usize, Error> {
        self.alive()?;
        self.run_sql(sql, |statement| super::sql::execute(statement, params))
    }

    /// Runs part of the transaction: if it fails, that part alone is undone.
    ///
    /// # Errors
    /// The closure's error, or a typed one of the file.
    pub fn savepoint<T>(&mut self, part: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        self.alive()?;
        self.flush()?;
        self.conn.prepare_cached("SAVEPOINT _ts_part")?.raw_execute()?;
        let done = part(self).and_then(|done| self.flush().map(|()| done));
        self.alive()?;
        if done.is_err() {
            self.broken_by(|tx| {
                tx.conn.prepare_cached("ROLLBACK TO _ts_part")?.raw_execute()?;
                tx.rolled_back()
            })?;
        }
        self.conn.prepare_cached("RELEASE _ts_part")?.raw_execute()?;
        done
    }

    /// Remembers a result beside the write id: what a repeated [`crate::storage::Database::write_once`] gives back.
    pub fn remember(&mut self, result: impl Into<String>) {
        self.result = Some(result.into());
    }

    /// The table to write by the API: what SQL touched before becomes ops first, so that ops keep their order.
    fn table(&mut self, name: &str) -> Result<&'a TableSql, Error> {
        let table = self.setup.tables.get(name)?;
        self.alive()?;
        self.flush()?;
        Ok(table)
    }

    /// The values of a write, checked, by place of their field.
    fn slots<K, V>(&self, table: &TableSql, fields: impl IntoIterator<Item = (K, V)>) -> Result<Slots, Error>
    where
        K: AsRef<str>,
        V: Into<Value>,
    {
        let mut slots: Slots = vec![None; table.defaults.len()];
        for (name, value) in fields {
            let at = table.field(name.as_ref())?;
            let value = table.admit(at, value.into(), self.setup.options.value_bytes_max)?;
            if let Some(slot) = slots.get_mut(at) {
                *slot = Some(value);
            }
        }
        Ok(slots)
    }

    fn read_row(&self, table: &TableSql, id: &str, whole: bool) -> Result<Option<Row>, Error> {
        if whole {
            return super::reader::read_row(self.conn, table, id);
        }
        let sql = format!("SELECT 1 FROM {} WHERE id = ?1", table.quoted);
        let there = self.conn.prepare_cached(&sql)?.exists([id])?;
        Ok(there.then(|| Row { id: id.to_owned(), columns: table.columns.clone(), values: Vec::new() }))
    }

    /// Refuses to go on in a transaction that cannot be committed any more.
    pub(super) fn alive(&self) -> Result<(), Error> {
        match &self.broken {
            Some(error) => Err(error.clone()),
            None if self.conn.is_autocommit() => Err(Error::Lost),
            None => Ok(()),
        }
    }

    /// Runs a step after which the transaction is only good if it succeeded.
    pub(super) fn broken_by<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        let done = step(self);
        if let Err(error) = &done {
            self.broken.get_or_insert_with(|| error.clone());
        }
        done
    }

    /// Counts again what is left after part of the transaction was rolled back.
    pub(super) fn rolled_back(&mut self) -> Result<(), Error> {
        self.state.forget_captured();
        self.draft.recount(self.conn)
    }
}
