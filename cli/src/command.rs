//! The command line: what there is, and where it leads.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::{dead, demo, device, notes, proxy, row, serve, sql, state_hash, status, token};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::global::{Global, LogForm};
use crate::logging;
use crate::output::Output;

/// The `turnstone` command.
#[derive(Debug, Parser)]
#[command(
    name = "turnstone",
    version,
    about = "Offline-first sync: notes, rows and SQL on this device, and the server that keeps devices equal",
    after_help = "Exit codes: 0 ok, 1 failure, 2 usage, 3 bad input, 4 not found, 5 offline or retry later, \
6 needs auth, 7 conflict or dead letters present, 8 storage, 9 upgrade needed.\nAll of it: docs/cli.md.",
    arg_required_else_help = true,
    propagate_version = true
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the sync server.
    Serve(serve::Args),
    /// A notes app on the command line.
    #[command(subcommand)]
    Notes(notes::Command),
    /// Create, change, read and delete rows of any table.
    #[command(subcommand)]
    Row(row::Command),
    /// Run one SQL statement on this device's database.
    Sql(sql::Args),
    /// Sync this device until nothing is left to send or to fetch.
    Sync(notes::sync::Args),
    /// Show how much waits, what went wrong and what happens next.
    Status,
    /// Print the hash of what the server confirmed: of a device, or of a server.
    StateHash(state_hash::Args),
    /// List, show and retry changes the server refused.
    #[command(subcommand)]
    Dead(dead::Command),
    /// Make an access token, or a key for a server.
    Token(token::Args),
    /// Run a link on which things go wrong, to try an app on.
    Proxy(proxy::Args),
    /// Five devices, one server, a bad network, real notes: watch them become equal.
    Demo(demo::Args),
    /// One device of the demo: JSON lines on stdin and stdout.
    #[command(hide = true)]
    Device,
}

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error),
    };
    let output = Output::new(cli.global.json);
    match cli.run(output) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output.failure(&failure);
            failure.exit.into()
        }
    }
}

/// Help and version are answers; everything else is a usage error, as JSON where that was asked for.
fn unparsed(error: &clap::Error) -> ExitCode {
    let asked_json = std::env::args_os().any(|arg| arg == "--json");
    if error.use_stderr() && asked_json {
        let text = error.to_string();
        // clap lists what is missing on lines of their own, and ends with the usage after an empty line.
        let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
        let message = lines.collect::<Vec<_>>().join(" ");
        let message = format!("{}.", message.trim_start_matches("error: ").trim_end_matches('.'));
        Output::new(true).failure(&Failure::usage(message, "Run the command with --help."));
    } else {
        // Nothing is left to tell if stderr is closed.
        drop(error.print());
    }
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() }
}

impl Cli {
    fn run(self, output: Output) -> Result<Exit, Failure> {
        let Self { global, command } = self;
        let logs = match command {
            Command::Serve(_) => LogForm::Text,
            _ => LogForm::Off,
        };
        logging::start(&global, logs)?;
        match command {
            Command::Serve(args) => serve::run(&global, output, &args),
            Command::Notes(command) => notes::run(&global, output, command),
            Command::Row(command) => row::run(&global, output, command),
            Command::Sql(args) => sql::run(&global, output, &args),
            Command::Sync(args) => notes::sync::run(&global, output, &args, crate::opening::SchemaChoice::Any),
            Command::Status => status::run(&global, output, crate::opening::SchemaChoice::Any),
            Command::StateHash(args) => state_hash::run(&global, output, &args),
            Command::Dead(command) => dead::run(&global, output, &command),
            Command::Token(args) => token::run(output, &args),
            Command::Proxy(args) => proxy::run(output, &args),
            Command::Demo(args) => demo::run(output, &args),
            Command::Device => device::run(&global),
        }
    }
}
