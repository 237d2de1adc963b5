//! The `turnstone` command. Everything is in the library of this crate.

use std::process::ExitCode;

const _: () = assert!(!turnstone_protocol::plant::POSSIBLE, "planted bugs are for the simulator's own build");

fn main() -> ExitCode {
    turnstone_cli::command::run()
}
