//! Binary COPY data made from a corpus, on demand.
//!
//! ```text
//! "PGCOPY\n\377\r\n\0"  i32 flags = 0  i32 extension length = 0
//! per record:  i16 columns = 1 or 2   per column, in the statement's order:  i32 length   the record's bytes, or the id
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
use std::sync::Arc;

use pgrx::prelude::*;
use tq_codec::{BatchError, Codec};
use tq_corpus::Corpus;
use tq_format::RecordView;

use super::ids::IdColumn;
use crate::error::{Error, raise};
use crate::registry;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Records are made into rows in batches of about this size: large next to the system calls that guard a batch,
/// small next to the memory of a backend.
const BATCH_BYTES: usize = 256 * 1024;
const TRAILER: [u8; 2] = (-1i16).to_be_bytes();

/// What a row is made of.
pub(super) struct Rows {
    /// The column with ids, if there is one.
    pub(super) id: Option<IdColumn>,
    /// Whether that stands before the record.
    pub(super) id_first: bool,
    /// What is done to the records, if anything.
    pub(super) recompression: Option<Recompression>,
}

/// Records of one codec are decoded and compressed with another.
pub(super) struct Recompression {
    pub(super) from: Arc<Codec>,
    pub(super) to: Arc<Codec>,
}

impl Recompression {
    /// The new records, one behind the other; `first` is the number of the first, from 0.
    fn apply(&self, records: &[RecordView<'_>], first: u64) -> Result<Vec<u8>, Error> {
        let at = |error: BatchError| Error::CorpusRecord {
            record: first + error.row as u64 + 1,
            source: Box::new(error.source.into()),
        };
        let mut vectors = Vec::new();
        self.from.decode_batch(records, &mut vectors).map_err(at)?;
        let mut made = Vec::new();
        self.to.encode_batch(&vectors, &mut made).map_err(at)?;
        registry::confirm(&self.from)?;
        registry::confirm(&self.to)?;
        Ok(made)
    }
}

impl Rows {
    /// Appends the row of a record, counted from 0.
    fn write(&self, number: u64, record: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let id = |id: &IdColumn, out: &mut Vec<u8>| {
            id.write(number, out).map_err(|misfit| Error::CorpusId {
                record: number + 1,
                id: misfit.id,
                column: id.name().to_string(),
            })
        };
        out.extend_from_slice(&(1 + i16::from(self.id.is_some())).to_be_bytes());
        if let Some(column) = self.id.as_ref().filter(|_| self.id_first) {
            id(column, out)?;
        }
        out.extend_from_slice(&(record.len() as i32).to_be_bytes());
        out.extend_from_slice(record);
        if let Some(column) = self.id.as_ref().filter(|_| !self.id_first) {
            id(column, out)?;
        }
        Ok(())
    }
}

/// What remains to be given out of one file.
pub(super) struct Source {
    path: PathBuf,
    corpus: Corpus,
    rows: Rows,
    next: u64,
    finished: bool,
    /// Bytes made, of which `taken` are given out.
    pending: Vec<u8>,
    taken: usize,
}

impl Source {
    pub(super) fn new(path: PathBuf, corpus: Corpus, rows: Rows) -> Source {
        Source { path, corpus, rows, next: 0, finished: false, pending: SIGNATURE.to_vec(), taken: 0 }
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
        let Source { path, corpus, rows, next, finished, pending, taken } = self;
        pending.clear();
        *taken = 0;
        let header = corpus.header();
        let record_len = tq_format::record_len(header.bit_width, header.dimension, header.residual);
        let count = (BATCH_BYTES / record_len).max(1) as u64;
        let first = *next;
        let end = header.vector_count.min(first + count);
        // What the batch made of a file that changed meanwhile is never given out: an error comes instead.
        let made = corpus
            .batch(first..end, |records| {
                if let Some(recompression) = &rows.recompression {
                    let records = records.collect::<Result<Vec<_>, _>>()?;
                    return Ok(recompression.apply(&records, first).and_then(|made| {
                        let length = made.len() / records.len().max(1);
                        let mut numbered = (first..).zip(made.chunks_exact(length.max(1)));
                        numbered.try_for_each(|(number, record)| rows.write(number, record, pending))
                    }));
                }
                for (number, record) in (first..).zip(records) {
                    if let Err(error) = rows.write(number, record?.as_bytes(), pending) {
                        return Ok(Err(error));
                    }
                }
                Ok(Ok(()))
            })
            .map_err(|source| Error::CorpusFile { path: path.clone(), source })?;
        made.map_err(|source| Error::CorpusRow { path: path.clone(), source: source.into() })?;
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
