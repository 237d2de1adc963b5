//! `turnstone token`: makes access tokens, and keys to sign them with.

use std::path::PathBuf;

use serde::Serialize;
use turnstone_protocol::DeviceId;
use turnstone_server::{Key, token};

use crate::edge;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Options of `token`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Make a new key in this file instead of a token.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key_file", "tenant", "sub", "device"])]
    new_key: Option<PathBuf>,
    /// The server's key; the environment variable TURNSTONE_KEY does as well. A development server keeps its own in `<db>.key`.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The owner of the data.
    #[arg(long, default_value = "dev")]
    tenant: String,
    /// Who acts in it.
    #[arg(long, default_value = "dev")]
    sub: String,
    /// The only device the token is good for.
    #[arg(long)]
    device: Option<String>,
    /// How long it lasts, in seconds.
    #[arg(long, default_value_t = 30 * 24 * 60 * 60, value_name = "SECONDS")]
    ttl: u64,
}

#[derive(Serialize)]
struct Made<'a> {
    token: String,
    tenant: &'a str,
    sub: &'a str,
    device: Option<DeviceId>,
    expires_at: u64,
}

pub(crate) fn run(output: Output, args: &Args) -> Result<Exit, Failure> {
    if let Some(path) = &args.new_key {
        return new_key(output, path);
    }
    let device = args.device.as_deref().map(DeviceId::parse).transpose().map_err(|_| {
        Failure::bad_input("invalid_id", "A device id is 32 lower-case hex digits.", "`turnstone status` shows it.")
    })?;
    let now_ms = u64::try_from(edge::wall_ms()).unwrap_or_default();
    let token = token::mint(&key(args)?, &args.tenant, &args.sub, device, args.ttl, now_ms)
        .map_err(|problem| Failure::advised(Exit::BadInput, problem.code.as_str(), &problem.title))?;
    let made = Made {
        token,
        tenant: &args.tenant,
        sub: &args.sub,
        device,
        expires_at: (now_ms / 1000).saturating_add(args.ttl),
    };
    output.result(&made, || made.token.clone())?;
    Ok(Exit::Ok)
}

fn key(args: &Args) -> Result<Key, Failure> {
    let key = match (&args.key_file, std::env::var("TURNSTONE_KEY")) {
        (Some(path), _) => Key::from_file(path),
        (None, Ok(text)) => Key::from_text(&text),
        (None, Err(_)) => {
            let next = "Give --key-file or set TURNSTONE_KEY; a development server keeps its key in <db>.key.";
            return Err(Failure::usage("There is no key to sign a token with.", next));
        }
    };
    key.map_err(|error| Failure::advised(Exit::BadInput, "key", &error.to_string()))
}

fn new_key(output: Output, path: &std::path::Path) -> Result<Exit, Failure> {
    use std::io::Write as _;
    let text: String = edge::random_bytes()?.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut options = std::fs::OpenOptions::new();
    // An existing key is somebody's signatures: it is never written over.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| Failure::file(path, &error))?;
    let shown = path.display().to_string();
    output.result(&serde_json::json!({ "key_file": shown }), || format!("made the key {shown}"))?;
    Ok(Exit::Ok)
}
