//! What a verdict means for the group it is about: a pure decision.

use turnstone_protocol::catalogue::Code;
use turnstone_protocol::wire::{Explain, Kept, Outcome, Verdict};

use super::state::GroupState;

/// What to do with a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// Accepted; it stays in the fold until the cursor passes `commit`.
    Decided {
        /// The commit.
        commit: u64,
    },
    /// Accepted, and the cursor has passed it: it leaves the fold if it is still in it.
    Gone {
        /// The commit.
        commit: u64,
    },
    /// Refused for good: its change is undone and kept as a dead letter.
    Refused {
        /// Why.
        code: Code,
    },
    /// Given up or replaced, as this device asked: its change is undone, its letter was written when that was asked.
    Buried,
    /// Not yet: it is sent again later.
    Waits {
        /// Why.
        code: Code,
    },
    /// Nothing new: an answer that came late or twice.
    Nothing,
}

/// Decides what a verdict does to a group in `state`, with the cursor at commit `at`.
#[must_use]
pub fn settle(state: GroupState, verdict: &Verdict, at: u64) -> Settlement {
    if matches!(state, GroupState::Decided | GroupState::Gone) {
        return Settlement::Nothing;
    }
    // A late verdict of a group that is dead by an earlier verdict. One given up here is `Voiding` until it is heard.
    if state == GroupState::Dead {
        return Settlement::Nothing;
    }
    match verdict.verdict {
        Outcome::Applied | Outcome::Merged => match verdict.commit {
            Some(commit) if commit <= at || state == GroupState::Unheard => Settlement::Gone { commit },
            Some(commit) => Settlement::Decided { commit },
            // An accepted group has a commit; a server that says otherwise is asked again.
            None => Settlement::Waits { code: Code::Malformed },
        },
        Outcome::Rejected => Settlement::Refused { code: verdict.code.clone().unwrap_or(Code::Malformed) },
        Outcome::Conflict => Settlement::Refused { code: verdict.code.clone().unwrap_or(Code::RowExists) },
        Outcome::OpExpired => Settlement::Refused { code: Code::OpExpired },
        Outcome::Voided | Outcome::Replaced => Settlement::Buried,
        Outcome::Blocked => Settlement::Waits { code: Code::Blocked },
        Outcome::SchemaBehind => Settlement::Waits { code: verdict.code.clone().unwrap_or(Code::UnknownTable) },
        Outcome::Retry | Outcome::NeedBase => {
            Settlement::Waits { code: verdict.code.clone().unwrap_or(Code::Unavailable) }
        }
    }
}

/// The ops (from 0) of an accepted group that had no effect, because their row was deleted and the delete won.
/// Each becomes a dead letter of its own: a lost edit is always recoverable (I-36).
#[must_use]
pub fn lost_ops(explain: &[Explain]) -> Vec<usize> {
    let mut lost: Vec<usize> =
        explain.iter().filter(|why| why.policy == DELETE_WINS && why.kept == Kept::Theirs).map(|why| why.op).collect();
    lost.sort_unstable();
    lost.dedup();
    lost
}

/// The name `explain` gives the policy by which a delete beats an edit.
pub const DELETE_WINS: &str = "delete_wins";
