//! Lists of group states for SQL, made from what the states say of themselves: no statement can forget one.

use std::sync::LazyLock;

use turnstone_engine::oplog::GroupState;

/// Folded over the base of their rows.
pub(crate) static IN_FOLD: LazyLock<String> = LazyLock::new(|| list(GroupState::in_fold));
/// Waiting for the server's word.
pub(crate) static PENDING: LazyLock<String> = LazyLock::new(|| list(GroupState::is_pending));
/// Sent, and to be sent again until their end is known.
pub(crate) static RESENT: LazyLock<String> = LazyLock::new(|| list(GroupState::is_resent));
/// What the next batch may hold.
pub(crate) static SENDABLE: LazyLock<String> =
    LazyLock::new(|| list(|state| state == GroupState::New || state.is_resent()));
/// Undecided, or still to be sent.
pub(crate) static OPEN: LazyLock<String> = LazyLock::new(|| list(|state| state.is_pending() || state.is_resent()));
/// Applied, or on their way. What is held back is not: it is meant again, in its order.
pub(crate) static STANDING: LazyLock<String> = LazyLock::new(|| {
    list(|state| (state.in_fold() || matches!(state, GroupState::Gone | GroupState::Unheard)) && !state.is_held_back())
});

fn list(holds: impl Fn(GroupState) -> bool) -> String {
    let numbers: Vec<String> =
        GroupState::ALL.into_iter().filter(|state| holds(*state)).map(|state| state.number().to_string()).collect();
    format!("({})", numbers.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The partial index of the log is written out in its migration.
    #[test]
    fn the_index_of_odd_groups_holds_what_is_held_back_or_void() {
        let odd = list(|state| state.is_held_back() || state.is_void());
        assert!(include_str!("migrations/0001_internal.sql").contains(&format!("WHERE state IN {odd};")), "{odd}");
    }
}
