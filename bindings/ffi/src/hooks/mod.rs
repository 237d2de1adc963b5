//! What an app gives the store: tokens, a way to the server, a place for logs.
//!
//! Each hook may fail, and a hook that throws something it must not is a failure too, never a panic. None is called
//! while a lock is held.

pub(crate) mod http;
pub(crate) mod log;
mod token;

pub(crate) use http::{FfiHttpTransport, HostTransport};
#[cfg(test)]
pub(crate) use token::FfiTokenFailure;
pub(crate) use token::{FfiTokenProvider, HostTokens};
