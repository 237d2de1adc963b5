//! The signatures; the bodies come one by one.

use turnstone_engine::oplog::Moment;
use turnstone_protocol::wire::{PullAnswer, PushAnswer};
use turnstone_protocol::{Code, Epoch, Gid, Hlc, Incarnation};

use super::{
    Batch, DeadLetter, Error, Ground, Identity, PageReport, Position, ResetWhy, RetryRefused, RowSync, SealInput, Sent,
    StatusCounts, VerdictReport,
};

fn unbuilt<T>() -> Result<T, Error> {
    Err(Error::InvalidQuery)
}

/// Who this database is on the wire.
pub(crate) fn identity(_sys: &Ground<'_>) -> Result<Identity, Error> {
    unbuilt()
}

/// How far this database has pulled.
pub(crate) fn position(_sys: &Ground<'_>) -> Result<Position, Error> {
    unbuilt()
}

/// Remembers what the server's clock said (hello, and every answer does it by itself).
pub(crate) fn heard(_sys: &mut Ground<'_>, _server_now_ms: u64, _hlc: Hlc, _now: Moment) -> Result<(), Error> {
    unbuilt()
}

/// Takes the next entries in seq order and seals those that are new. The caller commits before the first byte leaves.
pub(crate) fn seal_batch(_sys: &mut Ground<'_>, _input: &SealInput) -> Result<Batch, Error> {
    unbuilt()
}

/// Writes what the server said about a batch. Leaves out the pull half: that is `apply_page`'s.
pub(crate) fn apply_verdicts(
    _sys: &mut Ground<'_>,
    _answer: &PushAnswer,
    _sent: &[Sent],
    _now: Moment,
) -> Result<VerdictReport, Error> {
    unbuilt()
}

/// Applies a page that was asked for at `asked`, cursor last.
pub(crate) fn apply_page(
    _sys: &mut Ground<'_>,
    _page: &PullAnswer,
    _asked: Option<&str>,
    _now: Moment,
) -> Result<PageReport, Error> {
    unbuilt()
}

/// Moves a group that must not be sent (again) to the dead letters; a void gives its seq up.
/// False: there was nothing to set aside.
pub(crate) fn quarantine(_sys: &mut Ground<'_>, _gid: Gid, _code: &Code, _now: Moment) -> Result<bool, Error> {
    unbuilt()
}

/// Takes a new incarnation; everything undecided is sent again under it with the same gids and hashes.
pub(crate) fn new_incarnation(_sys: &mut Ground<'_>, _incarnation: Incarnation) -> Result<(), Error> {
    unbuilt()
}

/// Makes what was sent from `expected` on sendable again. False: the log no longer holds all of it.
pub(crate) fn rewind(_sys: &mut Ground<'_>, _expected: u64) -> Result<bool, Error> {
    unbuilt()
}

/// Starts again from the beginning of the feed. Pending work stays, and so do the rows until the feed was read
/// to its end; those it did not name are removed then.
pub(crate) fn reset_cursor(_sys: &mut Ground<'_>, _why: ResetWhy, _epoch: Option<Epoch>) -> Result<(), Error> {
    unbuilt()
}

/// Every dead letter, oldest first.
pub(crate) fn dead_letters(_sys: &Ground<'_>) -> Result<Vec<DeadLetter>, Error> {
    unbuilt()
}

/// Sends a dead letter again as a new group, based on the rows as they are now.
pub(crate) fn retry_dead_letter(
    _sys: &mut Ground<'_>,
    _id: i64,
    _gid: Gid,
    _now: Moment,
) -> Result<Result<(), RetryRefused>, Error> {
    unbuilt()
}

/// Where a row stands.
pub(crate) fn row_state(_sys: &Ground<'_>, _table: &str, _id: &str) -> Result<RowSync, Error> {
    unbuilt()
}

/// How much waits, without reading the log.
pub(crate) fn status_counts(_sys: &Ground<'_>) -> Result<StatusCounts, Error> {
    unbuilt()
}

/// Forgets own groups the server will never ask for again; bounded work per call. True: there may be more.
pub(crate) fn forget_stable(_sys: &mut Ground<'_>, _stable: u64) -> Result<bool, Error> {
    unbuilt()
}

/// The hash of the base layer, with the commit it stands for and its number of rows.
pub(crate) fn state_hash(_sys: &Ground<'_>) -> Result<(u64, u64, String), Error> {
    unbuilt()
}
