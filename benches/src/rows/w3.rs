//! W3: the first sync of an empty client. The limit streams JSON lines with gzip and bulk-inserts them.

use crate::Result;
use crate::limit::database::{Database, Durability};
use crate::limit::http::Client;
use crate::notes::Note;
use crate::sample::{Meter, Sample};
use crate::scenario::{Bed, Goal, Scenario, size};
use crate::serve::Served;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let one_each = Scenario {
        row: "W3 pages",
        variant: "a commit a note",
        against: "streamed JSON + gzip (fastest), bulk INSERT",
        goal: Goal::Rate(1.0),
        ops: size(100_000, 200),
        rows: size(100_000, 200),
        real: true,
        prepare: Some(prepare),
        limit: |bed| pages(bed, "/notes"),
        ours: |bed| crate::ours::w3::pages(bed, 1),
    };
    vec![
        one_each,
        Scenario {
            variant: "1,000 notes a commit",
            real: false,
            prepare: Some(prepare_large),
            ours: |bed| crate::ours::w3::pages(bed, 1_000),
            ..one_each
        },
        Scenario {
            variant: "beside an unpacked stream",
            against: "the same without gzip, which no network would carry",
            goal: Goal::Seen,
            real: false,
            limit: |bed| pages(bed, "/notes-unpacked"),
            ..one_each
        },
    ]
}

fn prepare(bed: &Bed) -> Result<()> {
    super::w1::prepare_limit(bed)?;
    crate::ours::w3::prepare_server(bed, 1)
}

fn prepare_large(bed: &Bed) -> Result<()> {
    super::w1::prepare_limit(bed)?;
    crate::ours::w3::prepare_server(bed, 1_000)
}

fn pages(bed: &Bed, path: &str) -> Result<Sample> {
    let server = Served::start("limit", &bed.template("limit", bed.rows))?;
    let mut meter = Meter::start(1);
    let client = Client::new(&server.base)?;
    let database = Database::open(&bed.file("client.db"), Durability::Power)?;
    database.begin()?;
    let mut rows = 0;
    let received = client.get_lines(path, |line| {
        rows += 1;
        database.insert(&serde_json::from_slice::<Note>(line)?)
    })?;
    database.commit()?;
    meter.call(|| super::w2::some(rows))?;
    Ok(Sample { wire_bytes: Some(received), requests: Some(1), ..meter.finish(rows) })
}
