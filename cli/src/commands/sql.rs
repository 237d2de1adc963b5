//! `turnstone sql`: one statement on this device's database. Changes to synced tables are captured and travel.

use serde::Serialize;
use turnstone::{Rows, Value};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::global::Global;
use crate::opening::SchemaChoice;
use crate::output::{Output, table};

use super::row::cell;

/// Options of `sql`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The statement; `?` stands for a parameter.
    statement: String,
    /// The parameters, in order: text, or JSON after `:=` (`:=-42`, `:=null`).
    params: Vec<String>,
}

#[derive(Serialize)]
struct Found<'a> {
    columns: &'a [String],
    rows: &'a [Vec<Value>],
}

#[derive(Serialize)]
struct Changed {
    changed: usize,
}

pub(crate) fn run(global: &Global, output: Output, args: &Args) -> Result<Exit, Failure> {
    let params = args.params.iter().map(|text| param(text)).collect::<Result<Vec<_>, _>>()?;
    let store = global.open_existing(SchemaChoice::Any)?;
    if is_query(&args.statement) {
        return found(output, &store.query(&args.statement, &params)?);
    }
    if has_returning(&args.statement) {
        let sql = args.statement.clone();
        return found(output, &store.write(move |tx| tx.query(&sql, &params))?);
    }
    let changed = Changed { changed: store.execute(&args.statement, &params)? };
    output.result(&changed, || format!("{} rows changed", changed.changed))?;
    Ok(Exit::Ok)
}

fn found(output: Output, rows: &Rows) -> Result<Exit, Failure> {
    output.result(&Found { columns: &rows.columns, rows: &rows.rows }, || {
        let header: Vec<&str> = rows.columns.iter().map(String::as_str).collect();
        table(&header, rows.rows.iter().map(|row| row.iter().map(cell).collect()))
    })?;
    Ok(Exit::Ok)
}

fn param(text: &str) -> Result<Value, Failure> {
    match text.strip_prefix(":=") {
        None => Ok(Value::from(text)),
        Some(json) => serde_json::from_str(json).map_err(|_| {
            Failure::bad_input("malformed", "A parameter after := is not JSON.", "Write :=42, :=null, :=true.")
        }),
    }
}

fn is_query(sql: &str) -> bool {
    let first = sql.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    let reads = ["select", "values", "explain"].iter().any(|word| first.eq_ignore_ascii_case(word));
    // WITH may begin either; a writing one says so.
    let words = || sql.split(|c: char| !c.is_ascii_alphabetic());
    let writes = || words().any(|word| ["insert", "update", "delete"].iter().any(|w| word.eq_ignore_ascii_case(w)));
    reads || (first.eq_ignore_ascii_case("with") && !writes())
}

fn has_returning(sql: &str) -> bool {
    sql.split(|c: char| !c.is_ascii_alphabetic()).any(|word| word.eq_ignore_ascii_case("returning"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_told_from_writes() {
        for sql in ["SELECT 1", " values (1)", "with a as (select 1) select * from a", "EXPLAIN SELECT 1"] {
            assert!(is_query(sql), "{sql}");
        }
        for sql in ["UPDATE notes SET a = 1", "with a as (select 1) delete from notes", "pragma x", ""] {
            assert!(!is_query(sql), "{sql}");
        }
        assert!(has_returning("insert into a values (1) returning id"));
    }
}
