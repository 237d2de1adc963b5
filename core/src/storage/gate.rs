//! The gate of a connection: what SQL of the app may do, and what each statement touches.
//!
//! SQLite asks while it prepares a statement. Turnstone's own SQL passes; the app's is refused whatever would go
//! around capture (rule 23), and what it reads and writes is noted, so that nothing has to parse SQL.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization, TransactionOperation};

use super::capture::TRIGGER_PREFIX;
use super::tables::Tables;
use crate::error::Error;

/// Whose SQL is being prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Whose {
    /// Turnstone's.
    Ours = 0,
    /// The app's, inside a closure or a query.
    Apps = 1,
    /// The app's, at open: it may make tables, views and triggers of its own.
    Local = 2,
}

/// What a statement of the app does, as SQLite compiled it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Synced tables it writes, by place; also through triggers and views.
    pub(crate) synced: BTreeSet<usize>,
    /// Other tables it writes.
    pub(crate) others: BTreeSet<String>,
    /// Synced tables that triggers or views of the app write.
    pub(crate) triggered: BTreeSet<usize>,
    /// Tables it reads.
    pub(crate) reads: BTreeSet<String>,
    /// Whether it makes, releases or rolls back a savepoint.
    pub(crate) savepoint: Option<Savepoint>,
}

/// What a statement does to savepoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Savepoint {
    /// Makes one.
    Begin,
    /// Releases one.
    Release,
    /// Goes back to one.
    Rollback,
}

/// The shared state between a connection's authorizer and those who prepare statements on it.
#[derive(Clone)]
pub(crate) struct Gate {
    shared: Arc<Shared>,
}

struct Shared {
    whose: AtomicU8,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    plan: Plan,
    refused: Option<&'static str>,
}

impl Gate {
    /// Puts the gate in front of a connection.
    pub(crate) fn install(conn: &mut Connection, tables: Arc<Tables>) -> Result<Self, Error> {
        let shared = Arc::new(Shared { whose: AtomicU8::new(Whose::Ours as u8), seen: Mutex::default() });
        let gate = Self { shared: Arc::clone(&shared) };
        conn.authorizer(Some(move |asked: AuthContext<'_>| shared.decide(&tables, &asked)))?;
        Ok(gate)
    }

    /// Runs something as somebody else; nested calls come back to whoever was before, also after a panic.
    pub(crate) fn as_whose<T>(&self, whose: Whose, run: impl FnOnce() -> T) -> T {
        struct Back<'a>(&'a AtomicU8, u8);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                self.0.store(self.1, Ordering::Relaxed);
            }
        }
        let before = self.shared.whose.swap(whose as u8, Ordering::Relaxed);
        let _back = Back(&self.shared.whose, before);
        run()
    }

    /// Forgets what was seen, before a statement is prepared.
    pub(crate) fn reset(&self) {
        *self.seen() = Seen::default();
    }

    /// What was seen since: the plan, or why it was refused.
    pub(crate) fn take(&self) -> (Plan, Option<&'static str>) {
        let seen = std::mem::take(&mut *self.seen());
        (seen.plan, seen.refused)
    }

    /// Why a statement was refused while it ran: what it prepared on the way is judged as well.
    pub(crate) fn explain<T>(&self, done: Result<T, Error>) -> Result<T, Error> {
        match (done, self.seen().refused.take()) {
            (Err(_), Some(what)) => Err(Error::SqlRefused { what }),
            (done, _) => done,
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn decide(&self, tables: &Tables, asked: &AuthContext<'_>) -> Authorization {
        let whose = self.whose.load(Ordering::Relaxed);
        if whose == Whose::Ours as u8 {
            return Authorization::Allow;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match judge(tables, asked, whose == Whose::Local as u8, &mut seen.plan) {
            Ok(()) => Authorization::Allow,
            Err(why) => {
                seen.refused.get_or_insert(why);
                Authorization::Deny
            }
        }
    }
}

const TRANSACTION: &str = "BEGIN, COMMIT and ROLLBACK: the transaction is Turnstone's; return an error to undo it";
const ATTACH: &str = "ATTACH and DETACH: one database, one file";
const PRAGMA: &str = "a PRAGMA that sets something: say it in the options instead";
const DDL: &str =
    "changing tables, indexes, views or triggers: declare them in the schema, or pass `local_sql` at open";
const INTERNAL: &str = "writing Turnstone's own tables";
const HIDDEN: &str = "writing the hidden columns _v, _p, _extra";
const ROWID: &str = "writing the rowid of a synced table: the id is its key";
const OURS: &str = "calling Turnstone's own functions, or using its names";

/// Pragmas that only tell something when they are asked without a value.
const TELLING: &[&str] = &[
    "data_version",
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "integrity_check",
    "quick_check",
];

fn judge(tables: &Tables, asked: &AuthContext<'_>, local: bool, plan: &mut Plan) -> Result<(), &'static str> {
    match asked.action {
        AuthAction::Select | AuthAction::Recursive => Ok(()),
        AuthAction::Read { table_name, .. } => {
            if !plan.reads.contains(table_name) {
                plan.reads.insert(table_name.to_owned());
            }
            Ok(())
        }
        AuthAction::Function { function_name } => {
            let ours = asked.accessor.is_some_and(|accessor| accessor.starts_with(TRIGGER_PREFIX));
            if function_name.starts_with("_ts_") && !ours { Err(OURS) } else { Ok(()) }
        }
        AuthAction::Insert { table_name } | AuthAction::Delete { table_name } => {
            writes(tables, table_name, asked.accessor, local, plan)
        }
        AuthAction::Update { table_name, column_name } => {
            if tables.find(table_name).is_some_and(|table| !table.def.local_only) {
                match column_name {
                    "_v" | "_p" | "_extra" => return Err(HIDDEN),
                    "ROWID" | "rowid" => return Err(ROWID),
                    _ => {}
                }
            }
            writes(tables, table_name, asked.accessor, local, plan)
        }
        AuthAction::Pragma { pragma_name, pragma_value } => {
            // What these tell about a table or index is asked with its name as the value.
            let telling = TELLING.iter().any(|known| known.eq_ignore_ascii_case(pragma_name));
            if telling || pragma_value.is_none() && is_harmless(pragma_name) { Ok(()) } else { Err(PRAGMA) }
        }
        AuthAction::Savepoint { operation, savepoint_name } => {
            if savepoint_name.starts_with("_ts_") {
                return Err(OURS);
            }
            plan.savepoint = Some(match operation {
                TransactionOperation::Release => Savepoint::Release,
                TransactionOperation::Rollback => Savepoint::Rollback,
                _ => Savepoint::Begin,
            });
            Ok(())
        }
        AuthAction::Transaction { .. } => Err(TRANSACTION),
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => Err(ATTACH),
        ref action => defines(tables, action, local),
    }
}

/// Notes a write of a table. SQLite's own catalogue is written by DDL alone, which is judged by itself.
fn writes(
    tables: &Tables,
    name: &str,
    accessor: Option<&str>,
    local: bool,
    plan: &mut Plan,
) -> Result<(), &'static str> {
    if name.starts_with("_ts_") {
        return Err(INTERNAL);
    }
    match tables.find(name) {
        Some(table) if !table.def.local_only => {
            plan.synced.insert(table.index);
            if accessor.is_some() {
                plan.triggered.insert(table.index);
            }
        }
        _ if name.starts_with("sqlite_") => return if local { Ok(()) } else { Err(DDL) },
        _ if !plan.others.contains(name) => {
            plan.others.insert(name.to_owned());
        }
        _ => {}
    }
    Ok(())
}

/// Pragmas without a value that change nothing and wait for nobody.
fn is_harmless(pragma: &str) -> bool {
    ["user_version", "page_count", "page_size", "freelist_count", "encoding", "compile_options", "journal_mode"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(pragma))
}

/// Judges DDL: at open, the app makes and drops things of its own, never ours and never a declared table.
fn defines(tables: &Tables, action: &AuthAction<'_>, local: bool) -> Result<(), &'static str> {
    if !local {
        return Err(DDL);
    }
    let own = |name: &str| {
        if name.starts_with("_ts_") {
            Err(OURS)
        } else if tables.find(name).is_some() {
            Err(DDL)
        } else {
            Ok(())
        }
    };
    match *action {
        AuthAction::CreateTable { table_name }
        | AuthAction::DropTable { table_name }
        | AuthAction::CreateVtable { table_name, .. }
        | AuthAction::DropVtable { table_name, .. }
        | AuthAction::AlterTable { table_name, .. } => own(table_name),
        AuthAction::CreateView { view_name } | AuthAction::DropView { view_name } => own(view_name),
        AuthAction::CreateTrigger { trigger_name, .. } | AuthAction::DropTrigger { trigger_name, .. } => {
            own(trigger_name)
        }
        AuthAction::CreateIndex { index_name, table_name } | AuthAction::DropIndex { index_name, table_name } => {
            own(index_name)?;
            own(table_name)
        }
        AuthAction::Reindex { .. } => Ok(()),
        _ => Err(DDL),
    }
}
