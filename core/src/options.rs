//! How a store is opened, and which server it syncs with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use turnstone_protocol::Schema;

use crate::clock::{Clock, Entropy};
use crate::storage::{Account, Durability, OpenOptions};
use crate::transport::{TokenProvider, Transport};
use crate::witness::Witness;

/// How a store is opened.
#[derive(Debug, Clone)]
#[must_use]
pub struct Options {
    pub(crate) path: PathBuf,
    pub(crate) schema: Schema,
    pub(crate) storage: OpenOptions,
    pub(crate) remote: Option<Remote>,
    pub(crate) auto_sync: bool,
    pub(crate) poll: Option<Duration>,
    pub(crate) bounds: turnstone_engine::sync::Config,
    pub(crate) lent: Option<tokio::runtime::Handle>,
    pub(crate) witness: Option<Kept>,
}

/// A witness that can be printed.
#[derive(Clone)]
pub(crate) struct Kept(pub(crate) Arc<dyn Witness>);

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Witness")
    }
}

impl Options {
    /// A database at `path` with this schema: durable against power loss, syncing only when asked.
    pub fn new(path: impl Into<PathBuf>, schema: Schema) -> Self {
        Self {
            path: path.into(),
            schema,
            storage: OpenOptions::new(Clock::system(), Entropy::system()),
            remote: None,
            auto_sync: false,
            poll: Some(Duration::from_secs(900)),
            bounds: turnstone_engine::sync::Config::default(),
            lent: None,
            witness: None,
        }
    }

    /// What an acknowledged write survives.
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.storage.durability = durability;
        self
    }

    /// The app's own version: recorded with every write, so that a bad release can be told apart.
    pub fn app_version(mut self, version: impl Into<String>) -> Self {
        self.storage.app_version = Some(version.into());
        self
    }

    /// Whose database it is: any text of the app's own of at most 255 bytes, the same for the same person. The first one
    /// given stays with the file, as a hash; opening it for another is [`Error::OtherAccount`](crate::Error::OtherAccount),
    /// so that nobody reads another's rows or sends another's changes as their own.
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.storage.account = Some(Account::new(account));
        self
    }

    /// The largest value of one field, in bytes. Every server accepts 1 MiB.
    pub const fn value_bytes_max(mut self, bytes: usize) -> Self {
        self.storage.value_bytes_max = bytes;
        self
    }

    /// SQL of the app's own, run at every open: full-text tables, views, triggers that write only such tables and
    /// `local_only` ones. Each statement must be repeatable (`IF NOT EXISTS`).
    pub fn local_sql(mut self, statements: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.storage.local_sql = statements.into_iter().map(Into::into).collect();
        self
    }

    /// The clocks, for tests and for trying wrong ones.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.storage.clock = clock;
        self
    }

    /// Where ids come from, for tests and simulations.
    pub fn entropy(mut self, entropy: Entropy) -> Self {
        self.storage.entropy = entropy;
        self
    }

    /// The SQLite VFS to open the file with, by its registered name: for tests and simulations that put a disk of
    /// theirs under the database.
    pub fn vfs(mut self, name: impl Into<String>) -> Self {
        self.storage.vfs = Some(name.into());
        self
    }

    /// The server to sync with. Without one the store works all the same, offline.
    pub fn remote(mut self, remote: Remote) -> Self {
        self.remote = Some(remote);
        self
    }

    /// What tells a copy of the database from the one this device knows, before anything is sent.
    pub fn witness(mut self, witness: impl Witness + 'static) -> Self {
        self.witness = Some(Kept(Arc::new(witness)));
        self
    }

    /// Syncs by itself: 3 s after a write, at the start, after failures, and every [`Options::poll_every`].
    pub const fn auto_sync(mut self, auto: bool) -> Self {
        self.auto_sync = auto;
        self
    }

    /// How long a sync waits for further writes, with `auto_sync`: 3 s unless set, from 2 to 5 s.
    pub const fn debounce(mut self, wait: Duration) -> Self {
        self.bounds.debounce_ms = wait.as_millis() as u64;
        self
    }

    /// How often to look for news while quiet, with `auto_sync`; 15 minutes unless set, none: never.
    pub const fn poll_every(mut self, every: Option<Duration>) -> Self {
        self.poll = every;
        self
    }

    /// The most transactions in a push and rows in a page, for simulations: with small ones, rare paths are common.
    #[doc(hidden)]
    pub const fn batches(mut self, entries_max: usize, rows_max: usize) -> Self {
        self.bounds.entries_max = entries_max;
        self.bounds.rows_max = rows_max;
        self
    }

    /// Runs everything on this runtime instead of threads of the store's own, for simulations: one thread, whose time
    /// is paused, is the whole world then.
    #[doc(hidden)]
    pub fn on_one_thread(mut self, runtime: tokio::runtime::Handle) -> Self {
        self.lent = Some(runtime);
        self
    }
}

/// The server a store syncs with.
#[derive(Clone)]
#[must_use]
pub struct Remote {
    pub(crate) link: Link,
    pub(crate) tokens: Arc<dyn TokenProvider>,
}

/// How the server is reached.
#[derive(Clone)]
pub(crate) enum Link {
    /// Built-in HTTP.
    #[cfg(feature = "http")]
    Http { url: String, timeouts: crate::transport::Timeouts, plain: bool },
    /// The app's own.
    Custom(Arc<dyn Transport>),
}

impl Remote {
    /// A server at a URL such as `https://sync.example.com`. Plain `http` is refused but for this machine itself,
    /// because the token would travel in the clear; see [`Remote::allow_plain_http`].
    #[cfg(feature = "http")]
    pub fn http(url: impl Into<String>, tokens: impl TokenProvider + 'static) -> Self {
        let link = Link::Http { url: url.into(), timeouts: crate::transport::Timeouts::default(), plain: false };
        Self { link, tokens: Arc::new(tokens) }
    }

    /// A server reached by a transport of the app's own (OkHttp, URLSession, in memory).
    pub fn custom(transport: impl Transport + 'static, tokens: impl TokenProvider + 'static) -> Self {
        Self { link: Link::Custom(Arc::new(transport)), tokens: Arc::new(tokens) }
    }

    /// Allows plain `http` to another machine: for development only.
    #[cfg(feature = "http")]
    pub fn allow_plain_http(mut self) -> Self {
        if let Link::Http { plain, .. } = &mut self.link {
            *plain = true;
        }
        self
    }

    /// How long to wait for a connection and for an answer.
    #[cfg(feature = "http")]
    pub fn timeouts(mut self, new: crate::transport::Timeouts) -> Self {
        if let Link::Http { timeouts, .. } = &mut self.link {
            *timeouts = new;
        }
        self
    }
}

/// Shows how the server is reached and never a token.
impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.link {
            #[cfg(feature = "http")]
            Link::Http { .. } => "Remote::http",
            Link::Custom(_) => "Remote::custom",
        })
    }
}
