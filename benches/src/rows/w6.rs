//! W6: rows changed on both sides, in different fields, merged durably: by the server, and by the client.

use crate::Result;
use crate::limit::database::{Database, Durability, note_from};
use crate::sample::{Meter, Sample};
use crate::scenario::{Bed, Goal, Scenario, size};

/// Rows in one transaction of the limit, as many as in a page or a push of Turnstone.
const ROWS_PER_TRANSACTION: usize = 1_000;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let server = Scenario {
        row: "W6 merge",
        variant: "on the server",
        against: "SELECT, compare, UPDATE, INSERT op of the same rows",
        goal: Goal::Rate(0.8),
        ops: size(10_000, 100),
        rows: size(10_000, 100),
        real: true,
        prepare: Some(prepare),
        limit: |bed| merge(bed, true),
        ours: crate::ours::w6::server,
    };
    vec![
        server,
        Scenario {
            variant: "on the client",
            against: "SELECT, compare, UPDATE of the same rows",
            limit: |bed| merge(bed, false),
            ours: crate::ours::w6::client,
            ..server
        },
    ]
}

fn prepare(bed: &Bed) -> Result<()> {
    super::w1::prepare_limit(bed)?;
    crate::ours::w6::prepare(bed)
}

/// Theirs has another tag, ours another title: the row takes both.
fn merge(bed: &Bed, with_log: bool) -> Result<Sample> {
    let bases = super::w1::shuffled(bed)?;
    let database = Database::open(&bed.copy("limit", bed.rows)?, Durability::Power)?;
    for chunk in bases.chunks(ROWS_PER_TRANSACTION) {
        database.begin()?;
        for (number, base) in chunk.iter().enumerate() {
            let mut update = database.sql("UPDATE notes SET title = ?2 WHERE id = ?1")?;
            update.execute([&base.id, &super::w1::new_title(number)])?;
        }
        database.commit()?;
    }
    let mut meter = Meter::start(bases.len() / ROWS_PER_TRANSACTION + 1);
    for chunk in bases.chunks(ROWS_PER_TRANSACTION) {
        meter.call(|| {
            database.begin()?;
            for base in chunk {
                let mut merged = database.sql(super::w2::BY_ID)?.query_row([&base.id], note_from)?;
                if merged.tag == base.tag {
                    merged.tag = "moved".to_owned();
                }
                let mut update = database.sql("UPDATE notes SET title = ?2, body = ?3, tag = ?4 WHERE id = ?1")?;
                update.execute([&merged.id, &merged.title, &merged.body, &merged.tag])?;
                if with_log {
                    database.log(&super::w1::tag_op(&merged.id)?)?;
                }
            }
            database.commit()
        })?;
    }
    Ok(meter.finish(bases.len()))
}
