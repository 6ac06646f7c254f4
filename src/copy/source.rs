//! Binary COPY data made from a corpus, on demand.
//!
//! ```text
//! "PGCOPY\n\377\r\n\0"  i32 flags = 0  i32 extension length = 0
//! per record:  i16 columns = 1   i32 length   the record's bytes
//! i16 -1
//! ```
//!
//! Core calls back for bytes without saying for which COPY, so the sources stand on a stack: the innermost running
//! COPY reads from the top. A guard takes a source off again however its COPY ends, so that an error in a nested
//! COPY that is trapped leaves the outer one as it was.

#![allow(unsafe_code)]

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::path::PathBuf;

use pgrx::prelude::*;
use tq_corpus::Corpus;

use crate::error::{Error, raise};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Records are made into rows in batches of about this size: large next to the system calls that guard a batch,
/// small next to the memory of a backend.
const BATCH_BYTES: usize = 256 * 1024;
const TRAILER: [u8; 2] = (-1i16).to_be_bytes();

/// What remains to be given out of one file.
pub(super) struct Source {
    path: PathBuf,
    corpus: Corpus,
    next: u64,
    finished: bool,
    /// Bytes made, of which `taken` are given out.
    pending: Vec<u8>,
    taken: usize,
}

impl Source {
    pub(super) fn new(path: PathBuf, corpus: Corpus) -> Source {
        Source { path, corpus, next: 0, finished: false, pending: SIGNATURE.to_vec(), taken: 0 }
    }

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
            self.refill()?;
        }
        Ok(filled)
    }

    /// Makes the rows of the next batch, or the end.
    fn refill(&mut self) -> Result<(), Error> {
        let Source { path, corpus, next, finished, pending, taken } = self;
        pending.clear();
        *taken = 0;
        let header = corpus.header();
        let record_len = tq_format::record_len(header.bit_width, header.dimension, header.residual);
        let rows = (BATCH_BYTES / record_len).max(1) as u64;
        let end = header.vector_count.min(*next + rows);
        // What the batch made of a file that changed meanwhile is never given out: an error comes instead.
        corpus
            .batch(*next..end, |records| {
                for record in records {
                    let bytes = record?.as_bytes();
                    pending.extend_from_slice(&1i16.to_be_bytes());
                    pending.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
                    pending.extend_from_slice(bytes);
                }
                Ok(())
            })
            .map_err(|source| Error::CorpusFile { path: path.clone(), source })?;
        *next = end;
        if end == header.vector_count {
            pending.extend_from_slice(&TRAILER);
            *finished = true;
        }
        Ok(())
    }
}

thread_local! {
    static STACK: RefCell<Vec<Source>> = const { RefCell::new(Vec::new()) };
}

/// Keeps a source on the stack.
pub(super) struct SourceGuard {
    depth: usize,
}

impl SourceGuard {
    /// Puts the source on top.
    pub(super) fn push(source: Source) -> SourceGuard {
        STACK.with_borrow_mut(|stack| {
            stack.push(source);
            SourceGuard { depth: stack.len() }
        })
    }

    /// Takes it off after a COPY that succeeded.
    pub(super) fn finish(self) {}
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
