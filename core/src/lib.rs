//! What an app links: offline-first tables on SQLite that sync.

mod sync;
