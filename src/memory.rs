//! A backend whose memory runs out: the allocator and its reserve, and what must be in place before that.
//!
//! Rust allocates what can't fail for messages, boxed errors, threads and the like; [`Reserved`] serves it when the system
//! doesn't. What grows with data is asked for by [`tq_memory`]'s functions, and refused as an [`Error::Memory`].
//!
//! [`Error::Memory`]: crate::error::Error::Memory

#![allow(unsafe_code)]

use std::alloc::System;
use std::backtrace::Backtrace;
use std::hint::black_box;

use pgrx::pg_sys;
use tq_memory::Reserved;

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
}

/// Makes the standard library decide against backtraces, which it does once and for all, whatever the environment says. pgrx
/// asks for one with each error, and shows it to the user; and it takes memory and a lock where there may be no memory.
fn forgo_backtraces() {
    let before = std::env::var_os(BACKTRACES);
    // SAFETY: a server's process has one thread when it loads a library, and so no other reads or writes the environment.
    unsafe { std::env::set_var(BACKTRACES, "0") };
    drop(Backtrace::capture());
    // SAFETY: as above.
    match before {
        Some(before) => unsafe { std::env::set_var(BACKTRACES, before) },
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
