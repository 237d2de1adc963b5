//! The link itself: listens, accepts, and carries exchanges until it is stopped.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::exchange;
use super::faults::Faults;
use super::tally::{Summary, Tally, add};

/// How many old requests the link keeps for a late replay.
const REPLAYS_MAX: usize = 16;

/// Where a link listens, where it leads, and what goes wrong on it.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// The address clients connect to; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The server's `host:port`.
    pub to: String,
    /// Decides, with the number of the exchange, what goes wrong.
    pub seed: u64,
    /// How often things go wrong.
    pub faults: Faults,
}

/// A running link. Dropping it closes every connection.
#[derive(Debug)]
pub struct Link {
    local_addr: SocketAddr,
    shared: Arc<Shared>,
    offline: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

/// What the link's connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) seed: u64,
    pub(super) tally: Tally,
    numbers: AtomicU64,
    faults: Mutex<Faults>,
    to: Mutex<String>,
    replays: Mutex<Vec<Vec<u8>>>,
    is_offline: AtomicBool,
}

impl Link {
    /// Starts to listen and carry.
    ///
    /// # Errors
    /// The I/O error of binding the address.
    pub async fn start(config: LinkConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let local_addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            seed: config.seed,
            tally: Tally::default(),
            numbers: AtomicU64::new(0),
            faults: Mutex::new(config.faults),
            to: Mutex::new(config.to),
            replays: Mutex::new(Vec::new()),
            is_offline: AtomicBool::new(false),
        });
        let (offline, watching) = watch::channel(false);
        let accepting = crate::edge::spawn(accept(listener, Arc::clone(&shared), watching));
        Ok(Self { local_addr, shared, offline, accepting })
    }

    /// The address clients connect to.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The address as the URL a client is given.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.local_addr)
    }

    /// Changes what goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        *lock(&self.shared.faults) = faults;
    }

    /// Leads to another server from now on, for instance one restarted on another port.
    pub fn set_target(&self, to: impl Into<String>) {
        *lock(&self.shared.to) = to.into();
    }

    /// Airplane mode: breaks every connection, and closes new ones at once until switched off.
    pub fn set_offline(&self, offline: bool) {
        self.shared.is_offline.store(offline, Ordering::SeqCst);
        self.offline.send_replace(offline);
    }

    /// What the link did so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.shared.tally.summary()
    }

    /// Stops listening, breaks every connection, and says what the link did.
    pub async fn stop(mut self) -> Summary {
        self.accepting.abort();
        // Only waits for the abort; a cancelled task is the expected outcome.
        drop((&mut self.accepting).await);
        self.shared.tally.summary()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    pub(super) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::SeqCst)
    }

    pub(super) fn faults(&self) -> Faults {
        *lock(&self.faults)
    }

    pub(super) fn target(&self) -> String {
        lock(&self.to).clone()
    }

    pub(super) fn keep_for_replay(&self, request: Vec<u8>) {
        let mut replays = lock(&self.replays);
        if replays.len() < REPLAYS_MAX {
            replays.push(request);
        }
    }

    pub(super) fn take_replays(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut lock(&self.replays))
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, offline: watch::Receiver<bool>) {
    // Owning the connections' tasks here ends them all when this task is aborted.
    let mut open = JoinSet::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(kind = ?error.kind(), "the link could not accept a connection");
                crate::edge::sleep_ms(20).await;
                continue;
            }
        };
        while open.try_join_next().is_some() {}
        add(&shared.tally.connections, 1);
        if shared.is_offline.load(Ordering::SeqCst) {
            add(&shared.tally.refused_offline, 1);
            continue;
        }
        let (shared, mut offline) = (Arc::clone(&shared), offline.clone());
        open.spawn(async move {
            tokio::select! {
                // An I/O error is the end of this connection and was counted where it happened.
                _ = exchange::carry(stream, &shared) => {}
                _ = offline.wait_for(|is_offline| *is_offline) => {}
            }
        });
    }
}

/// No code panics while it holds these locks; if one did, the data behind them is still whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
