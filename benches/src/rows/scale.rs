//! scale: Turnstone beside itself, empty: rates must not depend on how much is there.

use crate::scenario::{Goal, Scenario, size};

pub(crate) fn scenarios() -> Vec<Scenario> {
    let pending = Scenario {
        row: "scale pending",
        variant: "W1 create after 100,000 pending ops",
        against: "Turnstone with none",
        goal: Goal::Rate(1.0 / 1.2),
        ops: size(5_000, 50),
        rows: size(100_000, 500),
        real: false,
        prepare: Some(crate::ours::scale::prepare_pending),
        limit: crate::ours::scale::create_empty,
        ours: crate::ours::scale::create_after_pending,
    };
    let rows = Scenario {
        row: "scale rows",
        variant: "W1 create at 1,000,000 rows",
        against: "Turnstone at 10,000 rows",
        goal: Goal::Rate(1.0 / 1.3),
        rows: size(1_000_000, 10_000),
        prepare: Some(crate::ours::scale::prepare_rows),
        limit: |bed| crate::ours::scale::create(bed, 100),
        ours: |bed| crate::ours::scale::create(bed, 1),
        ..pending
    };
    vec![
        pending,
        Scenario { variant: "W1 create at 100,000 rows", ours: |bed| crate::ours::scale::create(bed, 10), ..rows },
        rows,
        Scenario {
            variant: "W1 update at 1,000,000 rows",
            limit: |bed| crate::ours::scale::update(bed, 100),
            ours: |bed| crate::ours::scale::update(bed, 1),
            ..rows
        },
        Scenario {
            variant: "W2 get at 1,000,000 rows",
            limit: |bed| crate::ours::scale::get(bed, 100),
            ours: |bed| crate::ours::scale::get(bed, 1),
            ..rows
        },
        Scenario {
            variant: "W2 query at 1,000,000 rows",
            limit: |bed| crate::ours::scale::query(bed, 100),
            ours: |bed| crate::ours::scale::query(bed, 1),
            ..rows
        },
    ]
}
