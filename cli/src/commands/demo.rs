//! `turnstone demo`.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Options of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_output: Output, _args: &Args) -> Result<Exit, Failure> {
    Ok(Exit::Ok)
}
