//! What can go wrong below the rules. No variant carries data of a tenant.

/// A store that did not do what it was asked. Nothing was written, and the handle stays usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// Somebody else holds the database.
    #[error("the database is held by somebody else; try again")]
    Busy,
    /// There is no room left.
    #[error("the disk is full: free space; a server that runs goes on by itself")]
    Full,
    /// The database or its folder cannot be written.
    #[error("the database cannot be written: check the rights of the file and its folder")]
    ReadOnly,
    /// The system failed to read or write.
    #[error("the disk did not read or write (SQLite code {0})")]
    Io(i32),
    /// The file is not what was once written.
    #[error("the database is damaged: restore a backup and start once with a new epoch")]
    Corrupt,
    /// The file is not a Turnstone server's database.
    #[error("this file is not a Turnstone server's database")]
    NotOurs,
    /// The file was written by a newer server.
    #[error("the database has version {found}, this server knows up to {known}: use the newer server")]
    Newer {
        /// The version of the file.
        found: i64,
        /// The newest version this server knows.
        known: i64,
    },
    /// A record cannot be read back.
    #[error("a stored {0} cannot be read back")]
    BadRecord(&'static str),
    /// The work was given up because something in it failed unexpectedly.
    #[error("the work was given up")]
    GivenUp,
    /// Anything else the database said.
    #[error("the database refused (SQLite code {0})")]
    Other(i32),
}

impl StorageError {
    /// Whether the same work may succeed later without anybody changing the program.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Busy | Self::Full | Self::ReadOnly | Self::Io(_))
    }
}
