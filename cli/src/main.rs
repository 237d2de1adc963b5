//! The `turnstone` command. Everything is in the library of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    turnstone_cli::command::run()
}
