//! `turnstone device`: one device of the demo, driven by JSON lines.

use crate::device;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::global::Global;
use crate::opening::SchemaChoice;

pub(crate) fn run(global: &Global) -> Result<Exit, Failure> {
    let store = global.open(SchemaChoice::Any)?;
    device::run(&store)?;
    store.close()?;
    Ok(Exit::Ok)
}
