//! Runs a device's session.

use std::collections::BTreeMap;
use std::io::{BufRead, Write as _};

use turnstone::{Error, Store, Tx, Value};

use super::wire::{Act, Answer, Counted, Failed, Request, RowWrite, Synced, Write, Wrote};
use crate::commands::row::quoted;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::writing::write;

/// Answers lines until stdin ends.
///
/// # Errors
/// A failure of stdin or stdout. Failures of requests are answers.
pub fn run(store: &Store) -> Result<(), Failure> {
    let broken = |error: std::io::Error| {
        Failure::new(Exit::Failure, "session", format!("The session broke: {error}."), "Start it again.")
    };
    let (input, mut out) = (std::io::stdin().lock(), std::io::stdout().lock());
    for line in input.lines() {
        let answer = match serde_json::from_str(&line.map_err(broken)?) {
            Ok(request) => answer(store, request).unwrap_or_else(Answer::Failed),
            Err(_) => Answer::Failed(Failed { code: "malformed".to_owned(), message: "Not a request.".to_owned() }),
        };
        let mut text = serde_json::to_vec(&answer).unwrap_or_default();
        text.push(b'\n');
        out.write_all(&text).and_then(|()| out.flush()).map_err(broken)?;
    }
    Ok(())
}

fn answer(store: &Store, request: Request) -> Result<Answer, Failed> {
    match request {
        Request::Write(group) => save(store, group),
        Request::Sync { attempts } => Ok(Answer::Synced(sync(store, attempts)?)),
        Request::Status => {
            let status = store.status()?;
            let dead_codes = store.dead_letters()?.into_iter().map(|letter| letter.code).collect();
            let (pending_groups, dead_letters) = (status.pending_groups, status.dead_letters);
            Ok(Answer::Status(Counted { pending_groups, dead_letters, dead_codes }))
        }
        Request::Hash => {
            let hash = store.state_hash()?;
            Ok(Answer::Hash { at: hash.at, rows: hash.rows, hash: hash.hash })
        }
        Request::Rows { table } => rows(store, &table),
    }
}

fn save(store: &Store, group: Write) -> Result<Answer, Failed> {
    let Write { table, writes, write_id } = group;
    let wrote = write(store, write_id.as_deref(), move |tx| {
        for row in writes {
            put(tx, &table, row)?;
        }
        Ok(String::new())
    })?;
    Ok(Answer::Wrote(Wrote { repeated: wrote.repeated }))
}

fn put(tx: &mut Tx<'_>, table: &str, row: RowWrite) -> Result<(), Error> {
    match row.act {
        Act::Put => {
            tx.upsert(table, &row.id, row.set)?;
        }
        Act::Set if row.set.is_empty() => {}
        Act::Set => tx.update(table, &row.id, row.set)?,
        Act::Delete => {
            if !tx.delete(table, &row.id)? {
                return Err(Error::RowMissing { table: table.to_owned() });
            }
        }
    }
    for (field, by) in &row.inc {
        tx.increment(table, &row.id, field, *by)?;
    }
    Ok(())
}

fn sync(store: &Store, attempts: u32) -> Result<Synced, Failed> {
    let (mut done, before) = (Synced::default(), store.totals());
    while done.attempts < attempts && !done.quiet {
        done.attempts += 1;
        match store.sync_blocking() {
            // What the server wants to see again later is not quiet.
            Ok(_) => done.quiet = store.status()?.pending_groups == 0,
            Err(error) => {
                let failure = Failure::from(error);
                let again = failure.exit == Exit::Offline;
                done.last_failure = Some(Failed::from(failure));
                if !again {
                    break;
                }
            }
        }
    }
    // The totals also know what was done by attempts that failed in the end.
    done.count(&before, &store.totals());
    Ok(done)
}

fn rows(store: &Store, table: &str) -> Result<Answer, Failed> {
    let ids = store.query(&format!("SELECT id FROM {} ORDER BY id", quoted(table)), &[])?;
    let mut found = BTreeMap::new();
    for id in ids.rows.into_iter().flatten() {
        if let Value::Text(id) = id
            && let Some(row) = store.get(table, &id)?
        {
            found.insert(id, row.into_fields());
        }
    }
    Ok(Answer::Rows(found))
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self { code: failure.code, message: failure.message }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failure::from(error).into()
    }
}
