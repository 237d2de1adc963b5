//! One error for everything an app can meet: a stable code, what to do about it, one sentence for a person.
//!
//! No variant carries a value, an id or SQL that a person wrote (I-61): names of tables and fields only.

use turnstone_protocol::{Class, Code};

/// Why a call failed. Nothing was changed unless the variant says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The schema has no such table.
    #[error("there is no table {table:?} in the schema: check its name, or declare it")]
    UnknownTable {
        /// The name that was used.
        table: String,
    },
    /// The table has no such field.
    #[error("table {table:?} has no field {field:?}: check its name, or declare it")]
    UnknownField {
        /// The table.
        table: String,
        /// The name that was used.
        field: String,
    },
    /// A value does not fit its field.
    #[error("the value for {table}.{field} does not fit: {reason}")]
    InvalidValue {
        /// The table.
        table: String,
        /// The field.
        field: String,
        /// What is wrong with it.
        code: Code,
        /// What is wrong with it, for a person; never the value itself.
        reason: String,
    },
    /// A row id is empty, too long, or holds a NUL character.
    #[error("the row id cannot be used: {reason}")]
    InvalidId {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A write id is empty, too long, or holds a NUL character.
    #[error("the write id cannot be used: {reason}")]
    InvalidWriteId {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The row exists already.
    #[error("table {table:?} already has a row with this id: update it, or use upsert")]
    RowExists {
        /// The table.
        table: String,
    },
    /// The row does not exist.
    #[error("table {table:?} has no row with this id: insert it, or use upsert")]
    RowMissing {
        /// The table.
        table: String,
    },
    /// A new row lacks a field that has no default.
    #[error("a row of {table:?} needs a value for {field:?}: give it, or declare a default")]
    MissingField {
        /// The table.
        table: String,
        /// The field.
        field: String,
    },
    /// Only fields with `merge = "counter"` are incremented.
    #[error("{table}.{field} is not a counter: declare merge = \"counter\", or update it")]
    NotACounter {
        /// The table.
        table: String,
        /// The field.
        field: String,
    },
    /// Adding the amount would leave the range of a 64-bit integer.
    #[error("adding to {table}.{field} would overflow the counter")]
    CounterOverflow {
        /// The table.
        table: String,
        /// The field.
        field: String,
    },
    /// One local transaction is larger than every server must accept.
    #[error("the transaction has {found} {what}, at most {max} are allowed: split it into several")]
    GroupTooLarge {
        /// `ops` or `bytes`.
        what: &'static str,
        /// How many there were, at least.
        found: usize,
        /// How many are allowed.
        max: usize,
    },
    /// One row is larger than every server must accept.
    #[error("a row of {table:?} has more than {max} bytes: move large values out of it")]
    RowTooLarge {
        /// The table.
        table: String,
        /// How many bytes are allowed.
        max: usize,
    },
    /// SQL that would go around the sync core.
    #[error("this SQL is refused here: {what}")]
    SqlRefused {
        /// What it would do, and what to do instead.
        what: &'static str,
    },
    /// SQL that SQLite does not accept, or whose rules a value breaks.
    #[error("SQLite refused the statement: {message}")]
    Sql {
        /// SQLite's words.
        message: String,
    },
    /// A write was started from inside a write closure.
    #[error("a write was started inside a write: use the transaction that is open, or write afterwards")]
    Reentrant,
    /// The schema itself is wrong, or asks for something that is not built yet.
    #[error("the schema cannot be used: {message}")]
    Schema {
        /// What is wrong, with line and column where known.
        message: String,
    },
    /// The schema and the database contradict each other.
    #[error("the schema contradicts the database: {reason}")]
    SchemaContradicts {
        /// What differs.
        reason: String,
    },
    /// The database was written by a newer version of Turnstone.
    #[error("the database is of version {found}, this app knows up to {known}: update the app")]
    NewerDatabase {
        /// The version of the file.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// The file is not an SQLite database.
    #[error("the file is not a database: check the path; it was left untouched")]
    NotADatabase,
    /// The file is an SQLite database of somebody else.
    #[error("the file is a database, but not one of Turnstone: check the path; it was left untouched")]
    ForeignDatabase,
    /// The file is damaged.
    #[error("the database is damaged: restore it, or move it away and sync again")]
    Corrupt,
    /// The folder of the database does not exist.
    #[error("the folder of the database does not exist: create it first")]
    FolderMissing,
    /// The file or its folder cannot be written.
    #[error("the database or its folder cannot be written: check permissions")]
    ReadOnly,
    /// The file cannot be opened.
    #[error("the database cannot be opened: check the path and permissions")]
    CannotOpen,
    /// The database is another account's. It was left as it is.
    #[error(
        "the database is another account's, with {pending_groups} changes that were not sent: open another file, or \
         delete this one if they may be lost"
    )]
    OtherAccount {
        /// The local transactions that wait to be sent as that account.
        pending_groups: u64,
    },
    /// The name of an account is empty or too long.
    #[error("the account cannot be used: {reason}")]
    InvalidAccount {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Another handle or process has the database open.
    #[error("the database is open elsewhere: use that handle, or close it first")]
    AlreadyOpen,
    /// Somebody else took the database over.
    #[error("another process took the database over: close this handle and open it again")]
    LeaseLost,
    /// The disk is full.
    #[error("the disk is full: free space; nothing was changed, and writing works again once there is room")]
    StorageFull,
    /// Reading or writing the file failed.
    #[error("reading or writing the database failed (SQLite code {code}): try again")]
    Io {
        /// SQLite's extended code.
        code: i32,
    },
    /// The file is locked by somebody else.
    #[error("the database is locked by somebody else: try again")]
    Busy,
    /// Memory ran out.
    #[error("memory ran out: try again with less")]
    OutOfMemory,
    /// The transaction this write shared was lost before it was committed.
    #[error("the transaction was lost before it was committed: try again")]
    Lost,
    /// The store has no server.
    #[error("this store has no server to sync with: give Options a remote")]
    NoRemote,
    /// The server's address cannot be used.
    #[error("the server's address cannot be used: {reason}")]
    InvalidRemote {
        /// What is wrong with it, or what to do instead.
        reason: &'static str,
    },
    /// A sync could not go on. What was done until then stays done; nothing was lost.
    #[error("syncing stopped ({}): {}", code.as_str(), advice(code, *class))]
    SyncStopped {
        /// What stopped it.
        code: Code,
        /// What can be done about it.
        class: Class,
    },
    /// There is no such dead letter.
    #[error("there is no dead letter with this number: list them again")]
    DeadLetterMissing,
    /// The row a dead letter changes is not there any more.
    #[error("the row this dead letter changes is not there any more: write it anew from what the letter holds")]
    DeadLetterStale,
    /// The handle was closed.
    #[error("the database handle was closed: open it again")]
    Closed,
    /// The store let go of its file because the app is about to be suspended.
    #[error("the store is suspended: call resume first")]
    Suspended,
    /// The caller cancelled it.
    #[error("the call was cancelled")]
    Cancelled,
    /// The system has no randomness.
    #[error("the system gave no randomness: try again")]
    NoEntropy,
    /// A fault in Turnstone or in a closure it ran. The handle stays usable.
    #[error("an internal fault: {what}")]
    Internal {
        /// Where.
        what: &'static str,
    },
}

/// What an app can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// The call itself is wrong.
    InvalidArgument,
    /// Try again later.
    Retryable,
    /// Get a new token, or sign in.
    AuthRequired,
    /// Update the app or the server.
    UpgradeRequired,
    /// Free space.
    StorageFull,
    /// The file is damaged or not ours.
    Corrupt,
    /// The file cannot be used as it is: path, permissions, another opener.
    Unavailable,
    /// The file is another account's: open that account's own.
    OtherAccount,
    /// The handle was closed.
    Closed,
    /// Report it.
    Internal,
}

impl Error {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownTable { .. } => "unknown_table",
            Self::UnknownField { .. } => "unknown_field",
            Self::InvalidValue { .. } => "invalid_value",
            Self::InvalidId { .. } => "invalid_id",
            Self::InvalidWriteId { .. } => "invalid_write_id",
            Self::RowExists { .. } => "row_exists",
            Self::RowMissing { .. } => "row_missing",
            Self::MissingField { .. } => "missing_field",
            Self::NotACounter { .. } => "not_a_counter",
            Self::CounterOverflow { .. } => "counter_overflow",
            Self::GroupTooLarge { .. } => "group_too_large",
            Self::RowTooLarge { .. } => "row_too_large",
            Self::SqlRefused { .. } => "sql_refused",
            Self::Sql { .. } => "sql",
            Self::Reentrant => "reentrant",
            Self::Schema { .. } => "schema",
            Self::SchemaContradicts { .. } => "schema_contradicts",
            Self::NewerDatabase { .. } => "newer_database",
            Self::NotADatabase => "not_a_database",
            Self::ForeignDatabase => "foreign_database",
            Self::Corrupt => "corrupt",
            Self::FolderMissing => "folder_missing",
            Self::ReadOnly => "read_only",
            Self::CannotOpen => "cannot_open",
            Self::OtherAccount { .. } => "other_account",
            Self::InvalidAccount { .. } => "invalid_account",
            Self::AlreadyOpen => "already_open",
            Self::LeaseLost => "lease_lost",
            Self::StorageFull => "storage_full",
            Self::Io { .. } => "io",
            Self::Busy => "busy",
            Self::OutOfMemory => "out_of_memory",
            Self::Lost => "transaction_lost",
            Self::NoRemote => "no_remote",
            Self::InvalidRemote { .. } => "invalid_remote",
            Self::SyncStopped { code: Code::OtherAccount, .. } => "sync_other_account",
            Self::SyncStopped { class, .. } => stop_code(*class),
            Self::DeadLetterMissing => "dead_letter_missing",
            Self::DeadLetterStale => "dead_letter_stale",
            Self::Closed => "closed",
            Self::Suspended => "suspended",
            Self::Cancelled => "cancelled",
            Self::NoEntropy => "no_entropy",
            Self::Internal { .. } => "internal",
        }
    }

    /// What an app can do about it.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::NewerDatabase { .. } => ErrorClass::UpgradeRequired,
            Self::NotADatabase | Self::ForeignDatabase | Self::Corrupt => ErrorClass::Corrupt,
            Self::FolderMissing | Self::ReadOnly | Self::CannotOpen | Self::AlreadyOpen | Self::LeaseLost => {
                ErrorClass::Unavailable
            }
            Self::OtherAccount { .. } => ErrorClass::OtherAccount,
            Self::StorageFull => ErrorClass::StorageFull,
            Self::Suspended
            | Self::Cancelled
            | Self::Io { .. }
            | Self::Busy
            | Self::OutOfMemory
            | Self::Lost
            | Self::NoEntropy => ErrorClass::Retryable,
            Self::SyncStopped { class, .. } => match class {
                Class::Auth => ErrorClass::AuthRequired,
                Class::Upgrade => ErrorClass::UpgradeRequired,
                Class::Fix | Class::Gone => ErrorClass::Internal,
                Class::Ok | Class::Retry | Class::Conflict | Class::Reset => ErrorClass::Retryable,
            },
            Self::Closed => ErrorClass::Closed,
            Self::Internal { .. } => ErrorClass::Internal,
            _ => ErrorClass::InvalidArgument,
        }
    }
}

/// What can be done about a sync that stopped.
const fn advice(code: &Code, class: Class) -> &'static str {
    match class {
        _ if matches!(code, Code::OtherAccount) => {
            "the token is of another account than the database: sign in as that one, or open another file"
        }
        Class::Auth => "sign in, then sync again",
        Class::Upgrade => "update the app",
        Class::Fix => "the server refuses what this app sends: report it",
        Class::Gone => "check the server's address",
        Class::Ok | Class::Retry | Class::Conflict | Class::Reset => "try again later",
    }
}

/// The stable code of a sync that stopped; the variant's own `code` says more.
const fn stop_code(class: Class) -> &'static str {
    match class {
        Class::Auth => "sync_auth",
        Class::Upgrade => "sync_upgrade",
        Class::Fix => "sync_refused",
        Class::Gone => "sync_not_served",
        Class::Ok | Class::Retry | Class::Conflict | Class::Reset => "sync_retry",
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as C;
        let Some(failure) = error.sqlite_error() else {
            return match error {
                // Our tables are strict: only a damaged file lacks a row of ours, or has a value of another type.
                rusqlite::Error::QueryReturnedNoRows
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..) => Self::Corrupt,
                other => Self::Sql { message: sql_message(&other) },
            };
        };
        match failure.code {
            C::DiskFull => Self::StorageFull,
            C::SystemIoFailure => Self::Io { code: failure.extended_code },
            C::DatabaseBusy | C::DatabaseLocked | C::FileLockingProtocolFailed => Self::Busy,
            C::OutOfMemory => Self::OutOfMemory,
            // Nobody interrupts a statement but `suspend` and `Cancel`, whose caller knows.
            C::OperationInterrupted => Self::Suspended,
            C::DatabaseCorrupt => Self::Corrupt,
            C::NotADatabase => Self::NotADatabase,
            C::ReadOnly => Self::ReadOnly,
            C::CannotOpen => Self::CannotOpen,
            C::PermissionDenied => Self::ReadOnly,
            _ => Self::Sql { message: sql_message(&error) },
        }
    }
}

impl Error {
    /// An app's own closure over a row failed. That it took a column for something else is its mistake and no damage; its
    /// words may hold what was read.
    pub(crate) fn of_closure(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::FromSqlConversionFailure(column, ..)
            | rusqlite::Error::IntegralValueOutOfRange(column, ..)
            | rusqlite::Error::InvalidColumnType(column, ..) => {
                Self::Sql { message: format!("column {column} is not what the query's closure takes it for") }
            }
            rusqlite::Error::QueryReturnedNoRows => {
                Self::Sql { message: "the query's closure found no row where it asked for one".to_owned() }
            }
            other => other.into(),
        }
    }
}

/// What SQLite says of a statement, without the statement and without a literal of it (I-61).
fn sql_message(error: &rusqlite::Error) -> String {
    let rusqlite::Error::SqlInputError { msg, offset, .. } = error else { return error.to_string() };
    let said = match msg.split_once('"').zip(msg.rsplit_once('"')) {
        Some(((before, _), (within, after))) if before.len() < within.len() => {
            let token = within.get(before.len() + 1..).unwrap_or_default();
            let is_name = token.chars().all(|c| c.is_alphanumeric() || "_(),.;=<>*".contains(c));
            let is_literal = !is_name || token.starts_with(|c: char| c.is_ascii_digit());
            if is_literal { format!("{before}a literal{after}") } else { msg.clone() }
        }
        _ => msg.clone(),
    };
    match offset {
        0.. => format!("{said} (at byte {offset})"),
        _ => said,
    }
}
