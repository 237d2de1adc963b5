//! Sets of group states for SQL, made from what the states say of themselves: no statement can forget one.
//!
//! A set is a number with the bit of each of its states: `({set} >> state) & 1`. For a list after IN, of more than two,
//! SQLite fills a table of its own each time the statement runs.

use std::sync::LazyLock;

use turnstone_engine::oplog::GroupState;

/// Waiting for the server's word.
pub(crate) static PENDING: LazyLock<i64> = LazyLock::new(|| set(GroupState::is_pending));
/// Sent, and to be sent again until their end is known.
pub(crate) static RESENT: LazyLock<i64> = LazyLock::new(|| set(GroupState::is_resent));
/// What the next batch may hold.
pub(crate) static SENDABLE: LazyLock<i64> =
    LazyLock::new(|| set(|state| state == GroupState::New || state.is_resent()));
/// Undecided, or still to be sent.
pub(crate) static OPEN: LazyLock<i64> = LazyLock::new(|| set(|state| state.is_pending() || state.is_resent()));
/// Applied, or on their way. What is held back is not: it is meant again, in its order.
pub(crate) static STANDING: LazyLock<i64> =
    LazyLock::new(|| set(|state| (state.in_fold() || state.is_contained()) && !state.is_held_back()));

fn set(holds: impl Fn(GroupState) -> bool) -> i64 {
    GroupState::ALL.into_iter().filter(|state| holds(*state)).map(|state| 1 << state.number()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The partial index of the log is written out in its migration.
    #[test]
    fn the_index_of_odd_groups_holds_what_is_held_back_or_void() {
        let odd = GroupState::ALL.into_iter().filter(|state| state.is_held_back() || state.is_void());
        let odd: Vec<String> = odd.map(|state| state.number().to_string()).collect();
        let odd = format!("({})", odd.join(", "));
        assert!(include_str!("migrations/0001_internal.sql").contains(&format!("WHERE state IN {odd};")), "{odd}");
    }
}
