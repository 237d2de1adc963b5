//! Rows changed on both sides, in different fields: one device and the server hold the same notes; another device has
//! changed every tag, this one every title.

use turnstone::Value;

use super::inside::Inside;
use super::w3;
use crate::Result;
use crate::rows::w1::{new_title, shuffled};
use crate::sample::{Meter, Sample};
use crate::scenario::Bed;

/// The server's history and the device, after both sides changed every row and before they meet.
pub(crate) fn prepare(bed: &Bed) -> Result<()> {
    w3::prepare_server(bed, 1)?;
    let database = bed.copy(&w3::name(1), bed.rows)?;
    let (ours, theirs) = (bed.file("ours.db"), bed.file("theirs.db"));
    let server = Inside::open(&database, true)?;
    let (here, there) = (server.device(&ours)?, server.device(&theirs)?);
    here.sync_blocking()?;
    there.sync_blocking()?;
    for (number, note) in shuffled(bed)?.into_iter().enumerate() {
        let id = note.id.clone();
        there.write(move |tx| tx.update("notes", &id, [("tag", "moved")]))?;
        here.write(move |tx| tx.update("notes", &note.id, [("title", Value::from(new_title(number)))]))?;
    }
    there.sync_blocking()?;
    for store in [&here, &there] {
        store.checkpoint()?;
        store.close()?;
    }
    drop((here, there, server));
    bed.make_template("merge-device", bed.rows, |path| Ok(std::fs::rename(&ours, path)?))?;
    bed.make_template("merge-server", bed.rows, |path| Ok(std::fs::rename(&database, path)?))
}

/// What the server's rules and storage take to merge the pushed titles into rows with other tags.
pub(crate) fn server(bed: &Bed) -> Result<Sample> {
    let server = Inside::open(&bed.copy("merge-server", bed.rows)?, true)?;
    let here = server.device(&bed.copy_as("merge-device", bed.rows, "device.db")?)?;
    here.sync_blocking()?;
    check(&here, bed)?;
    Ok(server.pushes(bed.ops))
}

/// What the device takes to put the pulled tags under its own pending titles. Its pushes are refused meanwhile, so the
/// sync as a whole fails; the pull comes through all the same.
pub(crate) fn client(bed: &Bed) -> Result<Sample> {
    let server = Inside::open(&bed.copy("merge-server", bed.rows)?, false)?;
    let here = server.device(&bed.copy_as("merge-device", bed.rows, "device.db")?)?;
    let mut meter = Meter::start(1);
    drop(meter.call(|| Ok(here.sync_blocking()?)));
    let sample = meter.finish(bed.ops);
    check(&here, bed)?;
    let answers = server.all(bed.ops);
    let (wall_ns, cpu_ns) = (sample.wall_ns - answers.wall_ns, sample.cpu_ns.saturating_sub(answers.cpu_ns));
    Ok(Sample { wall_ns, cpu_ns, ..sample })
}

/// Both changes of every row are there.
fn check(store: &turnstone::Store, bed: &Bed) -> Result<()> {
    let both = "SELECT count(*) FROM notes WHERE tag = 'moved' AND title LIKE 'A title that somebody changed%'";
    let merged = store.query_map(both, &[], |row| row.get::<_, i64>(0))?;
    if merged == [i64::try_from(bed.ops)?] { Ok(()) } else { Err("not every row was merged".into()) }
}
