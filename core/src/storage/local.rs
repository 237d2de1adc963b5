//! SQL of the app's own at open: full-text tables, views, triggers; and the check that none of them writes what syncs.

use rusqlite::Connection;

use super::gate::{Gate, Whose};
use super::tables::{TableSql, Tables};
use crate::error::Error;

/// Runs the app's statements, all or none, then checks its triggers (rule 22).
///
/// # Errors
/// [`Error::SqlRefused`], [`Error::Sql`], or [`Error::SchemaContradicts`] for a trigger that writes a synced table.
pub(crate) fn run(conn: &mut Connection, gate: &Gate, tables: &Tables, statements: &[String]) -> Result<(), Error> {
    if !statements.is_empty() {
        let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        for statement in statements {
            gate.reset();
            let done = gate.as_whose(Whose::Local, || tx.execute(statement, []));
            if let (_, Some(what)) = gate.take() {
                return Err(Error::SqlRefused { what });
            }
            done?;
        }
        tx.commit()?;
    }
    check_triggers(conn, gate, tables)
}

fn check_triggers(conn: &Connection, gate: &Gate, tables: &Tables) -> Result<(), Error> {
    let mut found = conn.prepare(
        "SELECT DISTINCT tbl_name FROM sqlite_schema WHERE type = 'trigger' AND substr(name, 1, 4) <> '_ts_'",
    )?;
    let names = found.query_map([], |row| row.get::<_, String>(0))?;
    for name in names {
        if let Some(table) = tables.find(&name?) {
            check_table(conn, gate, tables, table)?;
        }
    }
    Ok(())
}

/// Compiles one statement of each kind on the table: SQLite tells the gate what its triggers would write.
fn check_table(conn: &Connection, gate: &Gate, tables: &Tables, table: &TableSql) -> Result<(), Error> {
    let name = &table.quoted;
    let set: Vec<String> =
        table.columns.iter().map(|column| super::value::quoted(column)).map(|c| format!("{c} = {c}")).collect();
    let set = if set.is_empty() { "id = id".to_owned() } else { format!("id = id, {}", set.join(", ")) };
    let statements = [
        format!("EXPLAIN INSERT INTO {name} (id) VALUES ('')"),
        format!("EXPLAIN UPDATE {name} SET {set}"),
        format!("EXPLAIN DELETE FROM {name}"),
    ];
    for statement in statements {
        gate.reset();
        let prepared = gate.as_whose(Whose::Apps, || conn.prepare(&statement).map(drop));
        let (plan, refused) = gate.take();
        if let Some(what) = refused {
            return Err(Error::SqlRefused { what });
        }
        prepared?;
        if let Some(written) = plan.triggered.first() {
            return Err(Error::SchemaContradicts {
                reason: format!(
                    "a trigger on table `{}` writes the synced table `{}`; triggers may write local_only and full-text tables only",
                    table.def.name,
                    tables.at(*written)?.def.name
                ),
            });
        }
    }
    Ok(())
}
