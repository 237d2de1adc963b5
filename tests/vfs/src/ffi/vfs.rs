//! `sqlite3_vfs`: registration, names, time, randomness.

use crate::ffi::file;
use crate::ffi::memory;
use crate::mount::MountState;
use crate::state::Outcome;
use rusqlite::ffi;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::atomic::Ordering;

/// Longest file name.
const PATH_MAX: usize = 512;
/// Milliseconds between the Julian epoch and 1970.
const JULIAN_1970_MS: i64 = 210_866_760_000_000;

/// A VFS that SQLite knows. It is unregistered on drop, but its memory stays: a connection may still
/// hold the pointer, and nothing tells when the last one is gone.
pub(crate) struct Registration {
    name: String,
    vfs: *mut ffi::sqlite3_vfs,
    state: &'static MountState,
}

// SAFETY: the pointer is only passed to sqlite3_vfs_unregister, which takes SQLite's own mutex; the rest
// is Sync already.
unsafe impl Send for Registration {}
// SAFETY: as above.
unsafe impl Sync for Registration {}

impl Registration {
    pub(crate) fn new(name: &str, state: MountState) -> Self {
        let state: &'static MountState = Box::leak(Box::new(state));
        let c_name = CString::new(name).unwrap_or_default().into_raw();
        let vfs = Box::into_raw(Box::new(ffi::sqlite3_vfs {
            iVersion: 2,
            szOsFile: file::size(),
            mxPathname: PATH_MAX as c_int,
            pNext: std::ptr::null_mut(),
            zName: c_name,
            pAppData: std::ptr::from_ref(state).cast_mut().cast(),
            xOpen: Some(file::open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_path_name),
            xDlOpen: Some(dl_open),
            xDlError: Some(dl_error),
            xDlSym: Some(dl_sym),
            xDlClose: Some(dl_close),
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: Some(get_last_error),
            xCurrentTimeInt64: Some(current_time_int64),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        }));
        configure();
        // SAFETY: `vfs` and everything it points to is leaked, so it outlives every use by SQLite.
        unsafe { ffi::sqlite3_vfs_register(vfs, 0) };
        Self { name: name.to_owned(), vfs, state }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn state(&self) -> &MountState {
        self.state
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: the pointer was registered by `new` and is still valid memory.
        unsafe { ffi::sqlite3_vfs_unregister(self.vfs) };
    }
}

/// Gives SQLite memory that suits worlds, which open thousands of connections, and leaves out its statistics of it.
/// Without effect where SQLite is in use already.
fn configure() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let (off, slot_bytes, slots): (c_int, c_int, c_int) = (0, 1_200, 100);
        // SAFETY: MALLOC is documented to take the methods, which it copies.
        unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, std::ptr::from_ref(&memory::for_sqlite())) };
        // SAFETY: the variadic arguments are those that MEMSTATUS is documented to take: int.
        unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, off) };
        // SAFETY: as above, for LOOKASIDE: int, int.
        unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_LOOKASIDE, slot_bytes, slots) };
    });
}

/// Seeds SQLite's own random generator, which is one for the whole process (WAL salts, journal nonces,
/// `random()`): with it, two equal runs on one thread write equal bytes. Zero gives it back to chance.
pub fn seed_sqlite_randomness(seed: u32) {
    let none: *mut ffi::sqlite3 = std::ptr::null_mut();
    // SAFETY: the variadic arguments are those that PRNG_SEED is documented to take: int, sqlite3*.
    unsafe { ffi::sqlite3_test_control(ffi::SQLITE_TESTCTRL_PRNG_SEED, seed as c_int, none) };
}

/// The mount behind a VFS pointer.
///
/// # Safety
/// `vfs` must be one made by [`Registration::new`].
pub(super) unsafe fn mount_of(vfs: *mut ffi::sqlite3_vfs) -> &'static MountState {
    // SAFETY: pAppData was set from a leaked MountState, which is never freed.
    unsafe { &*(*vfs).pAppData.cast::<MountState>() }
}

/// The text of a file name.
///
/// # Safety
/// `name` must be null or a NUL-terminated string that outlives the result.
pub(super) unsafe fn name_of<'a>(name: *const c_char) -> Outcome<Option<&'a str>> {
    if name.is_null() {
        return Ok(None);
    }
    // SAFETY: not null, NUL-terminated by the caller's promise.
    let text = unsafe { CStr::from_ptr(name) };
    text.to_str().map(Some).map_err(|_| ffi::SQLITE_CANTOPEN)
}

pub(super) fn code(outcome: Outcome<()>) -> c_int {
    outcome.err().unwrap_or(ffi::SQLITE_OK)
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: SQLite passes our own VFS and a valid name.
    let (mount, name) = unsafe { (mount_of(vfs), name_of(name)) };
    code(name.and_then(|name| {
        let name = name.unwrap_or_default();
        mount.disk().state().delete(name, sync != 0)
    }))
}

unsafe extern "C" fn access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    result: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes our own VFS and a valid name.
    let (mount, name) = unsafe { (mount_of(vfs), name_of(name)) };
    let found = name.and_then(|name| {
        let disk = mount.disk();
        let state = disk.state();
        if state.dead {
            return Err(ffi::SQLITE_IOERR_ACCESS);
        }
        let inode = name.and_then(|name| state.names.get(name));
        let inode = inode.and_then(|inode| state.inodes.get(inode));
        // As in SQLite's unix VFS: an empty file does not "exist".
        let with_bytes = flags == ffi::SQLITE_ACCESS_EXISTS;
        Ok(inode.is_some_and(|inode| !with_bytes || inode.content.len() > 0))
    });
    match found {
        Ok(found) => {
            // SAFETY: SQLite passes a place for the answer.
            unsafe { *result = c_int::from(found) };
            ffi::SQLITE_OK
        }
        Err(code) => code,
    }
}

unsafe extern "C" fn full_path_name(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite passes a valid name.
    let Ok(Some(name)) = (unsafe { name_of(name) }) else {
        return ffi::SQLITE_CANTOPEN;
    };
    let slash = if name.starts_with('/') { "" } else { "/" };
    let full = format!("{slash}{name}\0");
    if full.len() > room as usize {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: `out` has `room` bytes, which is enough as just checked.
    unsafe { std::ptr::copy_nonoverlapping(full.as_ptr(), out.cast(), full.len()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(vfs: *mut ffi::sqlite3_vfs, n: c_int, out: *mut c_char) -> c_int {
    // SAFETY: SQLite passes our own VFS and a buffer of `n` bytes.
    let (mount, buf) = unsafe {
        let buf = std::slice::from_raw_parts_mut(out.cast::<u8>(), n as usize);
        (mount_of(vfs), buf)
    };
    mount.randomness(buf);
    n
}

unsafe extern "C" fn sleep(vfs: *mut ffi::sqlite3_vfs, us: c_int) -> c_int {
    // SAFETY: SQLite passes our own VFS.
    unsafe { mount_of(vfs) }.sleep(us.max(0) as u64);
    us
}

unsafe extern "C" fn current_time_int64(vfs: *mut ffi::sqlite3_vfs, out: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite passes our own VFS and a place for the answer.
    unsafe { *out = JULIAN_1970_MS + mount_of(vfs).unix_ms.load(Ordering::Relaxed) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time(vfs: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    let mut ms = 0;
    // SAFETY: SQLite passes our own VFS; `ms` is a place for the answer.
    unsafe { current_time_int64(vfs, &raw mut ms) };
    // SAFETY: SQLite passes a place for the answer.
    unsafe { *out = ms as f64 / 86_400_000.0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn get_last_error(_vfs: *mut ffi::sqlite3_vfs, _room: c_int, _out: *mut c_char) -> c_int {
    0
}

unsafe extern "C" fn dl_open(_vfs: *mut ffi::sqlite3_vfs, _name: *const c_char) -> *mut c_void {
    std::ptr::null_mut()
}

unsafe extern "C" fn dl_error(_vfs: *mut ffi::sqlite3_vfs, room: c_int, out: *mut c_char) {
    if room > 0 {
        // SAFETY: `out` has `room` bytes.
        unsafe { *out = 0 };
    }
}

type Symbol = unsafe extern "C" fn(*mut ffi::sqlite3_vfs, *mut c_void, *const c_char);

unsafe extern "C" fn dl_sym(
    _vfs: *mut ffi::sqlite3_vfs,
    _library: *mut c_void,
    _symbol: *const c_char,
) -> Option<Symbol> {
    None
}

unsafe extern "C" fn dl_close(_vfs: *mut ffi::sqlite3_vfs, _library: *mut c_void) {}
