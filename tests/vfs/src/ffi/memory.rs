//! Memory in pieces of few sizes, kept per thread: seeded worlds ask for millions of small pieces, on one thread, and
//! give them back. For test programs only: what was taken from the system once stays with its thread.

use rusqlite::ffi;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

/// Every piece begins at a multiple of this.
const STEP: usize = 16;
/// Up to here sizes go in steps; beyond, there are four between a power of two and the next.
const FINE_MAX: usize = 1 << 10;
const FINE: usize = FINE_MAX / STEP;
/// Larger pieces come from the system.
const COARSE_MAX: usize = 1 << 18;
const CLASSES: usize = FINE + 4 * (COARSE_MAX.ilog2() - FINE_MAX.ilog2()) as usize;
/// What is taken from the system at a time: some large pages, for small ones cost a twentieth of a world's time.
const CHUNK: usize = 4 * PAGE;
const PAGE: usize = 1 << 21;

thread_local! {
    // Nothing here has a destructor, so it can be used to the last moment of a thread.
    static FREE: [Cell<*mut u8>; CLASSES] = const { [const { Cell::new(null_mut()) }; CLASSES] };
    static REST: Cell<(*mut u8, usize)> = const { Cell::new((null_mut(), 0)) };
}

/// An allocator for test programs: `#[global_allocator]`.
pub struct Memory;

/// Which list a piece belongs to, and how large the pieces in it are.
fn class(size: usize) -> (usize, usize) {
    if size <= FINE_MAX {
        let steps = size.max(1).div_ceil(STEP);
        return (steps - 1, steps * STEP);
    }
    let bits = (size - 1).ilog2() as usize;
    let quarter = (size - 1) >> (bits - 2) & 3;
    (FINE + 4 * (bits - FINE_MAX.ilog2() as usize) + quarter, (5 + quarter) << (bits - 2))
}

fn is_ours(layout: &Layout) -> bool {
    layout.size() <= COARSE_MAX && layout.align() <= STEP
}

// SAFETY: a piece is as large as its class says, at least as large as asked for; it is on a list or lent out, never both;
// which of the two allocators it came from follows from its layout.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !is_ours(&layout) {
            // SAFETY: the caller's layout.
            return unsafe { System.alloc(layout) };
        }
        let (class, size) = class(layout.size());
        FREE.with(|free| {
            let first = free[class].get();
            if first.is_null() {
                return carve(size);
            }
            // SAFETY: a piece on a list begins with the address of the next one, and is large and aligned enough for it.
            free[class].set(unsafe { first.cast::<*mut u8>().read() });
            first
        })
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        if !is_ours(&layout) {
            // SAFETY: with this layout it came from the system.
            return unsafe { System.dealloc(piece, layout) };
        }
        let (class, _) = class(layout.size());
        FREE.with(|free| {
            // SAFETY: the piece is given back, and is large and aligned enough for an address.
            unsafe { piece.cast::<*mut u8>().write(free[class].get()) };
            free[class].set(piece);
        });
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !is_ours(&layout) {
            // SAFETY: the caller's layout.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: the caller's layout.
        let piece = unsafe { self.alloc(layout) };
        if !piece.is_null() {
            // SAFETY: it is as large as was asked for.
            unsafe { piece.write_bytes(0, layout.size()) };
        }
        piece
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the new size makes a layout.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (is_ours(&layout), is_ours(&new)) {
            // SAFETY: it came from the system and stays there.
            (false, false) => return unsafe { System.realloc(piece, layout, size) },
            (true, true) if class(layout.size()).0 == class(size).0 => return piece,
            _ => {}
        }
        // SAFETY: the caller's layouts; both pieces are at least as large as the smaller of the two sizes.
        unsafe {
            let moved = self.alloc(new);
            if !moved.is_null() {
                piece.copy_to_nonoverlapping(moved, layout.size().min(size));
                self.dealloc(piece, layout);
            }
            moved
        }
    }
}

/// A new piece from what is left of the last chunk, or from a new one.
fn carve(size: usize) -> *mut u8 {
    REST.with(|rest| {
        let (mut at, mut left) = rest.get();
        if left < size {
            at = chunk();
            left = if at.is_null() { 0 } else { CHUNK };
        }
        if left < size {
            return null_mut();
        }
        // SAFETY: `size` bytes are left.
        rest.set((unsafe { at.add(size) }, left - size));
        at
    })
}

fn chunk() -> *mut u8 {
    // SAFETY: the layout is not empty.
    let at = unsafe { System.alloc(Layout::from_size_align_unchecked(CHUNK, PAGE)) };
    #[cfg(target_os = "linux")]
    if !at.is_null() {
        // SAFETY: it is ours, whole pages of it. A system that has no large pages to give refuses, and all goes on.
        let _ = unsafe { rustix::mm::madvise(at.cast(), CHUNK, rustix::mm::Advice::LinuxHugepage) };
    }
    at
}

/// The same memory for SQLite, which does not say how large what it gives back is: that stands before each piece.
pub(super) fn for_sqlite() -> ffi::sqlite3_mem_methods {
    ffi::sqlite3_mem_methods {
        xMalloc: Some(malloc),
        xFree: Some(free),
        xRealloc: Some(realloc),
        xSize: Some(size),
        xRoundup: Some(round_up),
        xInit: Some(init),
        xShutdown: Some(shut_down),
        pAppData: null_mut(),
    }
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes + STEP, STEP).unwrap_or(Layout::new::<u128>())
}

unsafe extern "C" fn malloc(bytes: c_int) -> *mut c_void {
    let bytes = usize::try_from(bytes).unwrap_or(0);
    // SAFETY: the layout is not empty, and has room for the size before the piece.
    unsafe {
        let whole = Memory.alloc(layout(bytes));
        if whole.is_null() {
            return null_mut();
        }
        whole.cast::<usize>().write(bytes);
        whole.add(STEP).cast()
    }
}

unsafe extern "C" fn free(piece: *mut c_void) {
    if piece.is_null() {
        return;
    }
    // SAFETY: SQLite gives back what `malloc` or `realloc` gave.
    unsafe {
        let whole = piece.cast::<u8>().sub(STEP);
        Memory.dealloc(whole, layout(whole.cast::<usize>().read()));
    }
}

unsafe extern "C" fn realloc(piece: *mut c_void, bytes: c_int) -> *mut c_void {
    let bytes = usize::try_from(bytes).unwrap_or(0);
    // SAFETY: as above; SQLite calls it with a piece only.
    unsafe {
        let whole = piece.cast::<u8>().sub(STEP);
        let moved = Memory.realloc(whole, layout(whole.cast::<usize>().read()), bytes + STEP);
        if moved.is_null() {
            return null_mut();
        }
        moved.cast::<usize>().write(bytes);
        moved.add(STEP).cast()
    }
}

unsafe extern "C" fn size(piece: *mut c_void) -> c_int {
    // SAFETY: as above.
    let bytes = unsafe { piece.cast::<u8>().sub(STEP).cast::<usize>().read() };
    c_int::try_from(bytes).unwrap_or(c_int::MAX)
}

unsafe extern "C" fn round_up(bytes: c_int) -> c_int {
    bytes.saturating_add(7) & !7
}

unsafe extern "C" fn init(_: *mut c_void) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn shut_down(_: *mut c_void) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_as_large_as_was_asked_for() {
        let mut last = 0;
        for asked in 0..=COARSE_MAX {
            let (at, size) = class(asked);
            assert!(size >= asked && size.is_multiple_of(STEP) && at < CLASSES, "{asked}");
            assert!(size >= last, "{asked}");
            last = size;
        }
        assert_eq!(class(COARSE_MAX), (CLASSES - 1, COARSE_MAX));
    }

    #[test]
    fn pieces_keep_what_is_in_them() {
        let mut pieces: Vec<(*mut u8, Layout, u8)> = Vec::new();
        for round in 0..4_000_usize {
            let size = 1 + round * 7919 % 9_000;
            let layout = Layout::from_size_align(size, 8).unwrap_or(Layout::new::<u8>());
            let mark = u8::try_from(round % 251).unwrap_or(0);
            // SAFETY: written and read within what was asked for.
            unsafe {
                let piece = Memory.alloc(layout);
                piece.write_bytes(mark, size);
                pieces.push((piece, layout, mark));
                if round % 3 == 0 {
                    let (piece, layout, mark) = pieces.swap_remove(round % pieces.len());
                    let longer = layout.size() + round % 700;
                    let moved = Memory.realloc(piece, layout, longer);
                    let kept = std::slice::from_raw_parts(moved, layout.size());
                    assert!(kept.iter().all(|byte| *byte == mark), "{round}");
                    Memory.dealloc(moved, Layout::from_size_align_unchecked(longer, 8));
                }
            }
        }
        for (piece, layout, mark) in pieces {
            // SAFETY: as above.
            unsafe {
                assert!(std::slice::from_raw_parts(piece, layout.size()).iter().all(|byte| *byte == mark));
                Memory.dealloc(piece, layout);
            }
        }
    }
}
