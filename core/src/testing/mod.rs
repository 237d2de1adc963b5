//! Helpers for tests of apps and of this crate (coming).
