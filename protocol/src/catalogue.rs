//! The error catalogue: stable codes, the class a client acts on, and the problem document.

use serde::{Deserialize, Serialize};

use crate::words::open_words;

/// What a client does about an answer. A class of a newer server reads as `retry`: nothing is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Nothing to do.
    Ok,
    /// Try the same again later.
    Retry,
    /// Get a new token, or sign in.
    Auth,
    /// The request itself is wrong; sending it again will not help.
    Fix,
    /// Somebody else changed the same thing.
    Conflict,
    /// Update the app or the server.
    Upgrade,
    /// Start again from a known point, keeping pending work.
    Reset,
    /// The thing is not there any more.
    Gone,
}

open_words!(Class, otherwise Retry: "ok" = Ok, "retry" = Retry, "auth" = Auth, "fix" = Fix, "conflict" = Conflict,
    "upgrade" = Upgrade, "reset" = Reset, "gone" = Gone);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $class:ident, $status:literal;)*) => {
        /// A stable code. Unknown codes from a newer peer are kept as [`Code::Other`].
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $name,)*
            /// A code this version does not know.
            Other(String),
        }

        impl Code {
            /// Every code this version knows, in catalogue order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as it travels.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Other(text) => text,
                }
            }

            /// What a client does about it.
            #[must_use]
            pub const fn class(&self) -> Class {
                match self {
                    $(Self::$name => Class::$class,)*
                    Self::Other(_) => Class::Fix,
                }
            }

            /// The HTTP status of a problem with this code.
            #[must_use]
            pub const fn status(&self) -> u16 {
                match self {
                    $(Self::$name => $status,)*
                    Self::Other(_) => 400,
                }
            }
        }

        impl From<String> for Code {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$name,)*
                    _ => Self::Other(text),
                }
            }
        }
    };
}

codes! {
    /// The body is not JSON, or not of the documented shape.
    Malformed = "malformed", Fix, 400;
    /// A body, value, group or page request is over its limit.
    TooLarge = "too_large", Fix, 413;
    /// The body's encoding is not one of identity, gzip, zstd.
    UnsupportedEncoding = "unsupported_encoding", Fix, 415;
    /// No token came along.
    TokenMissing = "token_missing", Auth, 401;
    /// The token is not valid here.
    TokenInvalid = "token_invalid", Auth, 401;
    /// The token was valid once.
    TokenExpired = "token_expired", Auth, 401;
    /// The token is good but does not allow this.
    Forbidden = "forbidden", Auth, 403;
    /// The token is good, but the database is somebody else's. Nothing was read or applied.
    OtherAccount = "other_account", Auth, 403;
    /// There is no such endpoint, or its tier is not served.
    NotFound = "not_found", Gone, 404;
    /// The endpoint exists but not with this method.
    MethodNotAllowed = "method_not_allowed", Fix, 405;
    /// The cursor was altered, or made for somebody else.
    CursorInvalid = "cursor_invalid", Reset, 400;
    /// The cursor is behind the oldest commit still served.
    CursorExpired = "cursor_expired", Reset, 410;
    /// The server's history is another one than the cursor's.
    EpochChanged = "epoch_changed", Reset, 409;
    /// The cursor is ahead of the server's history: it was restored from a backup.
    EpochSuspect = "epoch_suspect", Reset, 409;
    /// A seq is missing before the first group; `expected` names it.
    SeqGap = "seq_gap", Reset, 409;
    /// A known seq came with another gid: the device was restored or cloned.
    DeviceForked = "device_forked", Reset, 409;
    /// A known gid came with another body. Nothing was applied.
    GidReuse = "gid_reuse", Fix, 409;
    /// The app is too old for this server.
    UpgradeRequired = "upgrade_required", Upgrade, 426;
    /// Too many requests; obey `Retry-After`.
    RateLimited = "rate_limited", Retry, 429;
    /// The server cannot work now; obey `Retry-After`.
    Unavailable = "unavailable", Retry, 503;
    /// The server failed.
    Internal = "internal", Retry, 500;
    /// Group: names a table the server's schema does not have (yet).
    UnknownTable = "unknown_table", Retry, 400;
    /// Group: uses an intent on a field the server's schema does not have (yet).
    UnknownField = "unknown_field", Retry, 400;
    /// Group: uses an op kind or a member this server does not know (yet).
    UnknownIntent = "unknown_intent", Retry, 400;
    /// Group: a value does not fit its field.
    InvalidValue = "invalid_value", Fix, 400;
    /// Group: a required field is missing.
    MissingField = "missing_field", Fix, 400;
    /// Group: the row id is not acceptable.
    InvalidId = "invalid_id", Fix, 400;
    /// Group: the row exists already and the table says `create = "reject"`.
    RowExists = "row_exists", Conflict, 409;
    /// Group: the row was deleted by a change the writer had not seen, and the delete wins.
    RowDeleted = "row_deleted", Conflict, 409;
    /// Group: the row is not known here (never was, or was purged); an update never makes one.
    RowPurged = "row_purged", Gone, 410;
    /// Group: adding the amount would overflow the counter.
    CounterOverflow = "counter_overflow", Fix, 400;
    /// Group: the group it replaces was applied already.
    ReplacedApplied = "replaced_applied", Conflict, 409;
    /// Group: waits for a group it names in `after`.
    Blocked = "blocked", Retry, 409;
    /// Group: older than the server's memory of gids.
    OpExpired = "op_expired", Gone, 410;
    /// Group: writes a table that never leaves a device.
    LocalOnlyTable = "local_only_table", Fix, 400;
}

/// A problem document (RFC 9457), `application/problem+json`. Clients read `code` and `class`, never prose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:turnstone:problem:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One sentence for a person.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: Code,
    /// What a client does about it.
    pub class: Class,
    /// `seq_gap`: the seq the server expects next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
    /// Milliseconds to wait, where `Retry-After` came along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Problem {
    /// Makes the document for a code.
    #[must_use]
    pub fn new(code: Code, title: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:turnstone:problem:{}", code.as_str()),
            title: title.into(),
            status: code.status(),
            class: code.class(),
            code,
            expected: None,
            retry_after_ms: None,
        }
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.as_str().to_owned()
    }
}
