//! A hint for PostgreSQL's own error about a COPY format that nobody knows: the formats that this extension adds.
//!
//! Another extension may know the format, so the COPY is passed on, and core refuses it if no one does. Catching that
//! error and raising another would lose its cursor position; it is given its hint on its way to the client instead.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char};

use pgrx::pg_sys;

use crate::error::is_unknown_copy_format;

static mut PREVIOUS: pg_sys::emit_log_hook_type = None;

const HINT: &CStr = c"Formats of tinyquant are tqcv, qvec, ztensor, burnpack, npy, npz, safetensors, gguf, torch, fvecs, bvecs, ivecs, fbin, u8bin and i8bin.";

/// Puts the hook in front of those that are there already; called from `_PG_init`.
pub(crate) fn install() {
    // SAFETY: `_PG_init` runs once in a process, in its only thread.
    unsafe {
        PREVIOUS = pg_sys::emit_log_hook;
        pg_sys::emit_log_hook = Some(emit);
    }
}

unsafe extern "C-unwind" {
    // pgrx's own binding puts its guard around the call; where an error is being reported, none may be.
    fn MemoryContextStrdup(context: pg_sys::MemoryContext, string: *const c_char) -> *mut c_char;
}

/// Looks at each message that is about to be sent or logged. It must not panic, and holds nothing that is to be dropped.
#[allow(ffi_unwind_calls)] // no frame of ours below it holds anything
unsafe extern "C-unwind" fn emit(error: *mut pg_sys::ErrorData) {
    // SAFETY: PostgreSQL passes a valid message, whose strings are null or C strings of the context that it names; the
    // untranslated text of the message, where there is one, is a constant of the program.
    unsafe {
        let untranslated = (*error).message_id;
        if (*error).hint.is_null()
            && !untranslated.is_null()
            && is_unknown_copy_format((*error).sqlerrcode, CStr::from_ptr(untranslated))
        {
            (*error).hint = MemoryContextStrdup((*error).assoc_context, HINT.as_ptr());
        }
        if let Some(next) = PREVIOUS {
            next(error);
        }
    }
}
