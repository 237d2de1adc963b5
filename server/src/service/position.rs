//! Where a device may stand, and up to where history is stable.

use turnstone_protocol::hash::CHAIN_START;
use turnstone_protocol::{Code, Problem};

use super::open::Rules;
use crate::cursor::Cursor;
use crate::storage::{Head, StorageError, TenantNo, View};

/// Checks that a cursor is a position of this very history, still served. The inner problem names what it is instead.
pub(super) fn check_cursor<V: View + ?Sized>(
    view: &V,
    rules: &Rules,
    tenant: TenantNo,
    head: &Head,
    cursor: &Cursor,
) -> Result<Result<(), Problem>, StorageError> {
    if cursor.epoch != Cursor::half(rules.epoch) {
        let title = "The server's history is another one: keep pending work, pull from the start.";
        return Ok(Err(Problem::new(Code::EpochChanged, title)));
    }
    if cursor.n < head.horizon {
        return Ok(Err(expired()));
    }
    let known = cursor.known();
    let chain = if known == 0 {
        Some(CHAIN_START)
    } else if known == head.n {
        Some(head.chain)
    } else if known > head.n {
        None
    } else {
        view.commit(tenant, known)?.map(|commit| commit.chain)
    };
    // A position this history does not have: the server was restored from a backup (I-40).
    if chain.is_none_or(|chain| Cursor::quarter(&chain) != cursor.chain) {
        let title = "The cursor is ahead of the server's history: it was restored from a backup.";
        return Ok(Err(Problem::new(Code::EpochSuspect, title)));
    }
    Ok(Ok(()))
}

/// The answer to a device behind the horizon.
pub(super) fn expired() -> Problem {
    Problem::new(Code::CursorExpired, "The cursor is older than the history still served: start from a snapshot.")
}

/// The newest commit that is older than `after_ms`: clients may forget their own groups up to it (rule 17).
pub(super) fn stable<V: View + ?Sized>(
    view: &V,
    tenant: TenantNo,
    head: &Head,
    now_ms: u64,
    after_ms: u64,
) -> Result<u64, StorageError> {
    let Some(limit) = now_ms.checked_sub(after_ms) else { return Ok(head.stable) };
    // Commit times never fall, so a binary search finds the last one at or before the limit; in a quiet moment the
    // first look says that nothing has become stable since.
    let mut low = head.stable.max(head.horizon);
    let mut high = head.n;
    let mut probe = low.saturating_add(1);
    while low < high {
        let old = view.commit(tenant, probe)?.is_none_or(|commit| commit.ms <= limit);
        if old {
            low = probe;
        } else {
            high = probe - 1;
        }
        probe = low + (high - low).div_ceil(2);
    }
    Ok(low)
}
