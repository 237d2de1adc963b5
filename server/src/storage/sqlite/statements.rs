//! Statements at hand for one transaction.
//!
//! A push of a thousand groups runs the same few statements thousands of times. The connection's own cache hashes the
//! text of a statement at every use and moves it about; here the address of that text is enough.

use std::cell::{OnceCell, RefCell, RefMut};
use std::ops::{Deref, DerefMut};

use rusqlite::{CachedStatement, Connection};

use crate::storage::StorageError;

/// More than the statements there are; one that finds no place is prepared at each use.
const KEPT_MAX: usize = 24;

/// The statements a transaction has used so far.
#[derive(Default)]
pub(super) struct Statements<'c>([OnceCell<Kept<'c>>; KEPT_MAX]);

struct Kept<'c> {
    sql: &'static str,
    statement: RefCell<CachedStatement<'c>>,
}

/// A statement to use.
pub(super) enum Lent<'s, 'c> {
    Kept(RefMut<'s, CachedStatement<'c>>),
    /// The kept one is in use further up.
    Second(CachedStatement<'c>),
}

impl<'c> Statements<'c> {
    /// Lends the statement of a text.
    pub(super) fn lend(&self, connection: &'c Connection, sql: &'static str) -> Result<Lent<'_, 'c>, StorageError> {
        for place in &self.0 {
            let Some(kept) = place.get() else {
                let statement = RefCell::new(connection.prepare_cached(sql)?);
                return Ok(Lent::Kept(place.get_or_init(|| Kept { sql, statement }).statement.borrow_mut()));
            };
            if std::ptr::eq(kept.sql, sql)
                && let Ok(statement) = kept.statement.try_borrow_mut()
            {
                return Ok(Lent::Kept(statement));
            }
        }
        Ok(Lent::Second(connection.prepare_cached(sql)?))
    }
}

impl<'c> Deref for Lent<'_, 'c> {
    type Target = CachedStatement<'c>;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Kept(statement) => statement,
            Self::Second(statement) => statement,
        }
    }
}

impl DerefMut for Lent<'_, '_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Kept(statement) => statement,
            Self::Second(statement) => statement,
        }
    }
}
