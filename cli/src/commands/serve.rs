//! `turnstone serve`: the sync server.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Serialize;
use turnstone_server::key::KeyError;
use turnstone_server::service::OpenError;
use turnstone_server::storage::StorageError;
use turnstone_server::{Clock, Config, Key, Server, ServerError, token};

use crate::edge;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::global::Global;
use crate::opening::{notes_schema, read_schema};
use crate::output::Output;

/// The database where none is named.
const DEFAULT_DB: &str = "turnstone-server.db";
/// How long a development token lasts.
const DEV_TOKEN_S: u64 = 30 * 24 * 60 * 60;

/// Options of `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:7878", value_name = "ADDR")]
    listen: SocketAddr,
    /// A file with the secret that tokens are signed with; the environment variable TURNSTONE_KEY does as well.
    #[arg(long, value_name = "FILE", conflicts_with = "dev")]
    key_file: Option<PathBuf>,
    /// A development server: keeps a key beside the database and prints a token.
    #[arg(long)]
    dev: bool,
    /// Whose data the development token opens.
    #[arg(long, requires = "dev", default_value = "dev", value_name = "TENANT")]
    dev_tenant: String,
    /// Declare the history another one: once, after a restore from a backup.
    #[arg(long)]
    new_epoch: bool,
    /// Let clients forget their acknowledged changes after so many hours; longer than backups are kept.
    #[arg(long, value_name = "HOURS")]
    stable_after: Option<u64>,
    /// The lowest schema version a device may still run.
    #[arg(long, default_value_t = 0, value_name = "VERSION")]
    schema_min: u32,
    /// How long accepted requests may take to finish once the server was asked to stop.
    #[arg(long, default_value_t = 10_000, value_name = "MS")]
    drain_ms: u64,
    /// Stop when stdin closes too: for a server that must not outlive the process that started it.
    #[arg(long)]
    stop_with_stdin: bool,
}

#[derive(Serialize)]
struct Listening<'a> {
    listening: String,
    db: String,
    schema: &'a str,
    schema_version: u32,
    schema_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

pub(crate) fn run(global: &Global, output: Output, args: &Args) -> Result<Exit, Failure> {
    let database = global.db.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DB));
    let schema = global.schema.as_deref().map_or_else(notes_schema, read_schema)?;
    let key = key(args, &database)?;
    let clock = Clock::offset_ms(global.clock_offset.unwrap_or_default().0);
    let dev_token = args.dev.then(|| {
        token::mint(&key, &args.dev_tenant, "dev", None, DEV_TOKEN_S, clock.now_ms())
            .map_err(|problem| Failure::advised(Exit::BadInput, problem.code.as_str(), &problem.title))
    });
    let listening = Listening {
        listening: String::new(),
        db: database.display().to_string(),
        schema: &schema.name.clone(),
        schema_version: schema.version,
        schema_hash: schema.hash(),
        token: dev_token.transpose()?,
    };
    let mut config = Config::new(database, schema, key);
    config.drain_ms = args.drain_ms;
    config.new_epoch = args.new_epoch;
    config.schema_min = args.schema_min;
    config.clock = clock;
    if let Some(hours) = args.stable_after {
        config.stable_after_ms = hours.saturating_mul(3_600_000);
    }
    edge::block_on(serve(output, args, config, listening))?
}

async fn serve(output: Output, args: &Args, config: Config, mut listening: Listening<'_>) -> Result<Exit, Failure> {
    // Listening for the signal comes first: one that arrives right after the start drains too.
    let stop = edge::stop_signal(args.stop_with_stdin)?;
    let server = Server::bind(args.listen, config).await.map_err(|error| failed(&error))?;
    listening.listening = format!("http://{}", server.local_addr());
    output.result(&listening, || {
        let token = listening.token.as_ref().map(|token| format!("token {token}\n")).unwrap_or_default();
        format!(
            "listening on {}\nschema {} version {}\n{token}",
            listening.listening, listening.schema, listening.schema_version
        )
    })?;
    server.run(stop).await.map_err(|error| failed(&error))?;
    Ok(Exit::Ok)
}

fn key(args: &Args, database: &std::path::Path) -> Result<Key, Failure> {
    let no_key = |error: KeyError| Failure::advised(Exit::BadInput, "key", &error.to_string());
    if args.dev {
        return Key::dev(database, edge::random_bytes()?).map_err(no_key);
    }
    if let Some(path) = &args.key_file {
        return Key::from_file(path).map_err(no_key);
    }
    match std::env::var("TURNSTONE_KEY") {
        Ok(text) => Key::from_text(&text).map_err(no_key),
        Err(_) => Err(Failure::usage(
            "The server has no key.",
            "Give --key-file or set TURNSTONE_KEY (make one: `turnstone token --new-key FILE`), or use --dev.",
        )),
    }
}

/// A server that cannot start or go on.
fn failed(error: &ServerError) -> Failure {
    let (exit, code) = match error {
        ServerError::Bind { addr, source } => {
            let message = format!("The address {addr} cannot be listened on: {source}.");
            return Failure::new(Exit::Failure, "listen", message, "Give another --listen.");
        }
        ServerError::Open(OpenError::Storage(error)) => match error {
            StorageError::Newer { .. } => (Exit::Upgrade, "newer_database"),
            StorageError::NotOurs => (Exit::Storage, "not_a_database"),
            StorageError::ReadOnly => (Exit::Storage, "read_only"),
            StorageError::Full => (Exit::Storage, "storage_full"),
            StorageError::Corrupt => (Exit::Storage, "corrupt"),
            StorageError::Busy => (Exit::Storage, "already_open"),
            _ => (Exit::Storage, "io"),
        },
        ServerError::Open(OpenError::Schema(error)) => (Exit::BadInput, error.code),
        ServerError::Open(OpenError::NoKey) => (Exit::Usage, "usage"),
    };
    Failure::advised(exit, code, &error.to_string())
}
