//! Which later ops build on a refused one (rule 16: parking is narrow).

use turnstone_protocol::op::{Op, OpKind};

/// Whether `later`, an op on the same row, builds on `refused`: the row it needs was never made, or a value it
/// replaces was never there. Everything else goes on.
#[must_use]
pub fn builds_on(later: &Op, refused: &Op) -> bool {
    if later.table != refused.table || later.id != refused.id {
        return false;
    }
    match refused.kind {
        // Another create of the same id makes the row itself.
        OpKind::Create | OpKind::Undelete => later.kind != OpKind::Create,
        OpKind::Update => refused.set.iter().any(|(field, value)| match later.was.get(field) {
            Some(was) => was == value,
            // Larger values travel as a hash; the op that follows on such a field replaced this one.
            None => later.was_hash.contains_key(field),
        }),
        OpKind::Delete => false,
    }
}
