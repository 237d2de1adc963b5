//! Meaning something again: new groups for what was refused or held back.

use rusqlite::params;
use turnstone_engine::apply::FoldOp;
use turnstone_engine::oplog::rebase;
use turnstone_protocol::{Gid, Op};

use super::rows::{Rows, known};
use super::{log, position};
use crate::error::Error;
use crate::storage::SystemTx;

/// The ops, based on the rows as they are now. None: a row they change is not there.
pub(super) fn rebased(sys: &SystemTx<'_>, ops: Vec<Op>) -> Result<Option<Vec<Op>>, Error> {
    let at = position::at(sys)?;
    let mut rows = Rows::default();
    let mut again = Vec::with_capacity(ops.len());
    for mut op in ops {
        let table = known(sys.schema(), &op.table)?;
        op.set = table.typed(op.set);
        let row = &mut rows.load(sys, table, &op.id)?.row;
        let visible = row.visible(table);
        let Some(op) = rebase(table, &op, visible.as_ref().map(|fields| (fields, row.base.version)), at) else {
            return Ok(None);
        };
        row.push(FoldOp { number: 0, group: 0, op: op.clone() });
        again.push(op);
    }
    Ok(Some(again))
}

/// An op with its values typed where the schema knows the field.
pub(super) fn typed(sys: &SystemTx<'_>, mut op: Op) -> Op {
    if let Some(table) = sys.schema().table(&op.table) {
        op.set = table.typed(op.set);
        op.was = table.typed(op.was);
    }
    op
}

/// Writes ops as a new group and lays them over their rows. Gives its number.
pub(super) fn append(sys: &mut SystemTx<'_>, gid: Gid, replaces: Option<Gid>, ops: &[Op]) -> Result<i64, Error> {
    let mut rows = Rows::default();
    for op in ops {
        rows.load(sys, known(sys.schema(), &op.table)?, &op.id)?;
    }
    let entries: Vec<(Op, Option<String>)> = ops.iter().map(|op| (op.clone(), None)).collect();
    let grp = sys.append_group(gid, &entries)?;
    let Some(head) = log::head(sys, grp)? else {
        return Err(Error::Internal { what: "a new group is not in the log" });
    };
    if let Some(replaces) = replaces {
        sys.conn()
            .prepare_cached("UPDATE _ts_groups SET replaces = ?2 WHERE grp = ?1")?
            .execute(params![grp, replaces.as_bytes()])?;
    }
    for (number, op) in (head.first_op..).zip(ops) {
        let table = known(sys.schema(), &op.table)?;
        rows.load(sys, table, &op.id)?.row.push(FoldOp { number, group: grp, op: op.clone() });
    }
    rows.flush(sys)?;
    Ok(grp)
}
