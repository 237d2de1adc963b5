//! Compiles the Rust examples of the documentation, so that none of them goes stale.

/// The front page.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
