//! What must always hold, checked row by row: for tests, and for support when something looks wrong.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use turnstone_engine::apply::{Base, Standing};
use turnstone_engine::oplog::follow_up;
use turnstone_protocol::{Fields, Gid, OpKind};

use super::log;
use super::meta::{self, Key};
use super::reader::Reader;
use super::states;
use super::system::LoggedOp;
use super::tables::TableSql;
use crate::error::Error;

/// How often a group may have been given up and gone on: far beyond what happens.
const NAMES_MAX: usize = 64;

/// Names everything that does not hold. Ids and values are not in the text.
pub(crate) fn run(reader: &Reader<'_>) -> Result<Vec<String>, Error> {
    let mut faults = Vec::new();
    let mut logged = log::ops(reader.conn(), reader.schema())?;
    for table in reader.tables().iter().filter(|table| !table.def.local_only) {
        fold_faults(reader, table, &mut logged, &mut faults)?;
    }
    log_faults(reader.conn(), &mut faults)?;
    Ok(faults)
}

/// `visible(row) = fold(ops of the row in the fold, base(row))`, and hidden columns that fit (I-03).
fn fold_faults(
    reader: &Reader<'_>,
    table: &TableSql,
    logged: &mut BTreeMap<i64, LoggedOp>,
    faults: &mut Vec<String>,
) -> Result<(), Error> {
    let conn = reader.conn();
    let name = &table.def.name;
    let mut heads: BTreeMap<String, Option<i64>> = BTreeMap::new();
    reader.each_row(name, |id, stored| {
        heads.insert(id.to_owned(), stored.p);
        Ok(())
    })?;
    let mut copied = conn.prepare_cached("SELECT row_id FROM _ts_base WHERE tbl = ?1")?;
    let copied: BTreeSet<String> = copied.query_map([name], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut absent = conn.prepare_cached("SELECT row_id, p FROM _ts_absent WHERE tbl = ?1")?;
    for row in absent.query_map([name], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))? {
        let (id, p) = row?;
        if heads.insert(id, Some(p)).is_some() {
            faults.push(format!("{name}: a row is both in its table and in _ts_absent"));
        }
    }
    // With no op in the fold and no copy of its base, a row is its base.
    for (id, head) in heads.iter().filter(|(id, head)| head.is_some() || copied.contains(*id)) {
        // Taken out, so that a chain that comes back to an op ends; who has it by right lacks it then, and that is seen.
        let ops = log::fold_of(*head, |number| {
            let contained = logged.get(&number).filter(|op| op.state.is_contained()).cloned();
            Ok(contained.or_else(|| logged.remove(&number)))
        })?;
        if head.is_some() && ops.is_empty() {
            faults.push(format!("{name}: a row names a newest op, but none of its ops is in the fold"));
        }
        if ops.iter().any(|op| op.body.table != *name || op.body.id != *id) {
            faults.push(format!("{name}: the chain of a row leads to ops of another row"));
        }
        let base = log::base_under(conn, table, id, |visible, _| log::undone(&table.def, visible, &ops))?;
        let standing = match base.fields {
            Some(fields) => Standing::Live(fields),
            None => Standing::Gone { last: log::last_image(conn, &table.def, id)? },
        };
        let folded = Base { version: base.v, standing }.fold(&table.def, ops.iter().map(|op| &op.body));
        let visible = log::stored(conn, table, id)?.map(|stored| {
            let mut fields = stored.fields;
            fields.extend(stored.extra);
            fields
        });
        if canonical(table, folded) != canonical(table, visible) {
            faults.push(format!("{name}: a visible row is not the fold of its ops over its base"));
        }
    }
    chain_faults(table, logged, faults);
    Ok(())
}

/// Every op in the fold was reached from its row, and taken out of the log.
fn chain_faults(table: &TableSql, left: &BTreeMap<i64, LoggedOp>, faults: &mut Vec<String>) {
    let name = &table.def.name;
    let lost = left.values().filter(|op| op.state.in_fold() && op.body.table == *name && !made_anew(left, op)).count();
    if lost > 0 {
        faults.push(format!("{name}: {lost} ops are in the fold and not reached from their rows"));
    }
}

/// Whether this device deleted the row with this op or later, made it anew then, and the base contains that: the op waits,
/// and does not show.
fn made_anew(left: &BTreeMap<i64, LoggedOp>, op: &LoggedOp) -> bool {
    let mut deleted = false;
    left.range(op.op..).filter(|(_, later)| (&later.body.table, &later.body.id) == (&op.body.table, &op.body.id)).any(
        |(_, later)| {
            deleted |= later.body.kind == OpKind::Delete;
            deleted && later.body.kind == OpKind::Create && later.state.is_contained()
        },
    )
}

/// Numbers without holes, facts of a group on its first op, counts that fit (I-64).
fn log_faults(conn: &Connection, faults: &mut Vec<String>) -> Result<(), Error> {
    let checks = [
        ("op numbers have holes", "SELECT count(*) FROM _ts_ops HAVING count(*) <> max(op) - min(op) + 1"),
        (
            "an op does not follow the one before it in its group",
            "SELECT 1 FROM (SELECT grp, n, lag(grp) OVER w AS g, lag(n) OVER w AS m FROM _ts_ops WINDOW w AS (ORDER BY op)) \
             WHERE g IS NOT NULL AND NOT (grp = g AND n = m + 1 OR grp = g + 1 AND n = 0)",
        ),
        (
            "the facts of a group are not on its first op alone",
            "SELECT 1 FROM _ts_ops WHERE (n = 0) <> (gid IS NOT NULL) OR (n = 0) <> (session IS NOT NULL)",
        ),
        ("two groups share a gid", "SELECT gid FROM _ts_ops WHERE gid IS NOT NULL GROUP BY gid HAVING count(*) > 1"),
        (
            "a group is entered otherwise than it was written",
            "SELECT 1 FROM _ts_groups g WHERE EXISTS (SELECT 1 FROM _ts_ops WHERE op = g.first_op) AND NOT EXISTS \
             (SELECT 1 FROM _ts_ops o WHERE o.op = g.first_op AND o.grp = g.grp AND g.ops = \
             (SELECT count(*) FROM _ts_ops p WHERE p.op >= g.first_op AND p.op < g.first_op + g.ops AND p.grp = g.grp))",
        ),
        (
            "a write id names a group that is not in the log",
            "SELECT 1 FROM _ts_write_ids w WHERE gid IS NOT NULL AND grp >= (SELECT min(grp) FROM _ts_ops) \
             AND NOT EXISTS (SELECT 1 FROM _ts_ops o WHERE o.grp = w.grp AND o.gid = w.gid)",
        ),
    ];
    for (fault, sql) in checks {
        if conn.prepare_cached(sql)?.exists([])? {
            faults.push(fault.to_owned());
        }
    }
    let mut named = conn.prepare_cached(
        "SELECT o.gid, g.gid FROM _ts_groups g JOIN _ts_ops o ON o.op = g.first_op WHERE o.gid <> g.gid",
    )?;
    let named = named.query_map([], |row| Ok((Gid(row.get(0)?), Gid(row.get(1)?))))?;
    for names in named {
        let (written, entered) = names?;
        // What was sent and given up goes on under the gid that follows, and may be given up again.
        if !std::iter::successors(Some(written), |gid| Some(follow_up(*gid))).take(NAMES_MAX).any(|gid| gid == entered)
        {
            faults.push("a group is entered under another gid than it was written".to_owned());
        }
    }
    let settled: i64 = meta::read(conn, Key::SettledOps)?.unwrap_or(0);
    let pending: i64 = conn
        .prepare_cached(&format!(
            "SELECT count(*) FROM _ts_ops o LEFT JOIN _ts_groups g ON g.grp = o.grp WHERE ({} >> coalesce(g.state, 0)) & 1",
            *states::PENDING
        ))?
        .query_row([], |row| row.get(0))?;
    let newest: i64 =
        conn.prepare_cached("SELECT coalesce(max(op), 0) FROM _ts_ops")?.query_row([], |row| row.get(0))?;
    if newest - settled != pending {
        faults.push(format!("{pending} ops are pending, {} are counted", newest - settled));
    }
    Ok(())
}

fn canonical(table: &TableSql, fields: Option<Fields>) -> Option<Fields> {
    fields.map(|fields| table.def.canonical_fields(&table.def.typed(fields)))
}
