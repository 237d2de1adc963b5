//! Hashes: see `docs/protocol.md`.
