//! W5: one remote change of one field becomes visible in a local query.

use crate::Result;
use crate::limit::database::{Database, Durability};
use crate::limit::http::Client;
use crate::sample::{Meter, Sample};
use crate::scenario::{Bed, Goal, Scenario, size};
use crate::serve::Served;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![Scenario {
        row: "W5 incremental",
        variant: "one field",
        against: "one HTTP answer + one UPDATE + the query",
        goal: Goal::Rate(0.8),
        ops: size(500, 20),
        rows: size(10_000, 100),
        real: false,
        prepare: Some(crate::ours::w5::prepare),
        limit: incremental,
        ours: crate::ours::w5::incremental,
    }]
}

#[derive(serde::Deserialize)]
struct Change {
    title: String,
}

fn incremental(bed: &Bed) -> Result<Sample> {
    let server = Served::start("limit", &bed.file("server.db"))?;
    let targets = super::w1::shuffled(bed)?;
    let database = Database::open(&bed.file("client.db"), Durability::Power)?;
    database.fill(&bed.notes(bed.rows)?)?;
    let client = Client::new(&server.base)?;
    client.get("/next")?;
    let (mut meter, mut received) = (Meter::start(targets.len()), 0);
    for note in &targets {
        let title: String = meter.call(|| {
            let answer = client.get("/next")?;
            received += answer.len() as u64;
            let change: Change = serde_json::from_slice(&answer)?;
            database.sql("UPDATE notes SET title = ?2 WHERE id = ?1")?.execute([&note.id, &change.title])?;
            Ok(database.sql("SELECT title FROM notes WHERE id = ?1")?.query_row([&note.id], |row| row.get(0))?)
        })?;
        super::w2::some(title.len())?;
    }
    Ok(Sample { wire_bytes: Some(received), ..meter.finish(targets.len()) })
}
