//! Records set aside until what stands before them is known, in a temporary file of PostgreSQL's.
//!
//! The file counts towards `temp_file_limit`, goes into `temp_tablespaces`, and is removed with the transaction, or
//! when the server starts again.

#![allow(unsafe_code)]

use std::ffi::c_int;

use pgrx::pg_sys;

use crate::error::interrupts::poll;
use crate::error::{Error, FormatError};

/// Bytes handed to PostgreSQL at a time.
const CHUNK: usize = 64 * 1024;

/// Bytes written once and read once.
#[derive(Debug)]
pub(crate) struct RecordSpool {
    file: *mut pg_sys::BufFile,
    pending: Vec<u8>,
    written: u64,
}

impl RecordSpool {
    /// An empty one, which belongs to the current memory context and resource owner.
    pub(crate) fn create() -> Result<RecordSpool, Error> {
        let pending = tq_memory::with_capacity(2 * CHUNK)?;
        // SAFETY: runs in a transaction. Without tablespaces set, the database's own takes the file.
        let file = unsafe {
            pg_sys::PrepareTempTablespaces();
            pg_sys::BufFileCreateTemp(false)
        };
        Ok(RecordSpool { file, pending, written: 0 })
    }

    /// Appends bytes; PostgreSQL's own error if that fails.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= CHUNK {
            self.flush();
        }
    }

    fn flush(&mut self) {
        // SAFETY: the file is open until `drain` closes it; the buffer has the length that is passed.
        unsafe { pg_sys::BufFileWrite(self.file, self.pending.as_mut_ptr().cast(), self.pending.len()) };
        self.written += self.pending.len() as u64;
        self.pending.clear();
    }

    /// Gives out all bytes in their order, some whole `pieces` of that length at a time, and closes the file. Answers
    /// interrupts.
    pub(crate) fn drain(
        &mut self,
        piece: usize,
        mut take: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let chunk = piece.max(CHUNK / piece.max(1) * piece);
        self.flush();
        // SAFETY: the file is open; its beginning is there to go to.
        if unsafe { pg_sys::BufFileSeek(self.file, 0, 0, libc_seek_set()) } != 0 {
            return Err(Error::Format(FormatError::SpoolDamaged));
        }
        let mut buffer = tq_memory::filled(chunk, 0u8)?;
        while self.written > 0 {
            poll();
            let wanted = chunk.min(usize::try_from(self.written).unwrap_or(chunk));
            // SAFETY: the buffer is at least as long as what is asked for.
            let got = unsafe { pg_sys::BufFileRead(self.file, buffer.as_mut_ptr().cast(), wanted) };
            if got != wanted {
                return Err(Error::Format(FormatError::SpoolDamaged));
            }
            take(&buffer[..got])?;
            self.written -= got as u64;
        }
        // SAFETY: open, and not used after this: nothing remains to be given out.
        unsafe { pg_sys::BufFileClose(self.file) };
        Ok(())
    }
}

/// `SEEK_SET`, which is 0 wherever PostgreSQL runs.
const fn libc_seek_set() -> c_int {
    0
}
