//! The storage suite over SQLite.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "callers that meet are threads")]

mod storage_suite;

use std::sync::Arc;

use storage_suite::Open;
use tempfile::TempDir;
use turnstone_server::storage::sqlite::{SqliteOptions, SqliteStorage, Synchronous};

fn over_sqlite(check: fn(Open<'_>)) {
    let folder = TempDir::new().unwrap();
    check(&|| {
        let options = SqliteOptions {
            synchronous: Synchronous::Off,
            ..SqliteOptions::new(folder.path().join("server.db"), [5; 32])
        };
        Arc::new(SqliteStorage::open(&options).unwrap())
    });
}

macro_rules! suite {
    ($($check:ident,)*) => {
        $(#[test] fn $check() { over_sqlite(storage_suite::$check); })*
    };
}

suite! {
    records_come_back,
    failed_work_leaves_nothing,
    the_log_is_each_tenants_own,
    verdicts_are_kept_for_every_gid,
    repetitions_are_each_devices_own,
    runs_are_found_by_seq,
    a_read_is_one_snapshot,
    tenants_that_begin_at_once_get_numbers_of_their_own,
}
