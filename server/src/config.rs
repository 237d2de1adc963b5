//! What a server is told at its start.

use std::path::PathBuf;

use turnstone_protocol::Schema;
use turnstone_protocol::limits;

use crate::clock::Clock;
use crate::key::Key;

/// 30 days, in milliseconds.
pub const THIRTY_DAYS_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// What a server is told at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// The SQLite file; made if it is not there.
    pub database: PathBuf,
    /// The schema it serves.
    pub schema: Schema,
    /// The keys: the first signs tokens and seals cursors, the others are still accepted, so that a key can be
    /// changed without resyncing anybody.
    pub keys: Vec<Key>,
    /// Bounds on what comes in and goes out.
    pub limits: Limits,
    /// The lowest schema version a device may still run; older ones are told to upgrade.
    pub schema_min: u32,
    /// How long accepted requests may take to finish once the server was asked to stop, in milliseconds.
    pub drain_ms: u64,
    /// Clients may forget acknowledged groups older than this, in milliseconds. Longer than backups are kept.
    pub stable_after_ms: u64,
    /// Declares the history another one: set once after a restore from a backup.
    pub new_epoch: bool,
    /// The wall clock.
    pub clock: Clock,
}

impl Config {
    /// A server of `schema` in `database`, with the documented defaults.
    #[must_use]
    pub fn new(database: impl Into<PathBuf>, schema: Schema, key: Key) -> Self {
        Self {
            database: database.into(),
            schema,
            keys: vec![key],
            limits: Limits::default(),
            schema_min: 0,
            drain_ms: 10_000,
            stable_after_ms: THIRTY_DAYS_MS,
            new_epoch: false,
            clock: Clock::system(),
        }
    }
}

/// Bounds on what comes in and goes out. The defaults are the minimum every server accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The largest request body as it travels.
    pub request_packed_bytes_max: usize,
    /// The largest request body once expanded.
    pub request_expanded_bytes_max: usize,
    /// The most groups in one push.
    pub push_groups_max: usize,
    /// The largest value of one field, in bytes.
    pub value_bytes_max: usize,
    /// The largest sum of the rows one group touches, in bytes; a change of a few small fields in very many very
    /// large rows must be cut into several groups.
    pub group_images_bytes_max: usize,
    /// The most rows in one page.
    pub page_rows_max: usize,
    /// The most bytes of rows in one page, except that one row always fits.
    pub page_bytes_max: usize,
    /// The most connections at once.
    pub connections_max: usize,
    /// The most requests worked on at once; more are answered 503 with `Retry-After`.
    pub requests_max: usize,
    /// The most memory the bodies of all requests together may take, in bytes; more are answered 503.
    pub bodies_bytes_max: usize,
    /// How long a request may take to arrive, in milliseconds.
    pub request_ms_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_packed_bytes_max: limits::REQUEST_PACKED_BYTES_MAX,
            request_expanded_bytes_max: limits::REQUEST_EXPANDED_BYTES_MAX,
            push_groups_max: limits::PUSH_GROUPS_MAX,
            value_bytes_max: limits::VALUE_BYTES_CEILING,
            group_images_bytes_max: 256 << 20,
            page_rows_max: limits::PAGE_ROWS_MAX,
            page_bytes_max: limits::PAGE_BYTES_MAX,
            connections_max: 4_096,
            requests_max: 256,
            bodies_bytes_max: 256 << 20,
            request_ms_max: 60_000,
        }
    }
}
