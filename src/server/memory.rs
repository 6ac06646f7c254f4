//! A backend whose memory runs out: the allocator and its reserve, and what must be in place before that.
//!
//! Rust allocates what can't fail for messages, boxed errors, threads and the like; [`Reserved`] serves it when the system
//! doesn't. What grows with data is asked for by [`tq_memory`]'s functions, and refused as an [`Error::Memory`].
//!
//! [`Error::Memory`]: crate::error::Error::Memory

#![allow(unsafe_code)]

use std::alloc::System;
use std::backtrace::Backtrace;
use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::ptr;
use std::sync::{Mutex, PoisonError};

use pgrx::{PgSqlErrorCode, pg_sys};
use tq_memory::{OutOfMemory, Reserved};

#[global_allocator]
static ALLOCATOR: Reserved<System> = Reserved(System);

/// What decides whether an error captures a backtrace, unless something else does before.
const BACKTRACES: &str = "RUST_LIB_BACKTRACE";

/// Stack that our functions may need beside what the server has used by the time it calls them.
const STACK_BYTES: usize = 512 << 10;

/// Called once, when the library is loaded.
pub(crate) fn init() {
    forgo_backtraces();
    touch_stack();
    // pgrx notes where an error comes from in a variable of the thread's, for which the C library allocates when it is first
    // used, and ends the process if it can't.
    let noted = std::panic::catch_unwind(|| std::panic::panic_any(()));
    debug_assert!(noted.is_err());
    let _ = std::thread::current();
    tq_codec::prepare_thread();
}

/// Makes the standard library decide against backtraces, which it does once and for all, whatever the environment says. pgrx
/// asks for one with each error, and shows it to the user; and it takes memory and a lock where there may be no memory.
fn forgo_backtraces() {
    let before = std::env::var_os(BACKTRACES);
    // SAFETY: a server's process has one thread when it loads a library, and so no other reads or writes the environment.
    unsafe { std::env::set_var(BACKTRACES, "0") };
    drop(Backtrace::capture());
    match before {
        // SAFETY: as above.
        Some(before) => unsafe { std::env::set_var(BACKTRACES, before) },
        // SAFETY: as above.
        None => unsafe { std::env::remove_var(BACKTRACES) },
    }
}

/// Makes the system give the stack that may be needed: when it must grow later and can't, that is the end of the process.
#[inline(never)]
fn touch_stack() {
    black_box(&mut [0u8; STACK_BYTES]);
}

/// Lets the error that is about to be raised be copied where there is memory for it: into the context that the server keeps for
/// errors, and goes to with each of them anyway.
pub(crate) fn go_to_error_context() {
    // SAFETY: the context exists as long as the process; nothing but the error's way out follows.
    unsafe { pg_sys::MemoryContextSwitchTo(pg_sys::ErrorContext) };
}

/// Memory that is given back to the allocator of C when the server finds that it has none, and how many [`Cushion`]s want it.
struct Cushions {
    memory: Vec<u8>,
    count: usize,
}

static CUSHIONS: Mutex<Cushions> = Mutex::new(Cushions { memory: Vec::new(), count: 0 });

/// The largest block that one of the server's memory contexts asks for when it can't have a larger one, and many times what a
/// report takes.
const CUSHION_BYTES: usize = 2 << 20;

unsafe extern "C-unwind" {
    // pgrx's own binding puts a guard around it, and the callback is called while an error is made.
    fn geterrcode() -> c_int;
}

/// While it lives, an error of the server's about memory leaves it some, before it jumps to who handles the error: pgrx, and
/// [`keeping`](crate::copy), copy the report into the memory context at hand, and an error on the way is none that can be
/// handled. For calls into the server that do more than look something up.
pub(crate) struct Cushion(Box<pg_sys::ErrorContextCallback>);

/// See [`Cushion`].
///
/// # Errors
/// There is no memory even for that.
pub(crate) fn cushion() -> Result<Cushion, OutOfMemory> {
    let mut cushions = CUSHIONS.lock().unwrap_or_else(PoisonError::into_inner);
    if cushions.memory.capacity() == 0 {
        cushions.memory = tq_memory::with_capacity(CUSHION_BYTES)?;
    }
    cushions.count += 1;
    // SAFETY: a backend has one thread that uses the stack of callbacks; the callback is taken off it when it is dropped.
    unsafe {
        let mut callback = Box::new(pg_sys::ErrorContextCallback {
            previous: pg_sys::error_context_stack,
            callback: Some(give_way),
            arg: ptr::null_mut(),
        });
        pg_sys::error_context_stack = &raw mut *callback;
        Ok(Cushion(callback))
    }
}

impl Drop for Cushion {
    fn drop(&mut self) {
        // SAFETY: as above. Whoever has handled an error has restored the stack as it was before, with this on top or without it.
        unsafe {
            if ptr::eq(pg_sys::error_context_stack, &raw const *self.0) {
                pg_sys::error_context_stack = self.0.previous;
            }
        }
        let mut cushions = CUSHIONS.lock().unwrap_or_else(PoisonError::into_inner);
        cushions.count -= 1;
        if cushions.count == 0 {
            cushions.memory = Vec::new();
        }
    }
}

/// Called while an error, or a notice, is made.
#[allow(ffi_unwind_calls)] // it looks at a number
unsafe extern "C-unwind" fn give_way(_: *mut c_void) {
    // SAFETY: an error is being made.
    if unsafe { geterrcode() } == PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY as c_int
        && let Ok(mut cushions) = CUSHIONS.try_lock()
    {
        cushions.memory = Vec::new();
    }
}
