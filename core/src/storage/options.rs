//! How a database is opened.

use turnstone_protocol::limits;

use super::account::Account;
use crate::clock::{Clock, Entropy};

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Power loss at any moment: WAL with `synchronous=FULL` (and `fullfsync` on Apple).
    #[default]
    Power,
    /// Any kill of the process, not power loss: WAL with `synchronous=NORMAL`.
    Process,
}

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// The app's own version, recorded with every group.
    pub app_version: Option<String>,
    /// Whose database it is; none: whoever opens it.
    pub account: Option<Account>,
    /// The largest value of one field, in bytes.
    pub value_bytes_max: usize,
    /// SQL of the app's own, run at every open: full-text tables, views, and triggers that write only such tables
    /// and `local_only` ones. Each statement must be repeatable (`IF NOT EXISTS`).
    pub local_sql: Vec<String>,
    /// The most connections for reading.
    pub readers_max: usize,
    /// The SQLite VFS to open the file with, by its registered name; none: the system's own. With it, tests and
    /// simulations put a disk of theirs under the database.
    pub vfs: Option<String>,
    /// The clocks.
    pub clock: Clock,
    /// Where ids come from.
    pub entropy: Entropy,
}

impl OpenOptions {
    /// Durable against power loss, with the clocks and randomness that are passed in.
    #[must_use]
    pub fn new(clock: Clock, entropy: Entropy) -> Self {
        Self {
            durability: Durability::Power,
            app_version: None,
            account: None,
            value_bytes_max: limits::VALUE_BYTES_MAX,
            local_sql: Vec::new(),
            readers_max: 4,
            vfs: None,
            clock,
            entropy,
        }
    }
}
