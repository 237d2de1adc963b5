//! What a commit changed, for those who watch.

use std::collections::{BTreeMap, BTreeSet};

/// What one commit changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// Rises by one with every commit that changed something, within one open handle.
    pub revision: u64,
    /// The rows that were written, by table; also tables that never leave the device.
    pub tables: BTreeMap<String, RowIds>,
    /// Ops this commit added to the log: above zero, there is something new to send.
    pub ops: u64,
    /// Whether sync state changed (groups, dead letters, position), although perhaps no row did.
    pub sync: bool,
}

/// Which rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowIds {
    /// These.
    Some(BTreeSet<String>),
    /// Too many to name, or not known.
    Any,
}

/// The most row ids a change set names per table. Names are for those who watch single rows: a person changes a few at
/// once, and after a bulk write looking again costs less than naming every row did.
const IDS_MAX: usize = 100;

impl ChangeSet {
    /// Notes that a row was written.
    pub(crate) fn row(&mut self, table: &str, id: &str) {
        let Some(ids) = self.tables.get_mut(table) else {
            self.tables.insert(table.to_owned(), RowIds::Some(BTreeSet::from([id.to_owned()])));
            return;
        };
        if let RowIds::Some(known) = ids {
            if known.len() < IDS_MAX {
                known.insert(id.to_owned());
            } else if !known.contains(id) {
                *ids = RowIds::Any;
            }
        }
    }

    /// Notes that rows of a table were written, without knowing which.
    pub(crate) fn table(&mut self, table: &str) {
        self.tables.insert(table.to_owned(), RowIds::Any);
    }

    /// Adds what another transaction of the same commit changed.
    pub(crate) fn add(&mut self, more: Self) {
        self.ops += more.ops;
        self.sync |= more.sync;
        for (table, ids) in more.tables {
            match ids {
                RowIds::Any => self.table(&table),
                RowIds::Some(ids) => ids.iter().for_each(|id| self.row(&table, id)),
            }
        }
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.ops == 0 && !self.sync
    }

    /// Whether a row may have been written.
    #[must_use]
    pub fn has_row(&self, table: &str, id: &str) -> bool {
        match self.tables.get(table) {
            None => false,
            Some(RowIds::Any) => true,
            Some(RowIds::Some(ids)) => ids.contains(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_rows_are_named_and_many_are_any() {
        let mut changes = ChangeSet::default();
        for at in 0..IDS_MAX {
            changes.row("notes", &format!("n{at}"));
        }
        assert!(changes.has_row("notes", "n99") && !changes.has_row("notes", "another"));
        changes.row("notes", "n0");
        assert!(!changes.has_row("notes", "another"), "a row written twice is one row");
        changes.row("notes", "one more");
        assert_eq!(changes.tables.get("notes"), Some(&RowIds::Any));
        assert!(changes.has_row("notes", "one more") && changes.has_row("notes", "another"), "no change is missed");
        assert!(!changes.has_row("places", "n0"));
    }
}
