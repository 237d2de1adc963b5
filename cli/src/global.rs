//! Options that every command takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::clock_offset::ClockOffset;

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Print JSON: one object on one line, errors too (on stderr).
    #[arg(long, global = true)]
    pub json: bool,
    /// The database file.
    #[arg(long, global = true, value_name = "FILE", env = "TURNSTONE_DB")]
    pub db: Option<PathBuf>,
    /// The schema, as TOML. Left out: what the database was made with, and the schema of notes for a new one.
    #[arg(long, global = true, value_name = "FILE", env = "TURNSTONE_SCHEMA")]
    pub schema: Option<PathBuf>,
    /// The server to sync with, such as https://sync.example.com.
    #[arg(long, global = true, value_name = "URL", env = "TURNSTONE_SERVER")]
    pub server: Option<String>,
    /// The access token.
    #[arg(long, global = true, value_name = "TOKEN", env = "TURNSTONE_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// A file with the access token, before --token; read again when the server asks for a new one.
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Allow http:// to another machine, where everybody on the way can read the token. For development.
    #[arg(long, global = true)]
    pub allow_plain_http: bool,
    /// The longest wait for a connection or for the next piece of an answer, in milliseconds.
    #[arg(long, global = true, value_name = "MS", default_value_t = 30_000)]
    pub timeout_ms: u64,
    /// Make this device's wall clock wrong, by +5y, -3d, 90s ….
    #[arg(long, global = true, value_name = "OFFSET", allow_hyphen_values = true)]
    pub clock_offset: Option<ClockOffset>,
    /// What a saved write survives.
    #[arg(long, global = true, value_enum, default_value_t = DurabilityArg::Power)]
    pub durability: DurabilityArg,
    /// Log to stderr, in this form. `serve` and `proxy` log text unless told otherwise.
    #[arg(long, global = true, value_enum)]
    pub log: Option<LogForm>,
    /// How much to log: error, warn, info, debug, trace, or a filter such as turnstone_server=debug.
    #[arg(long, global = true, value_name = "FILTER", env = "TURNSTONE_LOG", default_value = "info")]
    pub log_level: String,
}

/// What a saved write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DurabilityArg {
    /// Power loss at any moment.
    Power,
    /// Any kill of the process, but not power loss.
    Process,
}

/// The form of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    /// None.
    Off,
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}
