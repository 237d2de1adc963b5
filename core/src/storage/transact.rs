//! One turn in the seat: a transaction, those who joined it, one commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::ChangeSet;
use super::seat::{Job, Place, Turn};
use super::tx::Tx;
use super::writer::{Setup, Writer};
use crate::error::Error;

/// The most closures that share one commit with the first: bounds how long each of them waits.
const JOINED_MAX: usize = 128;

const PANICKED: Error = Error::Internal { what: "a closure panicked; its transaction was undone" };

/// What a local transaction left when it was ready to be committed.
pub(crate) struct Ready<T> {
    /// What the closure returned.
    pub(crate) value: T,
    /// What it changed.
    pub(crate) changes: ChangeSet,
}

/// Runs `first`, then the closures of those who wait, and commits. `told` gets what was changed, after the commit
/// and before anybody else writes. After an error of `first`, nothing was changed.
pub(crate) fn run<T>(
    turn: &mut Turn<'_>,
    setup: &Setup,
    first: impl FnOnce(&mut Writer) -> Result<Ready<T>, Error>,
    told: impl FnOnce(ChangeSet),
) -> Result<T, Error> {
    let writer = turn.writer()?;
    writer.begin(setup)?;
    let done = catch_unwind(AssertUnwindSafe(|| first(writer))).unwrap_or(Err(PANICKED));
    let Ready { value, mut changes } = match done {
        Ok(ready) => ready,
        Err(error) => {
            writer.rollback();
            return Err(error);
        }
    };
    let mut joined = Vec::new();
    let lost = join(turn, setup, &mut joined, &mut changes);
    let writer = turn.writer()?;
    let committed = match lost {
        Some(error) => {
            writer.rollback();
            Err(error)
        }
        None => writer.commit(),
    };
    if committed.is_ok() {
        told(changes);
    }
    for place in joined {
        place.finish(committed.clone());
    }
    committed.map(|()| value)
}

/// Runs a local transaction's closure up to where it can be committed.
pub(crate) fn local<T>(
    writer: &mut Writer,
    setup: &Setup,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>,
) -> Result<Ready<T>, Error> {
    let Writer { conn, state, .. } = writer;
    state.capture.set_on(false);
    let mut tx = Tx::new(conn, setup, state);
    let value = work(&mut tx)?;
    tx.alive()?;
    tx.flush()?;
    let Tx { mut changes, draft, state, .. } = tx;
    if draft.ops > 0 {
        draft.check_packed(conn)?;
        state.numbers.next_op = draft.next_op();
        state.numbers.next_grp = draft.grp() + 1;
        changes.ops += draft.ops as u64;
    }
    Ok(Ready { value, changes })
}

/// Runs the closures of those who wait, each in a savepoint. Returns why the whole transaction is lost, if it is.
fn join(turn: &mut Turn<'_>, setup: &Setup, joined: &mut Vec<Arc<Place>>, changes: &mut ChangeSet) -> Option<Error> {
    while joined.len() < JOINED_MAX {
        let (place, job) = turn.next_job()?;
        let writer = match turn.writer() {
            Ok(writer) => writer,
            Err(error) => return Some(error),
        };
        match in_savepoint(writer, setup, job) {
            Ok(Ok(more)) => {
                changes.add(more);
                joined.push(place);
            }
            Ok(Err(error)) => place.finish(Err(error)),
            Err(error) => {
                joined.push(place);
                return Some(error);
            }
        }
    }
    None
}

/// The outer error means that the whole transaction is lost.
fn in_savepoint(writer: &mut Writer, setup: &Setup, job: Job) -> Result<Result<ChangeSet, Error>, Error> {
    writer.conn.prepare_cached("SAVEPOINT _ts_job")?.raw_execute()?;
    let before = writer.state.numbers;
    let done = catch_unwind(AssertUnwindSafe(|| local(writer, setup, job))).unwrap_or(Err(PANICKED));
    match done {
        Ok(ready) => {
            writer.conn.prepare_cached("RELEASE _ts_job")?.raw_execute()?;
            Ok(Ok(ready.changes))
        }
        Err(error) if writer.conn.is_autocommit() => {
            // SQLite undid everything: its disk was full, or the closure said OR ROLLBACK.
            Err(if error == Error::Lost || matches!(error, Error::Sql { .. }) { Error::Lost } else { error })
        }
        Err(error) => {
            writer.conn.prepare_cached("ROLLBACK TO _ts_job")?.raw_execute()?;
            writer.conn.prepare_cached("RELEASE _ts_job")?.raw_execute()?;
            writer.state.numbers = before;
            writer.state.forget_captured();
            Ok(Err(error))
        }
    }
}
