//! `sqlite3_file` and its methods.

use crate::disk::Disk;
use crate::ffi::vfs::{code, mount_of, name_of};
use crate::locks::Level;
use crate::shm::Region;
use rusqlite::ffi;
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

/// What stands in the memory that SQLite sets aside for a file: its own part, then ours.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    handle: *mut Handle,
}

/// An open file. All state that others may see is in the disk, under `id`.
struct Handle {
    disk: Disk,
    id: u64,
    /// Regions whose address SQLite holds: kept alive until unmap or close, even if the process "died".
    regions: Vec<Arc<Region>>,
    vfs: *mut ffi::sqlite3_vfs,
    persist_wal: bool,
    power_safe: bool,
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

pub(super) fn size() -> c_int {
    size_of::<File>() as c_int
}

/// The handle of an open file.
///
/// # Safety
/// `file` must have been opened by [`open`] and not been closed; SQLite uses it from one thread at a time.
unsafe fn handle<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Handle {
    // SAFETY: `open` stored a pointer from Box::into_raw there; `close` alone frees it.
    unsafe { &mut *(*file.cast::<File>()).handle }
}

pub(super) unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite sets aside szOsFile bytes for the file; null methods mean "xClose is not needed".
    unsafe { (*file).pMethods = std::ptr::null() };
    // SAFETY: SQLite passes our own VFS and a valid name or null.
    let (mount, name) = unsafe { (mount_of(vfs), name_of(name)) };
    let disk = mount.disk();
    let opened = name.and_then(|name| disk.state().open(mount.id, name, flags));
    let id = match opened {
        Ok(id) => id,
        Err(code) => return code,
    };
    let power_safe = disk.state().power_safe;
    let handle = Box::new(Handle { disk, id, regions: Vec::new(), vfs, persist_wal: false, power_safe });
    let ours = File { base: ffi::sqlite3_file { pMethods: &METHODS }, handle: Box::into_raw(handle) };
    // SAFETY: `file` has room for a File (szOsFile); it holds nothing that needs dropping.
    unsafe { file.cast::<File>().write(ours) };
    if !out_flags.is_null() {
        // SAFETY: not null, so a place for the answer.
        unsafe { *out_flags = flags };
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: opened by `open`, closed once, so the box is ours to take back.
    let handle = unsafe { Box::from_raw((*file.cast::<File>()).handle) };
    handle.disk.state().close(handle.id);
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    out: *mut c_void,
    amount: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: an open file of ours, and a buffer of `amount` bytes.
    let (handle, buf) = unsafe {
        let buf = std::slice::from_raw_parts_mut(out.cast::<u8>(), amount as usize);
        (handle(file), buf)
    };
    match handle.disk.state().read(handle.id, buf, offset as u64) {
        Ok(true) => ffi::SQLITE_OK,
        Ok(false) => ffi::SQLITE_IOERR_SHORT_READ,
        Err(code) => code,
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    data: *const c_void,
    amount: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: an open file of ours, and a buffer of `amount` bytes.
    let (handle, data) = unsafe {
        let data = std::slice::from_raw_parts(data.cast::<u8>(), amount as usize);
        (handle(file), data)
    };
    code(handle.disk.state().write(handle.id, data, offset as u64))
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    // SAFETY: an open file of ours.
    let handle = unsafe { handle(file) };
    code(handle.disk.state().truncate(handle.id, size as u64))
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: an open file of ours.
    let handle = unsafe { handle(file) };
    code(handle.disk.state().sync(handle.id))
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, out: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: an open file of ours.
    let handle = unsafe { handle(file) };
    let mut state = handle.disk.state();
    match state.file(handle.id, ffi::SQLITE_IOERR_FSTAT) {
        Ok(inode) => {
            // SAFETY: SQLite passes a place for the answer.
            unsafe { *out = inode.content.len() as ffi::sqlite3_int64 };
            ffi::SQLITE_OK
        }
        Err(code) => code,
    }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: an open file of ours.
    let handle = unsafe { handle(file) };
    code(handle.disk.state().lock(handle.id, Level::from_code(level)))
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: an open file of ours.
    let handle = unsafe { handle(file) };
    let level = Level::from_code(level);
    handle.disk.state().unlock(handle.id, level);
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: an open file of ours.
    let handle = unsafe { handle(file) };
    match handle.disk.state().is_reserved(handle.id) {
        Ok(reserved) => {
            // SAFETY: SQLite passes a place for the answer.
            unsafe { *out = c_int::from(reserved) };
            ffi::SQLITE_OK
        }
        Err(code) => code,
    }
}

unsafe extern "C" fn file_control(file: *mut ffi::sqlite3_file, op: c_int, arg: *mut c_void) -> c_int {
    // SAFETY: an open file of ours.
    let handle = unsafe { handle(file) };
    match op {
        ffi::SQLITE_FCNTL_PERSIST_WAL => {
            // SAFETY: the argument of this operation is an int to read and to answer in.
            unsafe { mode_bit(&mut handle.persist_wal, arg.cast()) };
        }
        ffi::SQLITE_FCNTL_POWERSAFE_OVERWRITE => {
            // SAFETY: as above.
            unsafe { mode_bit(&mut handle.power_safe, arg.cast()) };
        }
        ffi::SQLITE_FCNTL_LOCKSTATE => {
            let level = handle.disk.state().level(handle.id);
            // SAFETY: the argument of this operation is an int to answer in.
            unsafe { *arg.cast::<c_int>() = level as c_int };
        }
        ffi::SQLITE_FCNTL_VFSNAME => {
            // SAFETY: the argument is a place for a string from sqlite3_malloc; the VFS is never freed.
            unsafe {
                *arg.cast::<*mut c_char>() = ffi::sqlite3_mprintf(c"%s".as_ptr(), (*handle.vfs).zName);
            }
        }
        ffi::SQLITE_FCNTL_HAS_MOVED => {
            let moved = handle.disk.state().has_moved(handle.id);
            // SAFETY: the argument of this operation is an int to answer in.
            unsafe { *arg.cast::<c_int>() = c_int::from(moved) };
        }
        _ => return ffi::SQLITE_NOTFOUND,
    }
    ffi::SQLITE_OK
}

/// A flag that an int sets (0, 1) or asks for (negative).
///
/// # Safety
/// `arg` must point to an int.
unsafe fn mode_bit(flag: &mut bool, arg: *mut c_int) {
    // SAFETY: by the caller's promise.
    let value = unsafe { &mut *arg };
    match *value {
        0 => *flag = false,
        1.. => *flag = true,
        _ => *value = c_int::from(*flag),
    }
}

unsafe extern "C" fn sector_size(_file: *mut ffi::sqlite3_file) -> c_int {
    crate::content::SECTOR as c_int
}

unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: an open file of ours.
    let power_safe = unsafe { handle(file) }.power_safe;
    if power_safe {
        ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE | ffi::SQLITE_IOCAP_SUBPAGE_READ
    } else {
        ffi::SQLITE_IOCAP_SUBPAGE_READ
    }
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    index: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: an open file of ours.
    let handle = unsafe { handle(file) };
    let (index, size) = (index as usize, size as usize);
    let region = handle.disk.state().shm_map(handle.id, index, size, extend != 0);
    let (region, code) = match region {
        Ok(region) => (region, ffi::SQLITE_OK),
        Err(code) => (None, code),
    };
    let address = region.as_ref().map_or(std::ptr::null_mut(), |r| r.as_ptr());
    handle.regions.extend(region);
    // SAFETY: SQLite passes a place for the address.
    unsafe { *out = address };
    code
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, offset: c_int, n: c_int, flags: c_int) -> c_int {
    // SAFETY: an open file of ours.
    let handle = unsafe { handle(file) };
    code(handle.disk.state().shm_lock(handle.id, offset, n, flags))
}

unsafe extern "C" fn shm_barrier(_file: *mut ffi::sqlite3_file) {
    fence(Ordering::SeqCst);
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, _delete: c_int) -> c_int {
    // SAFETY: an open file of ours.
    let handle = unsafe { handle(file) };
    handle.disk.state().shm_unmap(handle.id);
    handle.regions.clear();
    ffi::SQLITE_OK
}
