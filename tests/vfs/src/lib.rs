//! A disk for SQLite that lives in memory and fails on command.
//!
//! [`Disk`] holds files; [`Mount`] registers it with SQLite under a name, so that any connection opened
//! with that VFS name reads and writes it. The disk knows which bytes a sync has made durable, and so
//! can say what a power loss at any moment may leave behind ([`Disk::power_loss`]): every un-synced
//! 512-byte sector new, older or torn, sizes and names likewise. It counts *steps* (creates, writes,
//! syncs, truncates, deletes, growth of shared memory) and can die, fail or be full at any of them
//! ([`Faults`]).
//!
//! Nothing here asks a clock or a random source: the same calls with the same seeds give the same bytes.
//! What remains is SQLite's own generator (WAL salts, journal nonces, `random()`), which is one per
//! process: [`seed_sqlite_randomness`] sets it.
//!
//! ```
//! use rusqlite::{Connection, OpenFlags};
//! use turnstone_vfs::{Disk, Mount};
//!
//! let disk = Disk::new();
//! let mount = Mount::new("doc-phone", &disk);
//! let open = || Connection::open_with_flags_and_vfs("/app.db", OpenFlags::default(), mount.name());
//! let db = open().unwrap();
//! db.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(x);").unwrap();
//! db.execute("INSERT INTO t VALUES (1)", []).unwrap();
//! disk.reboot(7); // the power goes; `db` is dead from here on
//! assert!(db.execute("INSERT INTO t VALUES (2)", []).is_err());
//! let rows: i64 = open().unwrap().query_row("SELECT count(*) FROM t", [], |r| r.get(0)).unwrap();
//! assert_eq!(rows, 1);
//! ```
//!
//! What is modelled, and what is not:
//! - The bytes of a file are durable after its sync; a name after a sync of its folder, which comes with
//!   the first sync of a freshly opened journal or WAL (as in SQLite's unix VFS) or with a delete that
//!   asks for it. The sync of a main database makes no name durable: more pessimistic than ext4.
//! - A sync that failed leaves its sectors in doubt until they are written again ("fsyncgate"), even if a
//!   later sync reports success.
//! - Memory-mapped I/O is not offered; disks that lie about a sync are not modelled.

mod content;
mod damage;
mod disk;
mod fault;
mod ffi;
mod files;
mod image;
mod locks;
mod mount;
mod names;
mod power;
mod rng;
mod shm;
mod state;
mod stats;

pub use damage::Damage;
pub use disk::Disk;
pub use fault::{Faults, NoSpace, StepKind};
pub use ffi::{Memory, seed_sqlite_randomness};
pub use image::DiskImage;
pub use mount::{Mount, Sleep};
pub use state::{StepView, Watcher};
pub use stats::FileStats;
