//! Tokens come from the app, with the reason one is needed.

pub use turnstone_engine::sync::TokenReason;

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Nobody is signed in: sync stops until somebody is.
    #[error("nobody is signed in")]
    SignIn,
    /// It cannot be had now (no network, say): sync tries again later.
    #[error("no token can be had now")]
    Later,
}

/// Gives the token that requests carry.
///
/// It is called on a thread that may wait, never on the app's own, and never twice at the same time.
pub trait TokenProvider: Send + Sync {
    /// Gives a token, without the word `Bearer`. For any reason but `First`, a kept one must not be given again.
    ///
    /// # Errors
    /// Why there is none.
    fn token(&self, reason: TokenReason) -> Result<String, TokenError>;
}

/// Always the same token: for tests and tools.
#[derive(Clone)]
pub struct StaticToken(String);

impl StaticToken {
    /// Keeps a token.
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }
}

impl TokenProvider for StaticToken {
    fn token(&self, reason: TokenReason) -> Result<String, TokenError> {
        match reason {
            TokenReason::First => Ok(self.0.clone()),
            TokenReason::Expired | TokenReason::Rejected => Err(TokenError::SignIn),
        }
    }
}

impl std::fmt::Debug for StaticToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StaticToken")
    }
}

impl<F> TokenProvider for F
where
    F: Fn(TokenReason) -> Result<String, TokenError> + Send + Sync,
{
    fn token(&self, reason: TokenReason) -> Result<String, TokenError> {
        self(reason)
    }
}
