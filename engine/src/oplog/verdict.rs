//! What a verdict means for the group it is about: a pure decision.

use turnstone_protocol::catalogue::Code;
use turnstone_protocol::plant::{self, Bug};
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
    /// Accepted, and its page has shown it: the base contains what became of it.
    Gone {
        /// The commit.
        commit: u64,
    },
    /// Refused for good: its change is undone and kept as a dead letter.
    Refused {
        /// Why.
        code: Code,
    },
    /// Given up, as this device asked: the server will never apply it. What becomes of its change was settled then.
    Buried,
    /// Not yet: it is sent again later.
    Waits {
        /// Why.
        code: Code,
    },
    /// Nothing new: an answer that came late or twice.
    Nothing,
}

/// Decides what a verdict does to a group in `state`.
///
/// A page shows every commit of this device. So a group that none has shown waits for its page, also where the cursor
/// stands at its commit or after it: then the server told of it in a history that has ended, and the next page says so.
#[must_use]
pub fn settle(state: GroupState, verdict: &Verdict) -> Settlement {
    if matches!(state, GroupState::New | GroupState::Parked | GroupState::Decided | GroupState::Gone | GroupState::Dead)
    {
        return Settlement::Nothing;
    }
    // Given up here: any end but having been applied confirms that.
    if state.is_void() && verdict.verdict.is_terminal() && !verdict.verdict.is_accepted() {
        return Settlement::Buried;
    }
    match verdict.verdict {
        Outcome::Applied | Outcome::Merged => match verdict.commit {
            Some(commit) if state == GroupState::Unheard || plant::on(Bug::AckEndsFold) => Settlement::Gone { commit },
            Some(commit) => Settlement::Decided { commit },
            // An accepted group has a commit; a server that says otherwise is asked again.
            None => Settlement::Waits { code: Code::Malformed },
        },
        Outcome::Rejected => Settlement::Refused { code: verdict.code.clone().unwrap_or(Code::Malformed) },
        Outcome::Conflict => Settlement::Refused { code: verdict.code.clone().unwrap_or(Code::RowExists) },
        Outcome::OpExpired => Settlement::Refused { code: Code::OpExpired },
        // This device did not ask for that (it was restored from a backup made before it did): never silently.
        Outcome::Voided => Settlement::Refused { code: verdict.code.clone().unwrap_or(Code::Other("voided".into())) },
        Outcome::Replaced => {
            Settlement::Refused { code: verdict.code.clone().unwrap_or(Code::Other("replaced".into())) }
        }
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
    if plant::on(Bug::LostNotKept) {
        return Vec::new();
    }
    let mut lost: Vec<usize> =
        explain.iter().filter(|why| why.policy == DELETE_WINS && why.kept == Kept::Theirs).map(|why| why.op).collect();
    lost.sort_unstable();
    lost.dedup();
    lost
}

/// The name `explain` gives the policy by which a delete beats an edit.
pub const DELETE_WINS: &str = "delete_wins";

#[cfg(test)]
mod tests {
    use turnstone_protocol::Gid;

    use super::*;

    fn verdict(outcome: Outcome, commit: Option<u64>) -> Verdict {
        Verdict {
            gid: Gid::default(),
            seq: 1,
            verdict: outcome,
            commit,
            code: None,
            fields: Vec::new(),
            by: Vec::new(),
            explain: Vec::new(),
        }
    }

    /// I-13: what each answer does in each state.
    #[test]
    fn every_outcome_in_every_state() {
        let answers = [
            ("applied at 9", verdict(Outcome::Applied, Some(9))),
            ("merged at 4", verdict(Outcome::Merged, Some(4))),
            ("applied, no commit", verdict(Outcome::Applied, None)),
            ("rejected", verdict(Outcome::Rejected, None)),
            ("blocked", verdict(Outcome::Blocked, None)),
            ("retry", verdict(Outcome::Retry, None)),
            ("schema_behind", verdict(Outcome::SchemaBehind, None)),
            ("op_expired", verdict(Outcome::OpExpired, None)),
            ("voided", verdict(Outcome::Voided, None)),
            ("replaced", verdict(Outcome::Replaced, None)),
        ];
        let mut text = String::new();
        for (name, verdict) in &answers {
            for state in GroupState::ALL {
                text += &format!("{name:<19} {:<9} {:?}\n", format!("{state:?}"), settle(state, verdict));
            }
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_terminal_outcome_never_leaves_a_group_to_be_sent_again() {
        let resent = [GroupState::Sent, GroupState::Voiding, GroupState::Unheard, GroupState::Held];
        for outcome in [
            Outcome::Applied,
            Outcome::Merged,
            Outcome::Rejected,
            Outcome::Conflict,
            Outcome::OpExpired,
            Outcome::Voided,
            Outcome::Replaced,
        ] {
            for state in resent {
                let settled = settle(state, &verdict(outcome, Some(3)));
                assert!(!matches!(settled, Settlement::Waits { .. } | Settlement::Nothing), "{outcome:?} in {state:?}");
            }
        }
    }

    #[test]
    fn only_what_lost_to_a_delete_is_lost() {
        let why = |op, policy: &str, kept| Explain { op, field: None, policy: policy.to_owned(), kept, other: None };
        let explain = [
            why(3, DELETE_WINS, Kept::Theirs),
            why(0, DELETE_WINS, Kept::Mine),
            why(1, "edit_wins", Kept::Theirs),
            why(2, "lww", Kept::Theirs),
            why(3, DELETE_WINS, Kept::Theirs),
        ];
        assert_eq!(lost_ops(&explain), [3]);
    }
}
