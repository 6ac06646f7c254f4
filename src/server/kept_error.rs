//! PostgreSQL's own errors, kept whole on their way through Rust.
//!
//! pgrx turns an error that comes out of a call into the server into a panic, and that into a new error, which has neither
//! the old one's context ("COPY t, line 3") nor its cursor position nor the names of table, column and constraint that
//! drivers ask for. The long calls of a COPY, in which triggers, constraints, queries and functions of the user's run, are
//! therefore made here: an error becomes a [`KeptError`], travels as an ordinary `Err`, and is raised again as it was when
//! the last frame of Rust with anything to drop is left.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;

use cee_scape::{SigJmpBufFields, call_with_sigsetjmp};
use pgrx::pg_sys;
use tq_memory::OutOfMemory;

use super::memory::cushion;

/// PostgreSQL's report of an error, in a memory context of its own below the one that was current before the call.
#[derive(Debug)]
pub(crate) struct KeptError(*mut pg_sys::ErrorData);

/// Why a call into the server gave no result.
#[derive(Debug)]
pub(crate) enum CallError {
    /// What it raised.
    Kept(KeptError),
    /// It wasn't made.
    Memory(OutOfMemory),
}

impl From<OutOfMemory> for CallError {
    fn from(error: OutOfMemory) -> CallError {
        CallError::Memory(error)
    }
}

impl KeptError {
    /// The report, for [`rethrow`].
    pub(crate) fn into_raw(self) -> *mut pg_sys::ErrorData {
        self.0
    }
}

/// Memory of a report's context.
const REPORT_BYTES: usize = 8 << 10;

unsafe extern "C-unwind" {
    // pgrx's own binding would catch it.
    fn ReThrowError(error: *mut pg_sys::ErrorData);
}

/// Raises a kept error again; does nothing for null.
///
/// # Safety
/// `error` must be null or come from [`KeptError::into_raw`]; no frame between the caller and PostgreSQL's may hold
/// anything that is to be dropped.
#[allow(ffi_unwind_calls)] // the callers hold nothing
pub(crate) unsafe fn rethrow(error: *mut pg_sys::ErrorData) {
    if !error.is_null() {
        // SAFETY: by the contract.
        unsafe { ReThrowError(error) }
    }
}

/// Calls into the server, as `PG_TRY` does.
///
/// # Errors
/// [`CallError`]. The transaction is then to be given up, as after any error.
///
/// # Safety
/// `call` must call functions of the server's, not pgrx's bindings of them, and hold nothing that is to be dropped.
pub(crate) unsafe fn keeping<T>(call: impl FnOnce() -> T) -> Result<T, CallError> {
    // SAFETY: the variables are those that PG_TRY saves and restores; a backend has one thread that uses them. A jump
    // leaves frames of the server's and of `call`, which hold nothing. The result is there unless there was a jump.
    unsafe {
        cushion()?;
        let context = pg_sys::CurrentMemoryContext;
        // With room in it: an error may well be about memory.
        let report = pg_sys::AllocSetContextCreateInternal(
            context,
            c"tinyquant error".as_ptr(),
            REPORT_BYTES,
            REPORT_BYTES,
            REPORT_BYTES,
        );
        let exception_stack = pg_sys::PG_exception_stack;
        let context_stack = pg_sys::error_context_stack;
        let mut result = MaybeUninit::uninit();
        let jumped = call_with_sigsetjmp(false, |buffer| {
            pg_sys::PG_exception_stack = std::ptr::from_ref::<SigJmpBufFields>(buffer).cast_mut().cast();
            result.write(call());
            0
        });
        pg_sys::PG_exception_stack = exception_stack;
        pg_sys::error_context_stack = context_stack;
        if jumped == 0 {
            pg_sys::MemoryContextDelete(report);
            return Ok(result.assume_init());
        }
        pg_sys::CurrentMemoryContext = report;
        let error = pg_sys::CopyErrorData();
        pg_sys::CurrentMemoryContext = context;
        pg_sys::FlushErrorState();
        Err(CallError::Kept(KeptError(error)))
    }
}
