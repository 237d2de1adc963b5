//! `turnstone proxy`: a link on which things go wrong.

use std::net::SocketAddr;

use serde::Serialize;

use crate::edge;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::proxy::{Faults, Link, LinkConfig, Rate, Summary};

/// Options of `proxy`. Rates are between 0 and 1; all but `--delay` exclude each other and add up to at most 1.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where clients connect; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR")]
    listen: SocketAddr,
    /// The server, as host:port or http://host:port.
    #[arg(long, value_name = "SERVER")]
    to: String,
    /// Decides what goes wrong when; the same seed, the same journey.
    #[arg(long)]
    seed: Option<u64>,
    /// Start from a mixture in which about every third exchange goes wrong; the other rates change it.
    #[arg(long)]
    rough: bool,
    /// Close before the server sees the request.
    #[arg(long, value_name = "RATE")]
    drop: Option<Rate>,
    /// Send the request to the server twice.
    #[arg(long, value_name = "RATE")]
    duplicate: Option<Rate>,
    /// Send the request once more, after later ones.
    #[arg(long, value_name = "RATE")]
    replay_late: Option<Rate>,
    /// Wait first.
    #[arg(long, value_name = "RATE")]
    delay: Option<Rate>,
    /// Close after the server answered and before the client hears it.
    #[arg(long, value_name = "RATE")]
    cut_after_commit: Option<Rate>,
    /// Reset the connection after some bytes of the request or the answer.
    #[arg(long, value_name = "RATE")]
    reset_after_bytes: Option<Rate>,
    /// Never answer.
    #[arg(long, value_name = "RATE")]
    half_open: Option<Rate>,
    /// Answer 200 with a login page.
    #[arg(long, value_name = "RATE")]
    captive: Option<Rate>,
    /// Answer 503 with Retry-After.
    #[arg(long, value_name = "RATE")]
    unavailable: Option<Rate>,
    /// The longest delay.
    #[arg(long, value_name = "MS")]
    delay_ms: Option<u64>,
    /// The most bytes that pass before a reset.
    #[arg(long, value_name = "BYTES")]
    reset_bytes: Option<u64>,
    /// How long a half-open exchange stays silent.
    #[arg(long, value_name = "MS")]
    half_open_ms: Option<u64>,
}

#[derive(Serialize)]
struct Listening<'a> {
    listening: String,
    to: &'a str,
    seed: u64,
}

#[derive(Serialize)]
struct Ended {
    summary: Summary,
}

pub(crate) fn run(output: Output, args: &Args) -> Result<Exit, Failure> {
    let faults = args.faults();
    if !faults.fits() {
        return Err(Failure::usage("The rates add up to more than 1.", "Lower some; --delay does not count."));
    }
    let to = args.to.trim_start_matches("http://").trim_end_matches('/').to_owned();
    if to.starts_with("https://") {
        return Err(Failure::usage("The link speaks no TLS.", "Give a server that listens on plain http."));
    }
    let config = LinkConfig { listen: args.listen, to, seed: args.seed.unwrap_or_else(edge::any_seed), faults };
    edge::block_on(carry(output, config))?
}

async fn carry(output: Output, config: LinkConfig) -> Result<Exit, Failure> {
    let stop = edge::stop_signal(false)?;
    let (to, seed, addr) = (config.to.clone(), config.seed, config.listen);
    let link = Link::start(config).await.map_err(|error| {
        Failure::new(
            Exit::Failure,
            "listen",
            format!("{addr} cannot be listened on: {error}."),
            "Give another --listen.",
        )
    })?;
    let listening = Listening { listening: link.url(), to: &to, seed };
    output.result(&listening, || format!("listening on {}\nto {to}\nseed {seed}", listening.listening))?;
    stop.await;
    let ended = Ended { summary: link.stop().await };
    output.result(&ended, || human(&ended.summary))?;
    Ok(Exit::Ok)
}

fn human(summary: &Summary) -> String {
    let counts = serde_json::to_value(summary).unwrap_or_default();
    let counts = counts.as_object().into_iter().flatten();
    counts.map(|(name, count)| format!("{:<20}{count}", name.replace('_', " "))).collect::<Vec<_>>().join("\n")
}

impl Args {
    fn faults(&self) -> Faults {
        let from = if self.rough { Faults::rough() } else { Faults::NONE };
        Faults {
            drop: self.drop.unwrap_or(from.drop),
            duplicate: self.duplicate.unwrap_or(from.duplicate),
            replay_late: self.replay_late.unwrap_or(from.replay_late),
            delay: self.delay.unwrap_or(from.delay),
            cut_after_commit: self.cut_after_commit.unwrap_or(from.cut_after_commit),
            reset_after_bytes: self.reset_after_bytes.unwrap_or(from.reset_after_bytes),
            half_open: self.half_open.unwrap_or(from.half_open),
            captive: self.captive.unwrap_or(from.captive),
            unavailable: self.unavailable.unwrap_or(from.unavailable),
            delay_ms_max: self.delay_ms.unwrap_or(from.delay_ms_max),
            reset_bytes_max: self.reset_bytes.unwrap_or(from.reset_bytes_max),
            half_open_ms_max: self.half_open_ms.unwrap_or(from.half_open_ms_max),
        }
    }
}
