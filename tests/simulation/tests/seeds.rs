//! A seed is a run, and a world without faults is calm. The search itself is `turnstone-sim run`; it joins these
//! tests once the question its README names is settled.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use turnstone_simulation::{run, swarm};

/// A seed gives the same run twice: same packets, same bytes on every disk, same end.
#[test]
fn a_seed_is_a_run() {
    for seed in [2, 5, 9, 17] {
        let (first, again) = (run::seed(seed, 250), run::seed(seed, 250));
        assert_eq!(first.trace, again.trace, "seed {seed}");
        assert_eq!(first.counters, again.counters, "seed {seed}");
    }
}

/// And the same on another thread, beside another run.
#[test]
#[expect(clippy::disallowed_methods, reason = "two threads at once are what is tested")]
fn a_seed_does_not_depend_on_its_thread() {
    let here = run::seed(5, 200).trace;
    let there = std::thread::spawn(|| {
        let other = std::thread::spawn(|| run::seed(9, 200).trace);
        let trace = run::seed(5, 200).trace;
        other.join().unwrap();
        trace
    });
    assert_eq!(here, there.join().unwrap());
}

/// Without faults nothing is lost, doubled or late, and nothing is refused.
#[test]
fn a_calm_world_is_calm() {
    for seed in 1..=5 {
        let swarm = swarm::Swarm::calm(4);
        let actions = turnstone_simulation::action::draw(seed, 200, &swarm);
        let outcome = run::actions_of(seed, &swarm, &actions);
        assert_eq!(outcome.violations, Vec::new(), "seed {seed}");
        assert!(!outcome.counters.contains_key("request refused"));
    }
}
