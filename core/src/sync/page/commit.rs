//! One commit of a page: whole, or one part of it.

use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::wire::{Commit, Row};

use super::{Page, own, stage};
use crate::error::Error;
use crate::storage::SystemTx;
use crate::sync::rows::fitting;

impl Page {
    /// Works a commit in. A part is staged until all of them are here: a group is never half visible (I-05).
    /// False: a copy of this device made it, and nothing was changed.
    pub(super) fn commit(&mut self, sys: &mut SystemTx<'_>, commit: &Commit) -> Result<bool, Error> {
        self.report.rows += commit.rows.len();
        if commit.count > 1 {
            return self.own_run(sys, commit);
        }
        let Some(part) = commit.part.filter(|_| !plant::on(Bug::GroupCutByPage)) else {
            return self.whole(sys, commit, &[]);
        };
        if part.i < part.n {
            stage::keep(sys, commit, part)?;
            return Ok(true);
        }
        let earlier = stage::earlier(sys, commit.n)?;
        let applied = self.whole(sys, commit, &earlier)?;
        if applied {
            stage::forget(sys, commit.n)?;
        }
        Ok(applied)
    }

    fn whole(&mut self, sys: &mut SystemTx<'_>, commit: &Commit, earlier: &[Commit]) -> Result<bool, Error> {
        match self.own(sys, commit)? {
            Some(head) if commit.as_sent => {
                self.promote(sys, &head, commit.n)?;
                return Ok(true);
            }
            Some(head) => self.leave(sys, &head, Some(commit.n))?,
            // Its rows did not come along, and are not here either.
            None if commit.as_sent || own::by_a_copy(sys, std::slice::from_ref(commit))? => return Ok(false),
            None => {}
        }
        for row in earlier.iter().chain([commit]).flat_map(|part| &part.rows) {
            self.row(sys, commit.n, row)?;
        }
        Ok(true)
    }

    fn row(&mut self, sys: &mut SystemTx<'_>, n: u64, row: &Row) -> Result<(), Error> {
        let Some(table) = sys.schema().table(&row.table).filter(|table| !table.local_only) else {
            return stage::keep_unknown(sys, n, row);
        };
        // Rows with pending ops come in a row: after one of them, the direct way is not even tried.
        let straight = !self.met_pending && self.rows.get(&row.table, &row.id).is_none();
        if straight && self.direct.write(sys, table, n, row)? {
            return Ok(());
        }
        let fields = row.gone.is_none().then(|| fitting(table, row.fields.clone()));
        self.met_pending = self.rows.receive(sys, table, &row.id, n, fields)?;
        Ok(())
    }
}
