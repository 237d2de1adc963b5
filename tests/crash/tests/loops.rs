//! A bounded share of the loops over every scenario; the `crash` program does the rest.
//! Holds I-01, I-02, I-03, I-05, I-06, I-14, I-20 and I-45 on the client, I-09 and I-54 on the server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use turnstone_crash_tests::faults::{Kind, fault_at_every_step};
use turnstone_crash_tests::power::{Share, power_and_kill};
use turnstone_crash_tests::report::Report;
use turnstone_crash_tests::scenario::Scenario;
use turnstone_crash_tests::scenarios;

/// One step in `every` for power losses, one in twice as many for each other accident.
fn come_through(names: &str, every: u64) {
    let chosen = scenarios::all(1).into_iter().filter(|scenario| scenario.name().starts_with(names));
    let chosen: Vec<Box<dyn Scenario>> = chosen.collect();
    assert!(!chosen.is_empty());
    println!("{}", Report::heading());
    let mut violations = Vec::new();
    for scenario in chosen {
        let share = Share { every, resume_every: 3, ..Share::all(1, 4) };
        let mut reports = power_and_kill(scenario.as_ref(), share).unwrap().to_vec();
        for (seed, kind) in Kind::ALL.into_iter().enumerate() {
            // There are fewer reads than steps.
            let every = if kind == Kind::ReadError { every / 2 } else { 2 * every };
            let share = Share { seed: seed as u64, every, ..share };
            reports.push(fault_at_every_step(scenario.as_ref(), kind, share).unwrap());
        }
        for report in reports {
            println!("{report}");
            assert!(report.cases > 10, "{report}");
            violations.extend(report.violations.iter().map(|v| format!("{}: {v}", report.scenario)));
        }
    }
    assert_eq!(violations, Vec::<String>::new());
}

#[test]
fn local_writes_come_through_every_accident() {
    come_through("client writes", 4);
}

#[test]
fn the_server_comes_through_every_accident() {
    come_through("server pushes", 4);
}

/// Push and its answer, pull and its pages, a schema that grows in between: on the device and on the server.
#[test]
fn syncing_comes_through_every_accident() {
    come_through("sync", 12);
}

/// I-45: interrupted anywhere, making a database and growing it end where they end undisturbed.
#[test]
fn making_and_growing_a_database_come_through_every_accident() {
    come_through("migration", 12);
}

/// I-44, I-45: interrupted anywhere, a database of an older version is brought to this one with everything in it.
#[test]
fn an_old_database_comes_through_every_accident() {
    come_through("upgrade", 4);
}

/// Found by these loops: an I/O error while a new file is switched to WAL went unseen, and the session wrote a rollback
/// journal, whose newest commit a power loss may undo.
#[test]
fn an_error_while_a_file_is_made_is_not_hidden() {
    for scenario in [&scenarios::all(1)[0], &scenarios::all(1)[2]] {
        for kind in [Kind::IoError, Kind::SyncError] {
            let share = Share { steps_max: 12, ..Share::all(1, 4) };
            let report = fault_at_every_step(scenario.as_ref(), kind, share).unwrap();
            assert_eq!(report.violations, Vec::<String>::new(), "{}", report.scenario);
            assert!(report.refused > 5);
        }
    }
}
