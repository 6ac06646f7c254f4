//! Binary COPY data made from a file, on demand.
//!
//! ```text
//! "PGCOPY\n\377\r\n\0"  i32 flags = 0  i32 extension length = 0
//! per row:  i16 columns = 1 or 2   per column, the id before the vector:  i32 length   the id, or the vector
//! i16 -1
//! ```
//!
//! Each part is given out before the next is made. So where a row can't be made, core has counted to it when the error is raised,
//! and both name the same row; and core's encoding of the client is another between the id of a row and its vector.
//!
//! Core calls back for bytes without saying for which COPY, so the sources stand on a stack: the innermost running
//! COPY reads from the top. A guard takes a source off again however its COPY ends, so that an error in a nested
//! COPY that is trapped leaves the outer one as it was.

#![allow(unsafe_code)]

use std::cell::RefCell;
use std::ffi::{c_int, c_void};

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::data::CopyData;
use super::own_encoding::OwnEncoding;
use super::rejects::FileRejects;
use crate::error::{Error, raise};
use tq_files::pgcopy::{SIGNATURE, TRAILER};
use tq_memory::{Grow, OutOfMemory};

/// Makes rows of a file, batch by batch.
pub(crate) trait RowSource {
    /// Bytes of all that core will read, for the progress of it: not less (but for ids that are numbers with hundreds of digits),
    /// and more only where ids are of any length.
    fn bytes(&self) -> u64;

    /// Appends the rows of the next batch, each as [`write_row`](super::data::write_row) writes it; `false` after the last.
    ///
    /// # Errors
    /// The file is malformed, or not any more what it was; a row that can't be made.
    fn more(&mut self, pending: &mut CopyData) -> Result<bool, Stop>;

    /// The rows that were left out, or came with a NULL.
    fn rejects(&self) -> Option<&FileRejects>;
}

/// Why there are no more rows.
pub(crate) struct Stop {
    error: Error,
    /// Whether the error is about the row behind those that were appended.
    placed: bool,
}

impl From<OutOfMemory> for Stop {
    fn from(error: OutOfMemory) -> Stop {
        Stop::elsewhere(error.into())
    }
}

impl Stop {
    /// An error of the row behind those that were appended.
    pub(crate) fn at_row(error: Error) -> Stop {
        Stop { error, placed: true }
    }

    /// An error of a row that is not said, or of the whole file. Rows that were appended are not given out.
    pub(crate) fn elsewhere(error: Error) -> Stop {
        Stop { error, placed: false }
    }
}

/// What remains to be given out of one file.
struct ActiveSource {
    rows: Box<dyn RowSource>,
    finished: bool,
    /// What comes when the rows before it are given out.
    failed: Option<Error>,
    /// What was made, of which `taken` bytes and the ids before `next_id` are given out.
    pending: CopyData,
    taken: usize,
    next_id: usize,
    encoding: OwnEncoding,
}

impl ActiveSource {
    /// Gives out what comes next, as much as `out` takes of it; zero at the end.
    fn read(&mut self, out: &mut [u8]) -> Result<usize, Stop> {
        // Whatever was given out has been read.
        self.encoding.leave();
        if self.taken == self.pending.bytes.len() {
            self.make()?;
        }
        let start = self.taken;
        let (stop, id_end) = match self.pending.ids.get(self.next_id) {
            None => (self.pending.bytes.len(), None),
            // The row before is inserted when core asks for more.
            Some((row, _)) if start < *row => (*row, None),
            Some((_, end)) => (*end, Some(*end)),
        };
        let end = stop.min(start + out.len());
        out[..end - start].copy_from_slice(&self.pending.bytes[start..end]);
        self.taken = end;
        if id_end == Some(end) {
            self.next_id += 1;
            self.encoding.enter();
        }
        Ok(end - start)
    }

    /// Makes what comes next; nothing after the end.
    fn make(&mut self) -> Result<(), Stop> {
        self.pending.clear();
        (self.taken, self.next_id) = (0, 0);
        if let Some(error) = self.failed.take() {
            return Err(Stop::at_row(error));
        }
        while !self.finished && self.pending.bytes.is_empty() {
            let core = CoreContext::put_aside();
            let made = self.rows.more(&mut self.pending);
            if !matches!(made, Err(Stop { placed: false, .. })) {
                core.put_back();
            }
            match made {
                Ok(true) => {}
                Ok(false) => {
                    self.pending.bytes.try_extend(&TRAILER)?;
                    self.finished = true;
                }
                Err(Stop { error, placed: true }) if !self.pending.bytes.is_empty() => {
                    self.failed = Some(error);
                }
                Err(stop) => {
                    self.pending.clear();
                    return Err(stop);
                }
            }
        }
        Ok(())
    }
}

/// What core adds to an error in its COPY: the row that it has counted to, which is none of those that are being made.
struct CoreContext(*mut pg_sys::ErrorContextCallback);

impl CoreContext {
    /// Takes it off the stack of such callbacks, where it is on top since core calls back for bytes. After an error, the
    /// caller of core puts back what was there before the COPY.
    fn put_aside() -> CoreContext {
        // SAFETY: a variable of the backend's, null or the callback of a frame below this one.
        unsafe {
            let top = pg_sys::error_context_stack;
            if let Some(context) = top.as_ref() {
                pg_sys::error_context_stack = context.previous;
            }
            CoreContext(top)
        }
    }

    /// Puts it on top again.
    fn put_back(self) {
        // SAFETY: it was there, and its frame is still below this one.
        unsafe { pg_sys::error_context_stack = self.0 }
    }
}

thread_local! {
    static STACK: RefCell<Vec<ActiveSource>> = const { RefCell::new(Vec::new()) };
}

/// Takes the thread's place for the stack while there is memory for it.
pub(crate) fn prepare() {
    STACK.with_borrow(|_| ());
}

/// Keeps a source on the stack.
pub(crate) struct SourceGuard {
    depth: usize,
}

impl SourceGuard {
    /// Puts a source of these rows on top.
    pub(crate) fn push(rows: Box<dyn RowSource>) -> Result<SourceGuard, Error> {
        STACK.with_borrow_mut(|stack| {
            let encoding = OwnEncoding::new();
            // Alone, so that core has begun its rows when the first is made.
            let bytes = tq_memory::copied(SIGNATURE)?;
            let pending = CopyData { bytes, ids: Vec::new(), marked: encoding.is_another() };
            let source =
                ActiveSource { rows, finished: false, failed: None, pending, taken: 0, next_id: 0, encoding };
            stack.try_push(source)?;
            Ok(SourceGuard { depth: stack.len() })
        })
    }

    /// Gives core the client's encoding back, if an error has come while it had another; to be called when core's COPY has
    /// returned, in whichever way.
    pub(crate) fn leave_encoding(&self) {
        STACK.with_borrow_mut(|stack| {
            if let Some(source) = stack.get_mut(self.depth - 1) {
                source.encoding.leave();
            }
        });
    }

    /// Takes it off after a COPY that succeeded, and says what was left out.
    pub(crate) fn finish(self) {
        let source = STACK.with_borrow_mut(Vec::pop);
        if let Some(rejects) = source.as_ref().and_then(|source| source.rows.rejects()) {
            rejects.tell();
        }
    }
}

impl Drop for SourceGuard {
    fn drop(&mut self) {
        STACK.with_borrow_mut(|stack| stack.truncate(self.depth - 1));
    }
}

/// Core's `copy_data_source_cb`: at most `maximum` bytes into `buffer`, zero at the end.
#[pg_guard]
pub(crate) unsafe extern "C-unwind" fn read_callback(
    buffer: *mut c_void,
    _minimum: c_int,
    maximum: c_int,
) -> c_int {
    // SAFETY: core passes a buffer of `maximum` bytes for us to write.
    let out = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), maximum as usize) };
    let result = STACK.with_borrow_mut(|stack| match stack.last_mut() {
        Some(source) => source.read(out),
        None => Ok(0),
    });
    match result {
        Ok(count) => count as c_int,
        Err(stop) => raise(stop.error),
    }
}
