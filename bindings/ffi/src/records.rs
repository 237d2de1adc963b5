//! What calls answer with, beside rows.

use turnstone::{DeadLetter, Origin, RowState, StateHash, Status, SyncReport, TokenReason};

use crate::background::FfiDecision;

/// What a write did.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FfiWritten {
    /// The ids of the rows that its inserts made, in their order.
    pub ids: Vec<String>,
    /// Whether its write id was used before: nothing was written then, and `ids` are those of the first time.
    pub repeated: bool,
}

/// Where a row stands, for the badge beside it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum FfiRowState {
    /// Saved on this device; not sent yet.
    Saved,
    /// Being sent.
    Sending,
    /// Sent without success so far.
    Retrying {
        /// How often it was sent.
        attempts: u32,
        /// When it is sent next, in milliseconds since 1970, where that is known.
        at_ms: Option<u64>,
    },
    /// The server has it.
    Synced,
    /// Somebody must decide between two versions.
    Conflict,
    /// The server refused a change of it, which is now a dead letter.
    Failed {
        /// Why: a stable code.
        reason: String,
    },
}

/// What happens now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FfiPhase {
    /// Nothing.
    Idle,
    /// Getting a token, or asking the server what it is.
    Connecting,
    /// Sending.
    Pushing,
    /// Fetching.
    Pulling,
    /// An attempt failed: see when the next one is.
    Waiting,
    /// Somebody must sign in.
    NeedsAuth,
    /// The app is too old for this server.
    Stopped,
}

/// Where a store stands.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FfiStatus {
    /// Local transactions the server has not decided yet.
    pub pending_groups: u64,
    /// Their changes.
    pub pending_ops: u64,
    /// Of those transactions, ones that wait behind a refused one.
    pub parked_groups: u64,
    /// When the oldest of them was written, in milliseconds since 1970.
    pub oldest_pending_at_ms: Option<u64>,
    /// Refused changes that wait for a person.
    pub dead_letters: u64,
    /// The stable code of what went wrong last; none once everything was synced again.
    pub last_error_code: Option<String>,
    /// When that was, in milliseconds since 1970.
    pub last_error_at_ms: Option<u64>,
    /// When everything was last sent and fetched, in milliseconds since 1970.
    pub last_synced_at_ms: Option<u64>,
    /// When the next attempt is, in milliseconds since 1970.
    pub next_attempt_at_ms: Option<u64>,
    /// Why then: a stable word.
    pub next_attempt_why: Option<String>,
    /// What happens now.
    pub phase: FfiPhase,
    /// Whether the store has a server at all.
    pub has_remote: bool,
    /// What happens next, and why.
    pub next: FfiDecision,
}

/// What a sync did.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FfiSyncReport {
    /// Local transactions the server has now decided.
    pub groups_pushed: u64,
    /// Of those, accepted as they were.
    pub applied: u64,
    /// Accepted beside changes they had not seen.
    pub merged: u64,
    /// Refused for good: now dead letters.
    pub rejected: u64,
    /// Local transactions the server wants to see again later.
    pub waiting: u64,
    /// Rows that came from the server.
    pub rows_pulled: u64,
    /// Overlapping changes that a policy decided.
    pub overlaps: u64,
    /// Bytes sent, as they travelled.
    pub bytes_up: u64,
    /// Bytes received, as they travelled.
    pub bytes_down: u64,
    /// Requests made.
    pub requests: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// A refused change: read it, repair the row, send it again.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct FfiDeadLetter {
    /// Its number, for retrying it.
    pub id: i64,
    /// The local transaction it was part of.
    pub gid: String,
    /// Which change of it, from 0; none: all of them.
    pub n: Option<u32>,
    /// Why it was refused: a stable code.
    pub reason: String,
    /// The fields it was refused for, as `table.field`.
    pub fields: Vec<String>,
    /// What was meant: a JSON list of ops, as `docs/protocol.md` describes them.
    pub ops_json: String,
    /// How often it was sent.
    pub attempts: u32,
    /// When it was refused, in milliseconds since 1970.
    pub at_ms: u64,
}

/// The hash of what the server confirmed to this device: equal everywhere once the network is quiet.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FfiStateHash {
    /// The commit it stands for.
    pub at: u64,
    /// How many rows there are.
    pub rows: u64,
    /// The hash, in hex.
    pub hash: String,
}

/// This installation, and its present life: what a token or a support request may name.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FfiIdentity {
    /// The installation.
    pub device: String,
    /// Its present life.
    pub incarnation: String,
}

/// Where a database came from, as its witness says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FfiOrigin {
    /// There is no witness, or it cannot be read.
    Unknown,
    /// The first opening.
    New,
    /// The database that this device knows.
    Known,
    /// A copy, from a backup or another device: it syncs under a new identity.
    Copied,
    /// This device knew another database, which is gone.
    Lost,
}

impl From<Origin> for FfiOrigin {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::New => Self::New,
            Origin::Known => Self::Known,
            Origin::Copied => Self::Copied,
            Origin::Lost => Self::Lost,
            _ => Self::Unknown,
        }
    }
}

/// Why a token is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FfiTokenReason {
    /// The first one since the store was opened: a kept one will do.
    First,
    /// The last one has expired: a fresh one is needed.
    Expired,
    /// The server refused the last one: a fresh one is needed, or somebody has to sign in.
    Rejected,
}

impl From<TokenReason> for FfiTokenReason {
    fn from(reason: TokenReason) -> Self {
        match reason {
            TokenReason::First => Self::First,
            TokenReason::Expired => Self::Expired,
            TokenReason::Rejected => Self::Rejected,
        }
    }
}

impl From<RowState> for FfiRowState {
    fn from(state: RowState) -> Self {
        match state {
            RowState::Saved => Self::Saved,
            RowState::Sending => Self::Sending,
            RowState::Retrying { n, at_ms } => Self::Retrying { attempts: n, at_ms },
            RowState::Conflict => Self::Conflict,
            RowState::Failed { reason } => Self::Failed { reason: reason.as_str().to_owned() },
            _ => Self::Synced,
        }
    }
}

impl From<Status> for FfiStatus {
    fn from(status: Status) -> Self {
        use turnstone::observe::Phase;
        let (error, next) = (status.last_error, status.next_attempt);
        Self {
            pending_groups: status.pending_groups,
            pending_ops: status.pending_ops,
            parked_groups: status.parked_groups,
            oldest_pending_at_ms: status.oldest_pending_at_ms,
            dead_letters: status.dead_letters,
            last_error_at_ms: error.as_ref().map(|error| error.at_ms),
            last_error_code: error.map(|error| error.code),
            last_synced_at_ms: status.last_synced_at_ms,
            next_attempt_at_ms: next.map(|next| next.at_ms),
            next_attempt_why: next.map(|next| word(&next.why)),
            phase: match status.phase {
                Phase::Idle => FfiPhase::Idle,
                Phase::Hello => FfiPhase::Connecting,
                Phase::Pushing => FfiPhase::Pushing,
                Phase::Pulling => FfiPhase::Pulling,
                Phase::Waiting(_) => FfiPhase::Waiting,
                Phase::NeedsAuth => FfiPhase::NeedsAuth,
                Phase::Stopped => FfiPhase::Stopped,
            },
            has_remote: status.has_remote,
            next: status.next.into(),
        }
    }
}

/// The stable word of something that is told as a word, as it is written everywhere else.
pub(crate) fn word(name: &impl serde::Serialize) -> String {
    serde_json::to_value(name).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

impl From<SyncReport> for FfiSyncReport {
    fn from(report: SyncReport) -> Self {
        Self {
            groups_pushed: report.groups_pushed,
            applied: report.applied,
            merged: report.merged,
            rejected: report.rejected,
            waiting: report.waiting,
            rows_pulled: report.rows_pulled,
            overlaps: report.overlaps,
            bytes_up: report.bytes_up,
            bytes_down: report.bytes_down,
            requests: report.requests,
            took_ms: report.ms,
        }
    }
}

/// Says which one it is and never what a person wrote.
impl std::fmt::Debug for FfiDeadLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("FfiDeadLetter");
        shown.field("id", &self.id).field("gid", &self.gid).field("n", &self.n).field("reason", &self.reason);
        shown.field("fields", &self.fields).field("attempts", &self.attempts).finish_non_exhaustive()
    }
}

impl From<DeadLetter> for FfiDeadLetter {
    fn from(letter: DeadLetter) -> Self {
        Self {
            id: letter.id,
            gid: letter.gid.to_string(),
            n: letter.n,
            reason: letter.code.as_str().to_owned(),
            fields: letter.fields,
            ops_json: serde_json::to_string(&letter.ops).unwrap_or_default(),
            attempts: letter.attempts,
            at_ms: letter.at_ms,
        }
    }
}

impl From<StateHash> for FfiStateHash {
    fn from(state: StateHash) -> Self {
        Self { at: state.at, rows: state.rows, hash: state.hash }
    }
}
