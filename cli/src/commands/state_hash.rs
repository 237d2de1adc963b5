//! `turnstone state-hash`: proves that a device and a server hold the same.

use serde::{Deserialize, Serialize};
use turnstone::transport::{HttpTransport, Method, Request, Response, Transport, TransportError};
use turnstone_protocol::Problem;

use crate::edge;
use crate::exit::Exit;
use crate::failure::{Failure, exit_of};
use crate::global::Global;
use crate::opening::SchemaChoice;
use crate::output::Output;

/// The longest answer accepted.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Options of `state-hash`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Ask the server (--server, --token) instead of this device.
    #[arg(long)]
    remote: bool,
}

/// The hash of everything, on one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hash {
    /// The commit it stands for.
    pub(crate) at: u64,
    /// How many rows there are.
    pub(crate) rows: u64,
    /// The hash, in hex.
    pub(crate) hash: String,
}

#[derive(Serialize)]
struct Shown<'a> {
    of: &'static str,
    #[serde(flatten)]
    hash: &'a Hash,
}

pub(crate) fn run(global: &Global, output: Output, args: &Args) -> Result<Exit, Failure> {
    let (of, hash) = if args.remote {
        ("server", of_server(global)?)
    } else {
        let hash = global.open_existing(SchemaChoice::Any)?.state_hash()?;
        ("device", Hash { at: hash.at, rows: hash.rows, hash: hash.hash })
    };
    output
        .result(&Shown { of, hash: &hash }, || format!("{} ({} rows at commit {})", hash.hash, hash.rows, hash.at))?;
    Ok(Exit::Ok)
}

fn of_server(global: &Global) -> Result<Hash, Failure> {
    let url = global
        .server
        .as_deref()
        .ok_or_else(|| Failure::usage("There is no server to ask.", "Give --server or set TURNSTONE_SERVER."))?;
    let token = global.read_token()?.unwrap_or_default();
    let transport = HttpTransport::new(url, global.timeouts(), global.allow_plain_http)?;
    edge::block_on(ask(&transport, &token))?
}

/// Asks a server for the hash of what it holds for the token's tenant.
///
/// # Errors
/// A failure that says whether to try again, sign in, or check the address.
pub(crate) async fn ask(transport: &dyn Transport, token: &str) -> Result<Hash, Failure> {
    let request = Request {
        method: Method::Get,
        path: "/sync/v1/state-hash".to_owned(),
        headers: vec![("authorization", format!("Bearer {token}")), ("accept", "application/json".to_owned())],
        body: bytes::Bytes::new(),
        answer_bytes_max: ANSWER_BYTES_MAX,
    };
    let response = transport.exchange(request).await.map_err(unreached)?;
    match response.status {
        200 => serde_json::from_slice(&response.body).map_err(|_| not_ours()),
        _ => Err(refused(&response)),
    }
}

fn unreached(error: TransportError) -> Failure {
    Failure::new(
        Exit::Offline,
        "offline",
        format!("The server gave no answer: {error}."),
        "Check --server, or try again.",
    )
}

fn not_ours() -> Failure {
    let message = "Something answered that is not a sync server.";
    Failure::new(
        Exit::Offline,
        "not_a_sync_server",
        message,
        "Check --server; a network that wants a login answers so.",
    )
}

fn refused(response: &Response) -> Failure {
    let Ok(problem) = serde_json::from_slice::<Problem>(&response.body) else { return not_ours() };
    Failure::advised(exit_of(&problem.code), problem.code.as_str(), &problem.title)
}
