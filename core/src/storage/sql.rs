//! SQL of the app inside a write transaction: judged, run, captured.

use std::sync::Arc;

use rusqlite::{CachedStatement, Statement};
use turnstone_protocol::Value;

use super::capture::install_triggers;
use super::gate::{Gate, Plan, Savepoint, Whose};
use super::tx::Tx;
use super::value::Bound;
use super::writer::State;
use crate::error::Error;
use crate::row::{Rows, value_of};

/// Marks SQL of the app where prepared statements are kept, so that a statement of ours, prepared with our rights,
/// never runs in its place.
const APPS: &str = "/*app*/ ";

/// The most statements whose plan is remembered; then all are forgotten, with SQLite's own.
const PLANS_MAX: usize = 200;

impl<'a> Tx<'a> {
    /// Prepares one statement of the app, runs it with capture on, and keeps count.
    pub(super) fn run_sql<T>(
        &mut self,
        sql: &str,
        run: impl FnOnce(&mut Statement<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (mut statement, plan) = self.prepare(sql)?;
        for at in &plan.synced {
            self.capture_table(*at)?;
        }
        if plan.savepoint == Some(Savepoint::Begin) {
            self.flush()?;
        }
        let gate = self.state.gate.clone();
        self.state.capture.set_on(true);
        let done = gate.as_whose(Whose::Apps, || run(&mut statement));
        self.state.capture.set_on(false);
        let done = match self.state.capture.take_refused() {
            Some(refused) => Err(refused),
            None => gate.explain(done),
        };
        if done.is_err() {
            self.state.capture.doubt();
        }
        match plan.savepoint {
            None => drop(statement),
            // Not kept: the next one must pass the gate again, which is how it is noticed.
            Some(_) => statement.discard(),
        }
        if done.is_ok() && plan.savepoint == Some(Savepoint::Rollback) {
            self.broken_by(Self::rolled_back)?;
        }
        self.alive()?;
        for table in &plan.others {
            self.changes.table(table);
        }
        done
    }

    fn prepare(&mut self, sql: &str) -> Result<(CachedStatement<'a>, Arc<Plan>), Error> {
        let marked = marked(sql);
        let known = self.state.plans.get(&marked).cloned();
        let (statement, plan) = prepare(self.conn, &self.state.gate, &marked)?;
        let plan = match known {
            Some(plan) => plan,
            None => keep(self.conn, self.state, marked, plan),
        };
        Ok((statement, plan))
    }

    fn capture_table(&mut self, at: usize) -> Result<(), Error> {
        if let Some(captured @ false) = self.state.captured.get_mut(at) {
            install_triggers(self.conn, self.setup.tables.at(at)?)?;
            *captured = true;
        }
        Ok(())
    }
}

/// SQL of the app as it is prepared.
pub(super) fn marked(sql: &str) -> String {
    format!("{APPS}{sql}")
}

fn keep(conn: &rusqlite::Connection, state: &mut State, marked: String, plan: Plan) -> Arc<Plan> {
    if state.plans.len() >= PLANS_MAX {
        state.plans.clear();
        conn.flush_prepared_statement_cache();
    }
    let plan = Arc::new(plan);
    if plan.savepoint.is_none() {
        state.plans.insert(marked, Arc::clone(&plan));
    }
    plan
}

/// Prepares a statement of the app, or takes it prepared; what the gate saw is only whole in the first case.
pub(super) fn prepare<'c>(
    conn: &'c rusqlite::Connection,
    gate: &Gate,
    sql: &str,
) -> Result<(CachedStatement<'c>, Plan), Error> {
    gate.reset();
    let prepared = gate.as_whose(Whose::Apps, || conn.prepare_cached(sql));
    let (plan, refused) = gate.take();
    match (prepared, refused) {
        (_, Some(what)) => Err(Error::SqlRefused { what }),
        (Ok(statement), None) => Ok((statement, plan)),
        (Err(error), None) => Err(error.into()),
    }
}

/// Binds, runs to the end, collects what comes.
pub(super) fn collect(statement: &mut Statement<'_>, params: &[Value]) -> Result<Rows, Error> {
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let width = columns.len();
    bind(statement, params)?;
    let mut found = statement.raw_query();
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let values = (0..width).map(|at| value_of(row.get_ref(at)?));
        rows.push(values.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(Rows { columns, rows })
}

/// Binds and runs to the end; says how many rows were changed.
pub(super) fn execute(statement: &mut Statement<'_>, params: &[Value]) -> Result<usize, Error> {
    bind(statement, params)?;
    if statement.column_count() == 0 {
        return Ok(statement.raw_execute()?);
    }
    // With RETURNING: it has done its work only when it was run to the end.
    let mut found = statement.raw_query();
    let mut rows = 0;
    while found.next()?.is_some() {
        rows += 1;
    }
    Ok(rows)
}

/// Binds every parameter.
pub(super) fn bind(statement: &mut Statement<'_>, params: &[Value]) -> Result<(), Error> {
    if statement.parameter_count() != params.len() {
        return Err(Error::Sql {
            message: format!(
                "{} parameters were given, the statement has {}",
                params.len(),
                statement.parameter_count()
            ),
        });
    }
    for (at, value) in params.iter().enumerate() {
        statement.raw_bind_parameter(at + 1, Bound(value))?;
    }
    Ok(())
}
