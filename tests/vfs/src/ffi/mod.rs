//! The C side: SQLite's `sqlite3_vfs` and `sqlite3_io_methods`, each call handed on to safe code.
//!
//! All `unsafe` of the project is in this folder and in `shm.rs`. What it relies on is SQLite's contract:
//! a VFS outlives its connections (ours is never freed), a file object is used between a successful
//! `xOpen` and its `xClose` only, buffers have the length that is passed with them.

mod file;
mod memory;
mod vfs;

pub use memory::Memory;
pub(crate) use vfs::Registration;
pub use vfs::seed_sqlite_randomness;
