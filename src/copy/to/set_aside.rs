//! A file for a client, which is written here first: formats whose counts and directories are known at the end alone can't
//! be sent while they grow. It is one of PostgreSQL's temporary files, and disappears with the transaction.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use pgrx::pg_sys;
use tq_files::{FileError, Output};

use super::client::CopyOut;
use crate::error::{Error, FormatError};

/// Bytes read back at a time.
const CHUNK: usize = 256 * 1024;

/// Opens a temporary file; returns PostgreSQL's handle of it, which is to be closed, and its path.
pub(crate) fn temporary_file() -> (pg_sys::File, PathBuf) {
    // SAFETY: runs in a transaction, with which the file goes; its name is a C string as long as it is open.
    unsafe {
        pg_sys::PrepareTempTablespaces();
        let file = pg_sys::OpenTemporaryFile(false);
        (file, PathBuf::from(CStr::from_ptr(pg_sys::FilePathName(file)).to_string_lossy().into_owned()))
    }
}

/// Bytes that the server's `temp_file_limit` leaves to a file.
pub(crate) fn temp_file_limit() -> u64 {
    // SAFETY: a plain variable of the backend's: kilobytes, or negative for no limit.
    let limit = unsafe { pg_sys::temp_file_limit };
    u64::try_from(limit).map_or(u64::MAX, |kilobytes| kilobytes * 1024)
}

/// The file, while it is written and until the client has it.
pub(crate) struct SetAside {
    path: PathBuf,
    handle: pg_sys::File,
    file: Rc<File>,
    length: Rc<Cell<u64>>,
    /// Whether the limit was passed.
    over: Rc<Cell<bool>>,
    client: CopyOut,
}

/// The end that a writer gets.
struct AsideOutput {
    path: PathBuf,
    file: Rc<File>,
    length: Rc<Cell<u64>>,
    over: Rc<Cell<bool>>,
    limit: u64,
}

impl SetAside {
    /// An empty file for that client, and what writes it.
    pub(crate) fn create(client: CopyOut) -> Result<(SetAside, Box<dyn Output>), Error> {
        let (handle, path) = temporary_file();
        let opened = OpenOptions::new().read(true).write(true).open(&path);
        let file = Rc::new(opened.map_err(|source| failed(&path, "open", source))?);
        let (length, over) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
        let written = AsideOutput {
            path: path.clone(),
            file: Rc::clone(&file),
            length: Rc::clone(&length),
            over: Rc::clone(&over),
            limit: temp_file_limit(),
        };
        Ok((SetAside { path, handle, file, length, over, client }, Box::new(written)))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether writing failed because of `temp_file_limit`.
    pub(crate) fn check_limit(&self) -> Result<(), Error> {
        match self.over.get() {
            true => Err(Error::Format(FormatError::TempFileLimit(temp_file_limit() / 1024))),
            false => Ok(()),
        }
    }

    /// Sends all of it, and removes it.
    pub(crate) fn send(self) -> Result<(), Error> {
        self.client.begin();
        let mut buffer = tq_memory::filled(CHUNK, 0)?;
        let mut offset = 0;
        while offset < self.length.get() {
            let count = CHUNK.min(usize::try_from(self.length.get() - offset).unwrap_or(CHUNK));
            self.file
                .read_exact_at(&mut buffer[..count], offset)
                .map_err(|_| Error::Format(FormatError::SpoolDamaged))?;
            self.client.send(&buffer[..count]);
            offset += count as u64;
        }
        self.client.finish();
        // SAFETY: the file was opened by `create`, and is closed here alone.
        unsafe { pg_sys::FileClose(self.handle) };
        Ok(())
    }
}

fn failed(path: &Path, op: &'static str, source: std::io::Error) -> FileError {
    FileError::Io { path: path.to_owned(), op, source }
}

impl Output for AsideOutput {
    fn append(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        let end = self.length.get() + bytes.len() as u64;
        if end > self.limit {
            self.over.set(true);
            return Err(failed(&self.path, "write", std::io::ErrorKind::QuotaExceeded.into()));
        }
        self.write_at(self.length.get(), bytes)?;
        self.length.set(end);
        Ok(())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FileError> {
        self.file.write_all_at(bytes, offset).map_err(|source| failed(&self.path, "write", source))
    }

    fn position(&self) -> u64 {
        self.length.get()
    }

    fn complete(self: Box<Self>) -> Result<(), FileError> {
        Ok(())
    }
}
