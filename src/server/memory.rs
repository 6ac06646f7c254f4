//! A backend whose memory runs out: the allocator and its reserve, and what must be in place before that.
//!
//! Rust allocates what can't fail for messages, boxed errors, threads and the like; [`Reserved`] serves it when the system
//! doesn't. What grows with data is asked for by [`tq_memory`]'s functions, and refused as an [`Error::Memory`].
//!
//! [`Error::Memory`]: crate::error::Error::Memory

#![allow(unsafe_code)]

use std::alloc::System;
use std::backtrace::Backtrace;
use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::ptr;
use std::sync::{Mutex, PoisonError};

use pgrx::prelude::*;
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
    keep_cushion();
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

/// Memory that is given back to the allocator of C when the server finds that it has none.
static CUSHION: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// The largest block that one of the server's memory contexts asks for when it can't have a larger one, and many times what a
/// report takes.
const CUSHION_BYTES: usize = 2 << 20;
/// What is better than nothing, where that can't be had.
const LEAST_BYTES: usize = 32 << 10;

unsafe extern "C-unwind" {
    // pgrx's own binding puts a guard around it, and the callback is called while an error is made.
    fn geterrcode() -> c_int;
}

/// The place of [`give_way`] in the server's stack of callbacks.
struct Callback(UnsafeCell<pg_sys::ErrorContextCallback>);
// SAFETY: a server's process has one thread that raises its errors and uses their callbacks.
unsafe impl Sync for Callback {}

static CALLBACK: Callback = Callback(UnsafeCell::new(pg_sys::ErrorContextCallback {
    previous: ptr::null_mut(),
    callback: Some(give_way),
    arg: ptr::null_mut(),
}));

/// Sees to it that an error of the server's about memory leaves it some, before it jumps to who handles the error.
///
/// pgrx copies the report of whatever error passes through Rust into the memory context at hand, and comes back to the same place
/// if that fails, until the server gives up. So [`give_way`] stands at the bottom of the stack of callbacks that are called
/// when an error is made. The server clears that stack after an error outside of functions, hence at the end of every
/// transaction again; the memory is had back then, too, or as much of it as there is.
fn keep_cushion() {
    stand_by();
    // SAFETY: the callbacks are functions of this library, which is never unloaded.
    unsafe {
        pg_sys::RegisterXactCallback(Some(after_transaction), ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(after_subtransaction), ptr::null_mut());
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn after_transaction(_event: pg_sys::XactEvent::Type, _arg: *mut c_void) {
    stand_by();
}

#[pg_guard]
unsafe extern "C-unwind" fn after_subtransaction(
    event: pg_sys::SubXactEvent::Type,
    _own: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _arg: *mut c_void,
) {
    if event == pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB {
        stand_by();
    }
}

fn stand_by() {
    // SAFETY: one thread uses the stack of callbacks. Its entries are what the server's functions, which are running, have put there;
    // the new one lives as long as the process. The postmaster's own stack isn't touched: its children start with it.
    unsafe {
        if !pg_sys::IsUnderPostmaster {
            return;
        }
        let ours = CALLBACK.0.get();
        let mut place = &raw mut pg_sys::error_context_stack;
        while !(*place).is_null() && *place != ours {
            place = &raw mut (**place).previous;
        }
        *place = ours;
    }
    let mut bytes = CUSHION_BYTES;
    while bytes >= LEAST_BYTES && refill(bytes).is_err() {
        bytes /= 2;
    }
}

/// Has so much of the memory back, unless there is more of it.
fn refill(bytes: usize) -> Result<(), OutOfMemory> {
    let mut cushion = CUSHION.lock().unwrap_or_else(PoisonError::into_inner);
    if cushion.capacity() < bytes {
        *cushion = tq_memory::with_capacity(bytes)?;
    }
    Ok(())
}

/// Asks for the memory that an error will need: before calls into the server that do more than look something up.
///
/// # Errors
/// There is no memory even for that.
pub(crate) fn cushion() -> Result<(), OutOfMemory> {
    refill(CUSHION_BYTES)
}

/// Called while an error, or a notice, is made.
#[allow(ffi_unwind_calls)] // it looks at a number
unsafe extern "C-unwind" fn give_way(_: *mut c_void) {
    // SAFETY: an error is being made.
    if unsafe { geterrcode() } == PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY as c_int
        && let Ok(mut cushion) = CUSHION.try_lock()
    {
        *cushion = Vec::new();
    }
}
