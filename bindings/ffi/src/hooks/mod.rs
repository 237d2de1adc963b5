//! What an app gives the store: tokens, a way to the server, a place for logs, the system's scheduler, a witness.
//!
//! Each hook may fail, and a hook that throws something it must not is a failure too, never a panic. None is called
//! while a lock is held, so each may call the store it belongs to; only to wait for a sync in one is to wait for oneself.

pub(crate) mod http;
pub(crate) mod log;
mod scheduler;
mod token;
mod witness;

pub(crate) use http::{FfiHttpTransport, HostTransport};
pub(crate) use scheduler::{FfiPlatformScheduler, start as start_scheduler};
#[cfg(test)]
pub(crate) use token::FfiTokenFailure;
pub(crate) use token::{FfiTokenProvider, HostTokens};
pub(crate) use witness::{FfiKeyProvider, FfiWitness, HostWitness};

/// Why a hook failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum FfiHookFailure {
    /// It threw something.
    #[error("a hook of the app failed")]
    Failed,
}

impl From<uniffi::UnexpectedUniFFICallbackError> for FfiHookFailure {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed
    }
}
