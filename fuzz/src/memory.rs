//! How much memory something takes at most: the system's allocator, with a count for each thread.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// What the thread has at the moment, and the most that it had. Of what another thread has made and this one frees
    /// nothing is known: the first may be below zero.
    static NOW: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

/// The system's allocator.
pub(crate) struct Counting;

fn count(change: isize) {
    // At the very end of a thread nothing is counted any more.
    let _ = NOW.try_with(|cell| {
        let (now, peak) = cell.get();
        cell.set((now + change, peak.max(now + change)));
    });
}

/// The result of `f`, and the most bytes that were allocated at one time meanwhile, by this thread.
pub(crate) fn peak<R>(f: impl FnOnce() -> R) -> (R, usize) {
    let (before, _) = NOW.get();
    NOW.set((before, before));
    let result = f();
    let (_, peak) = NOW.get();
    (result, (peak - before).max(0) as usize)
}

// SAFETY: everything is passed on to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: by the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: by the caller's contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: by the caller's contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: by the caller's contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
