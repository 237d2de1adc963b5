//! The shared memory of a WAL index: plain memory that all connections to one file point into.

use std::cell::UnsafeCell;
use std::ffi::c_void;

/// One region (SQLite asks for 32 KiB each). SQLite itself orders the access to it, by the locks and
/// barriers of the VFS, exactly as it does with memory that processes share.
#[derive(Debug)]
pub(crate) struct Region(Box<[UnsafeCell<u64>]>);

// SAFETY: the region is only ever reached through the raw pointer handed to SQLite, which treats it
// as memory shared between processes: it locks, uses atomic loads and stores or checks what it read.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Zeroed memory of at least `size` bytes, aligned to 8.
    pub(crate) fn zeroed(size: usize) -> Self {
        let words = size.div_ceil(8);
        Self((0..words).map(|_| UnsafeCell::new(0)).collect())
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        UnsafeCell::raw_get(self.0.as_ptr()).cast()
    }
}
