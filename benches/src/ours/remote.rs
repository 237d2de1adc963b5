//! Real servers in a process of their own, and devices that sync with them.

use std::path::Path;

use turnstone::transport::StaticToken;
use turnstone::{Durability, Options, Remote, Store};
use turnstone_server::{Config, Key};

use super::schema;
use crate::Result;
use crate::serve::Served;

/// One key for all servers here: they live for seconds, on loopback.
const KEY: &[u8] = b"a key that is good enough for a benchmark";

/// What `serve ours DATABASE` serves.
pub(crate) fn config(database: &Path) -> Result<Config> {
    Ok(Config::new(database, schema()?, key()?))
}

fn key() -> Result<Key> {
    Ok(Key::from_bytes(KEY)?)
}

/// A token of one tenant.
pub(crate) fn token(tenant: &str) -> Result<String> {
    const YEAR_S: u64 = 365 * 24 * 60 * 60;
    let now_ms = turnstone::Clock::system().now().wall_ms;
    let token = turnstone_server::token::mint(&key()?, tenant, "someone", None, YEAR_S, now_ms);
    token.map_err(|problem| format!("{problem:?}").into())
}

/// A device of the first tenant.
pub(crate) fn device(path: &Path, server: &Served) -> Result<Store> {
    let remote = Remote::http(&server.base, StaticToken::new(token("tenant-0")?));
    Ok(Store::open(Options::new(path, schema()?).durability(Durability::Power).remote(remote))?)
}
