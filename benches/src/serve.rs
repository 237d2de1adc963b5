//! Servers in a process of their own, so that the memory and the processor time of a client are the client's.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::Result;
use crate::{limit, ours};

/// A running server; it ends when this is dropped.
pub(crate) struct Served {
    child: Child,
    pub(crate) base: String,
}

impl Served {
    /// Starts this program again as a server over a database.
    pub(crate) fn start(kind: &str, database: &Path) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .arg(kind)
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("the server has no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let base = line.trim().to_owned();
        if base.is_empty() {
            return Err(format!("the {kind} server does not start").into());
        }
        Ok(Self { child, base })
    }

    /// Processor time of the server so far, where the system tells it.
    pub(crate) fn cpu_ns(&self) -> Option<u64> {
        const TICK_NS: u64 = 10_000_000;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let user: u64 = fields.next()?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        Some((user + system) * TICK_NS)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It ends by itself when its input closes; if it has ended already, that is as good.
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

/// What `serve KIND DATABASE` does: prints its address, serves until its input closes.
pub(crate) fn run(kind: &str, database: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match kind {
            "limit" => {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
                announce(&format!("http://{}", listener.local_addr()?))?;
                let serving = axum::serve(listener, limit::http::routes(database)?);
                Ok(serving.with_graceful_shutdown(input_closed()).await?)
            }
            "ours" => {
                let server =
                    turnstone_server::Server::bind(([127, 0, 0, 1], 0).into(), ours::remote::config(database)?).await?;
                announce(&format!("http://{}", server.local_addr()))?;
                Ok(server.run(input_closed()).await?)
            }
            other => Err(format!("there is no server called {other}").into()),
        }
    })
}

fn announce(address: &str) -> Result<()> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{address}")?;
    Ok(stdout.flush()?)
}

#[expect(clippy::disallowed_methods, reason = "waiting for the parent needs a thread: standard input blocks")]
async fn input_closed() {
    let closed = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    // However the wait ends, nobody needs this server any more.
    drop(closed.await);
}
