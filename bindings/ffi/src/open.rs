//! How a store is opened.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use turnstone::{Durability, Options, Remote, Schema, Store};

use crate::error::FfiError;
use crate::hooks::{
    FfiHttpTransport, FfiKeyProvider, FfiPlatformScheduler, FfiTokenProvider, FfiWitness, HostTokens, HostTransport,
    HostWitness, start_scheduler,
};

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FfiDurability {
    /// Power loss at any moment.
    Power,
    /// Any kill of the process, not power loss.
    Process,
}

/// How a store is opened. It cannot be printed: whose database it is has no place in a log.
#[derive(Clone, PartialEq, uniffi::Record)]
pub struct FfiOptions {
    /// The database file; its folder must exist.
    pub path: String,
    /// The schema, in TOML.
    pub schema: String,
    /// What an acknowledged write survives.
    pub durability: FfiDurability,
    /// The app's own version: recorded with every write.
    pub app_version: Option<String>,
    /// SQL of the app's own, run at every open: full-text tables, views. Each statement must be repeatable.
    pub local_sql: Vec<String>,
    /// Whose database it is: any text of the app's own, the same for the same person. None: whoever opens it.
    pub account: Option<String>,
    /// The largest value of one field, in bytes; none: 1 MiB, which every server accepts.
    pub value_bytes_max: Option<u64>,
    /// The server, such as `https://sync.example.com`. None: the store works offline, or by a transport of the app's own.
    pub url: Option<String>,
    /// Whether plain `http` to another machine is allowed: for development only.
    pub allow_plain_http: bool,
    /// Whether it syncs by itself: after a write, at the start, after failures, and from time to time.
    pub auto_sync: bool,
    /// How long a sync waits for further writes, in milliseconds, from 2,000 to 5,000; none: 3,000.
    pub debounce_ms: Option<u64>,
    /// How often to look for news while quiet, in milliseconds; none: never.
    pub poll_ms: Option<u64>,
    /// Bodies larger than this travel to and from a transport of the app's own as files, in bytes.
    pub body_file_above: u64,
}

/// What the app brings along.
#[derive(uniffi::Record)]
pub struct FfiHooks {
    /// Gives the tokens. Needed where there is a server.
    pub tokens: Option<Arc<dyn FfiTokenProvider>>,
    /// Moves requests instead of the built-in HTTP.
    pub transport: Option<Arc<dyn FfiHttpTransport>>,
    /// Holds what is wished of the operating system.
    pub scheduler: Option<Arc<dyn FfiPlatformScheduler>>,
    /// Tells a copy of the database from the one this device knows.
    pub witness: Option<Arc<dyn FfiWitness>>,
    /// Gives the key of the database. Reserved: with one the store is refused.
    pub keys: Option<Arc<dyn FfiKeyProvider>>,
}

/// Opens a store. Waits for the disk.
pub(crate) fn open(given: FfiOptions, hooks: FfiHooks) -> Result<Store, FfiError> {
    let schema = Schema::parse(&given.schema)
        .map_err(|error| FfiError::InvalidArgument { code: "schema".to_owned(), text: error.to_string() })?;
    if hooks.keys.is_some() {
        let text = "encryption is not built yet: open the store without a key provider, or wait for a later release";
        return Err(FfiError::invalid("no_encryption", text));
    }
    let (scheduler, witness) = (hooks.scheduler.clone(), hooks.witness.clone());
    let remote = remote(&given, hooks)?;
    let mut options = Options::new(&given.path, schema)
        .durability(match given.durability {
            FfiDurability::Power => Durability::Power,
            FfiDurability::Process => Durability::Process,
        })
        .local_sql(given.local_sql)
        .auto_sync(given.auto_sync)
        .poll_every(given.poll_ms.map(Duration::from_millis));
    if let Some(wait) = given.debounce_ms {
        options = options.debounce(Duration::from_millis(wait));
    }
    if let Some(version) = given.app_version {
        options = options.app_version(version);
    }
    if let Some(account) = given.account {
        options = options.account(account);
    }
    if let Some(bytes) = given.value_bytes_max {
        options = options.value_bytes_max(usize::try_from(bytes).unwrap_or(usize::MAX));
    }
    if let Some(remote) = remote {
        options = options.remote(remote);
    }
    if let Some(witness) = witness {
        options = options.witness(HostWitness(witness));
    }
    let store = Store::open(options)?;
    if let Some(scheduler) = scheduler {
        start_scheduler(&store, scheduler)?;
    }
    Ok(store)
}

fn remote(given: &FfiOptions, hooks: FfiHooks) -> Result<Option<Remote>, FfiError> {
    let no_tokens = || FfiError::invalid("no_tokens", "a store with a server needs a token provider");
    if let Some(transport) = hooks.transport {
        let folder = Path::new(&given.path).with_extension("bodies");
        let transport = HostTransport::new(transport, folder, given.body_file_above);
        let tokens = HostTokens(hooks.tokens.ok_or_else(no_tokens)?);
        return Ok(Some(Remote::custom(transport, tokens)));
    }
    let Some(url) = &given.url else { return Ok(None) };
    let tokens = HostTokens(hooks.tokens.ok_or_else(no_tokens)?);
    built_in(url, given.allow_plain_http, tokens).map(Some)
}

#[cfg(feature = "http")]
#[allow(clippy::unnecessary_wraps, reason = "without the built-in HTTP it fails")]
fn built_in(url: &str, plain: bool, tokens: HostTokens) -> Result<Remote, FfiError> {
    let remote = Remote::http(url, tokens);
    Ok(if plain { remote.allow_plain_http() } else { remote })
}

#[cfg(not(feature = "http"))]
fn built_in(_url: &str, _plain: bool, _tokens: HostTokens) -> Result<Remote, FfiError> {
    Err(FfiError::invalid("no_http", "this library was built without HTTP: give a transport"))
}
