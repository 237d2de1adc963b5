//! `turnstone device`.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::global::Global;

/// Options of `device`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_global: &Global, _args: &Args) -> Result<Exit, Failure> {
    Ok(Exit::Ok)
}
