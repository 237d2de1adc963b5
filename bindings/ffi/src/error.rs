//! One error for everything, in the shape of what an app can do about it.

use turnstone::{Error, ErrorClass};

/// Why a call failed: one case for each thing an app can do about it. Nothing was changed unless the text says otherwise.
///
/// `code` is stable and meant for programs; `text` is one sentence for a developer, without anything a person wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum FfiError {
    /// Try again later.
    #[error("{text}")]
    Retryable {
        /// Stable.
        code: String,
        /// One sentence.
        text: String,
    },
    /// Get a new token, or sign in.
    #[error("{text}")]
    AuthRequired {
        /// Stable.
        code: String,
        /// One sentence.
        text: String,
    },
    /// Update the app or the server.
    #[error("{text}")]
    UpgradeRequired {
        /// Stable.
        code: String,
        /// One sentence.
        text: String,
    },
    /// Free space; then it works again.
    #[error("{text}")]
    StorageFull {
        /// Stable.
        code: String,
        /// One sentence.
        text: String,
    },
    /// The file is damaged, or not a database of Turnstone. It was left as it is.
    #[error("{text}")]
    Corrupt {
        /// Stable.
        code: String,
        /// One sentence.
        text: String,
    },
    /// The file cannot be used as it is: its path, permissions, or another opener.
    #[error("{text}")]
    Unavailable {
        /// Stable.
        code: String,
        /// One sentence.
        text: String,
    },
    /// The database is another account's. It was left as it is: open that account's own file.
    #[error("{text}")]
    OtherAccount {
        /// Stable.
        code: String,
        /// One sentence.
        text: String,
        /// The local transactions that wait to be sent as that account: lost, if the file is deleted.
        pending_groups: u64,
    },
    /// The key of the database cannot be had, now or at all.
    #[error("{text}")]
    KeyUnavailable {
        /// Stable.
        code: String,
        /// One sentence.
        text: String,
    },
    /// The call itself is wrong.
    #[error("{text}")]
    InvalidArgument {
        /// Stable.
        code: String,
        /// One sentence.
        text: String,
    },
    /// The store, watch or transaction was closed.
    #[error("{text}")]
    Closed {
        /// Stable.
        code: String,
        /// One sentence.
        text: String,
    },
    /// The call was cancelled.
    #[error("{text}")]
    Cancelled {
        /// Stable.
        code: String,
        /// One sentence.
        text: String,
    },
    /// A fault of Turnstone: report it. The store stays usable.
    #[error("{text}")]
    Internal {
        /// Stable.
        code: String,
        /// One sentence.
        text: String,
    },
}

impl FfiError {
    pub(crate) fn invalid(code: &str, text: &str) -> Self {
        Self::InvalidArgument { code: code.to_owned(), text: text.to_owned() }
    }

    pub(crate) fn internal(code: &str, text: &str) -> Self {
        Self::Internal { code: code.to_owned(), text: text.to_owned() }
    }

    pub(crate) fn closed() -> Self {
        Error::Closed.into()
    }

    pub(crate) fn cancelled() -> Self {
        Self::Cancelled { code: "cancelled".to_owned(), text: "the call was cancelled".to_owned() }
    }
}

impl From<Error> for FfiError {
    fn from(error: Error) -> Self {
        if error == Error::Cancelled {
            return Self::cancelled();
        }
        let (code, text) = (error.code().to_owned(), error.to_string());
        match error.class() {
            ErrorClass::InvalidArgument => Self::InvalidArgument { code, text },
            ErrorClass::Retryable => Self::Retryable { code, text },
            ErrorClass::AuthRequired => Self::AuthRequired { code, text },
            ErrorClass::UpgradeRequired => Self::UpgradeRequired { code, text },
            ErrorClass::StorageFull => Self::StorageFull { code, text },
            ErrorClass::Corrupt => Self::Corrupt { code, text },
            ErrorClass::Unavailable => Self::Unavailable { code, text },
            ErrorClass::OtherAccount => {
                let pending_groups =
                    if let Error::OtherAccount { pending_groups } = error { pending_groups } else { 0 };
                Self::OtherAccount { code, text, pending_groups }
            }
            ErrorClass::Closed => Self::Closed { code, text },
            // Also what a newer core comes to know.
            _ => Self::Internal { code, text },
        }
    }
}
