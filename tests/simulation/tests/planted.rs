//! The calibration build in small, for the gate: a few planted bugs are found soon, and without one nothing is.
//! `make sim-calibrate` asks for all of them.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use turnstone_protocol::plant::{Bug, set};
use turnstone_simulation::run;

/// One of each kind: the server's memory, the merge, the fold, the log, the identity. None of them makes a world run
/// for ever.
const QUICK: [Bug; 5] =
    [Bug::NoDedupe, Bug::TieByArrival, Bug::PullOverwritesPending, Bug::AckClearsAll, Bug::SealedAgain];

/// Each within 20 seeds. One test, one after the other: there is one switch for all threads.
#[test]
fn planted_bugs_are_found_and_nothing_else() {
    for bug in QUICK {
        set(Some(bug));
        let found = (1..=20).find_map(|seed| Some((seed, run::seed(seed, 300).violations.first()?.invariant)));
        set(None);
        println!("{bug:?}: {found:?}");
        let (seed, promise) = found.unwrap_or_else(|| panic!("{bug:?} is not found in 20 seeds"));
        let violations = run::seed(seed, 300).violations;
        assert!(violations.is_empty(), "seed {seed} breaks {promise} without {bug:?} too: {violations:?}");
    }
}
