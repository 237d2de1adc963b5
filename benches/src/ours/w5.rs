//! One remote change becomes visible.

use turnstone::Value;

use super::{remote, w3};
use crate::Result;
use crate::rows::w1::{new_title, shuffled};
use crate::rows::w2::same;
use crate::sample::{Meter, Sample};
use crate::scenario::Bed;
use crate::serve::Served;

pub(crate) fn prepare(bed: &Bed) -> Result<()> {
    w3::prepare_server(bed, 1)
}

/// The other device's write and push do not count; the request, the apply and the query do.
pub(crate) fn incremental(bed: &Bed) -> Result<Sample> {
    let server = Served::start("ours", &bed.copy(&w3::name(1), bed.rows)?)?;
    let (here, there) =
        (remote::device(&bed.file("here.db"), &server)?, remote::device(&bed.file("there.db"), &server)?);
    here.sync_blocking()?;
    there.sync_blocking()?;
    let targets = shuffled(bed)?;
    let (mut meter, mut bytes) = (Meter::start(targets.len()), 0);
    for (number, note) in targets.iter().enumerate() {
        let (id, title) = (note.id.clone(), new_title(number));
        meter.aside(|| {
            let (id, title) = (id.clone(), Value::from(title.as_str()));
            there.write(move |tx| tx.update("notes", &id, [("title", title)]))?;
            there.sync_blocking()?;
            Ok(())
        })?;
        let seen = meter.call(|| {
            let report = here.sync_blocking()?;
            bytes += report.bytes_up + report.bytes_down;
            let titles = here.query_map("SELECT title FROM notes WHERE id = ?1", &[Value::from(id)], |row| {
                row.get::<_, String>(0)
            })?;
            Ok(titles.into_iter().next().unwrap_or_default())
        })?;
        same(&seen, &title)?;
    }
    Ok(Sample { wire_bytes: Some(bytes), ..meter.finish(targets.len()) })
}
