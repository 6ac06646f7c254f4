//! Binary COPY data made from a file, on demand.
//!
//! ```text
//! "PGCOPY\n\377\r\n\0"  i32 flags = 0  i32 extension length = 0
//! per row:  i16 columns = 1 or 2   per column, in the statement's order:  i32 length   the vector, or the id
//! i16 -1
//! ```
//!
//! Core calls back for bytes without saying for which COPY, so the sources stand on a stack: the innermost running
//! COPY reads from the top. A guard takes a source off again however its COPY ends, so that an error in a nested
//! COPY that is trapped leaves the outer one as it was.

#![allow(unsafe_code)]

use std::cell::RefCell;
use std::ffi::{c_int, c_void};

use pgrx::prelude::*;

use super::ids::IdColumn;
use crate::error::{Error, raise};
use tq_memory::Grow;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: [u8; 2] = (-1i16).to_be_bytes();

/// Makes rows of a file, batch by batch.
pub(super) trait RowSource {
    /// What the file has to be read, in bytes, for the progress of it.
    fn bytes(&self) -> u64;

    /// Appends the rows of the next batch, each as [`write_row`] writes it; `false` after the last.
    ///
    /// # Errors
    /// The file is malformed, or not any more what it was; a row that can't be made.
    fn more(&mut self, pending: &mut Vec<u8>) -> Result<bool, Error>;
}

/// Appends a row: the number of its columns, the id on its side, and what `vector` writes. Rows count from 0.
pub(super) fn write_row(
    mut id: Option<&mut IdColumn>,
    row: u64,
    out: &mut Vec<u8>,
    vector: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
) -> Result<(), Error> {
    out.try_extend(&(1 + i16::from(id.is_some())).to_be_bytes())?;
    if let Some(id) = id.as_mut().filter(|id| id.is_first()) {
        id.write(row, out)?;
    }
    vector(out)?;
    match id {
        Some(id) if !id.is_first() => id.write(row, out),
        _ => Ok(()),
    }
}

/// What remains to be given out of one file.
struct Source {
    rows: Box<dyn RowSource>,
    finished: bool,
    /// Bytes made, of which `taken` are given out.
    pending: Vec<u8>,
    taken: usize,
}

impl Source {
    /// Fills `out` as far as there is data; zero at the end.
    fn read(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let mut filled = 0;
        while filled < out.len() {
            let available = &self.pending[self.taken..];
            if !available.is_empty() {
                let count = available.len().min(out.len() - filled);
                out[filled..filled + count].copy_from_slice(&available[..count]);
                self.taken += count;
                filled += count;
                continue;
            }
            if self.finished {
                break;
            }
            self.pending.clear();
            self.taken = 0;
            if !self.rows.more(&mut self.pending)? {
                self.pending.try_extend(&TRAILER)?;
                self.finished = true;
            }
        }
        Ok(filled)
    }
}

thread_local! {
    static STACK: RefCell<Vec<Source>> = const { RefCell::new(Vec::new()) };
}

/// Takes the thread's place for the stack while there is memory for it.
pub(super) fn prepare() {
    STACK.with_borrow(|_| ());
}

/// Keeps a source on the stack.
pub(super) struct SourceGuard {
    depth: usize,
}

impl SourceGuard {
    /// Puts a source of these rows on top.
    pub(super) fn push(rows: Box<dyn RowSource>) -> Result<SourceGuard, Error> {
        STACK.with_borrow_mut(|stack| {
            let pending = tq_memory::copied(SIGNATURE)?;
            stack.try_push(Source { rows, finished: false, pending, taken: 0 })?;
            Ok(SourceGuard { depth: stack.len() })
        })
    }

    /// Takes it off after a COPY that succeeded.
    pub(super) fn finish(self) {}
}

/// Appends a field of a row, its length in front.
///
/// # Errors
/// [`Error::Memory`].
pub(super) fn write_field(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    out.try_room(4 + bytes.len())?;
    out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

impl Drop for SourceGuard {
    fn drop(&mut self) {
        STACK.with_borrow_mut(|stack| stack.truncate(self.depth - 1));
    }
}

/// Core's `copy_data_source_cb`: at most `maximum` bytes into `buffer`, zero at the end.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn read_callback(
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
        Err(error) => raise(error),
    }
}
