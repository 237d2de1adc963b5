//! Tokens from the app.

use std::sync::Arc;

use turnstone::{TokenError, TokenProvider, TokenReason};

use crate::fence;
use crate::records::FfiTokenReason;

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum FfiTokenFailure {
    /// Nobody is signed in: syncing stops until the app says that somebody is.
    #[error("nobody is signed in")]
    SignIn,
    /// It cannot be had now: it is asked for again later.
    #[error("no token can be had now")]
    Later,
}

impl From<uniffi::UnexpectedUniFFICallbackError> for FfiTokenFailure {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Later
    }
}

/// Gives the token that requests carry. It may call the store, but never wait for a sync: that waits for the token.
#[uniffi::export(foreign)]
#[async_trait::async_trait]
pub trait FfiTokenProvider: Send + Sync {
    /// Gives a token, without the word `Bearer`. For any reason but `First`, a kept one must not be given again.
    async fn token(&self, reason: FfiTokenReason) -> Result<String, FfiTokenFailure>;
}

/// The app's provider, as the core calls it: on a thread that may wait.
pub(crate) struct HostTokens(pub(crate) Arc<dyn FfiTokenProvider>);

impl TokenProvider for HostTokens {
    fn token(&self, reason: TokenReason) -> Result<String, TokenError> {
        let runtime = fence::runtime().map_err(|_| TokenError::Later)?;
        let token = runtime.block_on(self.0.token(reason.into()));
        token.map_err(|failure| match failure {
            FfiTokenFailure::SignIn => TokenError::SignIn,
            FfiTokenFailure::Later => TokenError::Later,
        })
    }
}
