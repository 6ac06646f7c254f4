//! Memory that ends at a page nobody may read, so that a load past a slice's end is a crash and not luck.
#![cfg(unix)]
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};

unsafe extern "C" {
    fn mmap(addr: *mut c_void, len: usize, prot: c_int, flags: c_int, fd: c_int, offset: i64) -> *mut c_void;
    fn munmap(addr: *mut c_void, len: usize) -> c_int;
    fn mprotect(addr: *mut c_void, len: usize, prot: c_int) -> c_int;
}

const PROT_NONE: c_int = 0;
const PROT_READ_WRITE: c_int = 3;
const MAP_PRIVATE: c_int = 2;
#[cfg(target_os = "linux")]
const MAP_ANONYMOUS: c_int = 0x20;
#[cfg(not(target_os = "linux"))]
const MAP_ANONYMOUS: c_int = 0x1000;

/// Larger than any page, so that the fence falls on a page boundary whatever their size.
const UNIT: usize = 1 << 16;

/// Some readable units and one that is not.
pub(crate) struct Fence {
    start: *mut u8,
    readable: usize,
}

impl Fence {
    pub(crate) fn new(units: usize) -> Fence {
        let readable = units * UNIT;
        // SAFETY: a fresh anonymous mapping, whose last unit nothing refers to.
        let start = unsafe {
            let start = mmap(
                std::ptr::null_mut(),
                readable + UNIT,
                PROT_READ_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(start as isize, -1, "no memory");
            assert_eq!(mprotect(start.byte_add(readable), UNIT, PROT_NONE), 0);
            start.cast::<u8>()
        };
        Fence { start, readable }
    }

    /// A copy of `bytes` that ends at the fence.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> &[u8] {
        assert!(bytes.len() <= self.readable);
        // SAFETY: the readable part of the mapping, which lives as long as `self`.
        let memory = unsafe { std::slice::from_raw_parts_mut(self.start, self.readable) };
        let copy = &mut memory[self.readable - bytes.len()..];
        copy.copy_from_slice(bytes);
        copy
    }
}

impl Fence {
    /// A copy of `values` that ends at the fence.
    pub(crate) fn put_floats(&mut self, values: &[f32]) -> &[f32] {
        assert!(size_of_val(values) <= self.readable);
        // SAFETY: the readable part of the mapping, which lives as long as `self`; its ends are those of pages, and so aligned.
        let memory = unsafe { std::slice::from_raw_parts_mut(self.start.cast::<f32>(), self.readable / 4) };
        let start = memory.len() - values.len();
        memory[start..].copy_from_slice(values);
        &memory[start..]
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`, to which no reference outlives `self`.
        unsafe { munmap(self.start.cast(), self.readable + UNIT) };
    }
}
