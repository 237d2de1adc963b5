//! The loops themselves: what is right passes, and each planted bug is found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use turnstone_crash_tests::faults::{Kind, fault_at_every_step};
use turnstone_crash_tests::power::{Share, power_and_kill};
use turnstone_crash_tests::report::Report;
use turnstone_crash_tests::scenarios::bare::{Bare, Planted};

fn all(planted: Planted) -> Vec<Report> {
    let share = Share::all(1, 6);
    let mut reports = power_and_kill(&Bare(planted), share).unwrap().to_vec();
    for kind in Kind::ALL {
        reports.push(fault_at_every_step(&Bare(planted), kind, share).unwrap());
    }
    println!("{planted:?}\n{}", Report::heading());
    for report in &reports {
        println!("{report}");
        for violation in report.violations.iter().take(3) {
            println!("    {violation}");
        }
    }
    reports
}

fn violations(reports: &[Report], accident: &str) -> usize {
    let of = reports.iter().filter(|r| r.accident == accident);
    of.map(|r| r.violations.len()).sum()
}

#[test]
fn nothing_wrong_is_found_where_nothing_is_wrong() {
    for planted in [Planted::Nothing, Planted::ProcessOnly] {
        let reports = all(planted);
        for report in &reports {
            assert_eq!(report.violations, Vec::<String>::new(), "{}", report.accident);
            // It reads less often than it takes steps.
            let least = if report.accident == "read error" { 10 } else { 20 };
            assert!(report.cases > least, "{report}");
        }
        let lost = reports[0].lost_max;
        assert_eq!(lost > 0, planted == Planted::ProcessOnly);
    }
}

#[test]
fn weak_syncs_are_found_by_power_loss_and_not_by_kills() {
    for planted in [Planted::NormalForPower, Planted::SyncOff] {
        let reports = all(planted);
        assert!(violations(&reports, "power loss") > 0);
        assert_eq!(violations(&reports, "kill"), 0);
    }
}

#[test]
fn half_transactions_are_found() {
    let reports = all(Planted::TwoTransactions);
    assert!(violations(&reports, "power loss") > 0 && violations(&reports, "kill") > 0);
    assert!(violations(&reports, "I/O error") > 0 && violations(&reports, "no space") > 0);
}

#[test]
fn a_repeated_action_that_is_done_twice_is_found() {
    assert!(violations(&all(Planted::NotIdempotent), "kill") > 0);
}

#[test]
fn an_unseen_failure_to_switch_to_wal_is_found() {
    let reports = all(Planted::WalUnseen);
    assert!(violations(&reports, "I/O error") + violations(&reports, "sync error") > 0);
}

#[test]
fn a_handle_that_an_error_wedges_is_found() {
    let reports = all(Planted::Wedged);
    assert!(violations(&reports, "I/O error") > 0 && violations(&reports, "no space") > 0);
}
