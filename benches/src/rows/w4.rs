//! W4: a backlog of offline ops, pushed, stored durably by the server, and settled on the client.

use std::io::Write;

use crate::Result;
use crate::limit::database::{Database, Durability, create_op};
use crate::limit::http::{Client, pack};
use crate::sample::{Meter, Sample};
use crate::scenario::{Bed, Goal, NONE, Scenario, size};
use crate::serve::Served;

/// Ops in one request of the limit.
const OPS_PER_REQUEST: u32 = 1_000;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let backlog = Scenario {
        row: "W4 backlog",
        variant: "10,000 creates",
        against: "the same bytes, JSON + zstd, 1,000 a request, a transaction each",
        goal: Goal::Rate(0.8),
        ops: size(10_000, 100),
        rows: NONE,
        real: true,
        prepare: Some(prepare),
        limit: backlog,
        ours: crate::ours::w4::backlog,
    };
    vec![
        backlog,
        Scenario {
            row: "W4 linear",
            variant: "100,000 beside 10,000",
            against: "Turnstone with a tenth of the ops",
            goal: Goal::Rate(10.0 / 11.0),
            ops: size(100_000, 200),
            real: false,
            prepare: Some(crate::ours::w4::prepare_linear),
            limit: crate::ours::w4::tenth,
            ours: crate::ours::w4::backlog,
            ..backlog
        },
    ]
}

/// Rows and ops written offline, on both sides.
fn prepare(bed: &Bed) -> Result<()> {
    bed.make_template("offline-limit", bed.ops, |path| {
        let database = Database::open(path, Durability::Power)?;
        for chunk in bed.notes(bed.ops)?.chunks(OPS_PER_REQUEST as usize) {
            database.begin()?;
            chunk.iter().try_for_each(|note| {
                database.insert(note)?;
                database.log(&create_op(note)?)
            })?;
            database.commit()?;
        }
        Ok(())
    })?;
    crate::ours::w4::prepare(bed)
}

fn backlog(bed: &Bed) -> Result<Sample> {
    let server = Served::start("limit", &bed.file("server.db"))?;
    let database = Database::open(&bed.copy("offline-limit", bed.ops)?, Durability::Power)?;
    let mut meter = Meter::start(bed.ops / OPS_PER_REQUEST as usize + 1);
    let client = Client::new(&server.base)?;
    let (mut settled, mut requests, mut sent) = (0, 0, 0);
    loop {
        let (text, last, count) = next_ops(&database, settled)?;
        if count == 0 {
            break;
        }
        let packed = pack(&text)?;
        sent += packed.len() as u64;
        meter.call(|| client.post("/ops", packed))?;
        database.begin()?;
        database.sql("DELETE FROM log WHERE n <= ?1")?.execute([last])?;
        database.commit()?;
        (settled, requests) = (last, requests + 1);
    }
    let ops = usize::try_from(settled)?;
    Ok(Sample { wire_bytes: Some(sent), requests: Some(requests), ..meter.finish(ops) })
}

/// The next ops as lines of JSON, the number of the last and how many there are.
fn next_ops(database: &Database, after: i64) -> Result<(Vec<u8>, i64, usize)> {
    let mut select = database.sql("SELECT n, op FROM log WHERE n > ?1 ORDER BY n LIMIT ?2")?;
    let mut ops = select.query(rusqlite::params![after, OPS_PER_REQUEST])?;
    let (mut text, mut last, mut count) = (Vec::new(), after, 0);
    while let Some(op) = ops.next()? {
        last = op.get(0)?;
        text.write_all(op.get_ref(1)?.as_str()?.as_bytes())?;
        text.push(b'\n');
        count += 1;
    }
    Ok((text, last, count))
}
