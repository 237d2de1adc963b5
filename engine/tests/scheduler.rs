//! The scheduler: golden traces that every language replays, and I-18 over random inputs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use proptest::prelude::*;
use turnstone_engine::scheduler::{Conditions, Config, Decision, Input, Network, Part, Scheduler, Trace, Why, Work};

/// Replays `engine/traces`. With `UPDATE_TRACES=1` it writes down what comes out: read the difference.
#[test]
fn golden_traces() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|kind| kind == "json"));
    files.sort();
    assert!(files.len() >= 15, "{} traces", files.len());
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let trace: Trace = serde_json::from_str(&text).unwrap();
        let replayed = trace.replay();
        if std::env::var_os("UPDATE_TRACES").is_some() {
            std::fs::write(&path, format!("{}\n", serde_json::to_string_pretty(&replayed).unwrap())).unwrap();
            continue;
        }
        for (at, (expected, found)) in trace.steps.iter().zip(&replayed.steps).enumerate() {
            assert_eq!(expected, found, "{}, step {at}", path.display());
        }
    }
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![Just(Part::Gate), Just(Part::Push), Just(Part::Pull), Just(Part::Again)]
}

fn lane() -> impl Strategy<Value = Part> {
    prop_oneof![Just(Part::Gate), Just(Part::Push), Just(Part::Pull)]
}

fn conditions() -> impl Strategy<Value = Conditions> {
    let network = prop_oneof![
        Just(Network::Unknown),
        Just(Network::Offline),
        Just(Network::Unmetered),
        Just(Network::Metered),
        Just(Network::Roaming)
    ];
    (network, any::<[bool; 4]>()).prop_map(|(network, [validated, foreground, low_power, charging])| Conditions {
        network,
        validated,
        foreground,
        low_power,
        charging,
    })
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        3 => Just(Input::Written),
        1 => Just(Input::Poked),
        1 => Just(Input::Requested),
        1 => Just(Input::Granted),
        1 => Just(Input::Expired),
        2 => Just(Input::Finished),
        1 => Just(Input::TokenChanged),
        1 => any::<bool>().prop_map(|up| Input::Network { up }),
        3 => conditions().prop_map(Input::Conditions),
        1 => any::<bool>().prop_map(Input::Bootstrap),
        3 => (any::<bool>(), any::<bool>()).prop_map(|(push, pull)| Input::Work(Work { push, pull, busy: false })),
        1 => Just(Input::Quiet),
        1 => lane().prop_map(Input::Worked),
        2 => part().prop_map(Input::Failed),
        4 => lane().prop_map(Input::ServerFailed),
        1 => (lane(), 0u64..7_200_000).prop_map(|(part, ms)| Input::RetryAfter { part, ms }),
        1 => Just(Input::SignIn),
        3 => Just(Input::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// I-18: with work pending there is always a decision that leads on: now, a time with a timer armed for it, or a
    /// wish the system holds; and waiting for what was decided ends in "now".
    #[test]
    fn i18_no_work_without_a_decision_that_leads_on(
        seed in any::<u64>(),
        inputs in proptest::collection::vec((0u64..40_000, input()), 1..60),
    ) {
        let mut scheduler = Scheduler::new(Config { auto: true, ..Config::default() }, seed);
        let (mut work, mut now_ms) = (Work::default(), 0);
        let mut is_foreground = true;
        let mut is_asked = false;
        for (after_ms, input) in inputs {
            now_ms += after_ms;
            if let Input::Conditions(conditions) = input {
                is_foreground = conditions.foreground;
            }
            match input {
                Input::Requested | Input::Granted => is_asked = true,
                Input::Finished | Input::Expired => is_asked = false,
                _ => {}
            }
            let mut decision = scheduler.step(input, now_ms, &mut work).decision;
            let has_work = work.push || work.pull || scheduler.is_debouncing() || scheduler.waits(Part::Again).is_some();
            if !has_work {
                continue;
            }
            // A copy would do better than a replay, but waiting is what the driver does too.
            for jump in 0.. {
                prop_assert!(jump < 20, "I-18: waits on and on: {:?}", decision);
                match decision {
                    Decision::Now { .. } => break,
                    Decision::Idle { why } => prop_assert!(false, "I-18: work is pending, and it rests: {:?}", why),
                    Decision::At(wake) => {
                        prop_assert!(is_foreground || is_asked, "a timer in the background, where nobody may wake up");
                        let wait_ms = wake.at_ms - now_ms;
                        let bound_ms = if wake.why == Why::RetryAfter { 3_605_000 } else { 900_000 };
                        prop_assert!(wait_ms <= bound_ms, "I-18: waits {} ms for {:?}", wait_ms, wake.why);
                        let armed = scheduler.wake();
                        prop_assert!(
                            armed.is_some_and(|armed| armed.at_ms <= wake.at_ms),
                            "I-18: decided on {:?}, armed {:?}", wake, armed
                        );
                        now_ms = armed.map_or(wake.at_ms, |armed| armed.at_ms);
                        decision = scheduler.step(Input::Tick, now_ms, &mut work).decision;
                    }
                    Decision::Background(wish) => {
                        prop_assert!(!is_foreground, "a person looks on, and it leaves it to the system");
                        let wait_ms = wish.earliest_ms - now_ms;
                        prop_assert!(wait_ms <= 3_605_000, "I-18: asks for time {} ms from now", wait_ms);
                        break;
                    }
                }
            }
        }
    }

    /// A person who looks on, a network and a server that works: at most a minute, whatever was before.
    #[test]
    fn i18_once_faults_stop_it_starts_within_a_minute(
        seed in any::<u64>(),
        inputs in proptest::collection::vec((0u64..40_000, input()), 1..60),
    ) {
        let mut scheduler = Scheduler::new(Config { auto: true, ..Config::default() }, seed);
        let (mut work, mut now_ms) = (Work::default(), 0);
        for (after_ms, input) in inputs {
            now_ms += after_ms;
            scheduler.step(input, now_ms, &mut work);
        }
        scheduler.step(Input::Conditions(Conditions::default()), now_ms, &mut work);
        let mut decision = scheduler.step(Input::Work(Work { push: true, ..work }), now_ms, &mut work).decision;
        let since_ms = now_ms;
        while let Decision::At(wake) = decision {
            let asked_to_wait = |part| scheduler.waits(part).is_some_and(|wait| wait.why == Why::RetryAfter);
            if asked_to_wait(Part::Push) || asked_to_wait(Part::Gate) {
                return Ok(());
            }
            prop_assert!(wake.at_ms - since_ms <= 60_000, "still waits for {:?} after a minute", wake.why);
            now_ms = wake.at_ms;
            decision = scheduler.step(Input::Tick, now_ms, &mut work).decision;
        }
        prop_assert!(matches!(decision, Decision::Now { .. }), "{:?}", decision);
    }
}
