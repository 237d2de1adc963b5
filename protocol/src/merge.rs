//! Merge: see `docs/protocol.md`.
