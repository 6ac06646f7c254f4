//! COPY FROM STDIN: the client sends a file's bytes, which are set aside until they are all here.
//!
//! A corpus is read by position, and what its header says is believed only against the file's length, so nothing can be
//! loaded before the last byte has come. The bytes go into one of PostgreSQL's temporary files, which disappears with
//! the transaction, and are mapped from there like any other corpus.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use pgrx::pg_sys;

use crate::copy::to::set_aside::{temp_file_limit, temporary_file};
use crate::error::interrupts::poll;
use crate::error::{CopyError, Error, FormatError};

/// Most bytes of a message with data, and of any other, as core has them.
const LARGE: c_int = 0x3fff_fffe;
const SMALL: c_int = 10_000;
const EOF: c_int = -1;

// Functions of the server's that its bindings leave out. All are called inside pgrx's guard, which is what the lint
// `ffi_unwind_calls` wants to be sure of.
unsafe extern "C-unwind" {
    fn pq_startmsgread();
    fn pq_getbyte() -> c_int;
    fn pq_getmessage(message: *mut pg_sys::StringInfoData, most: c_int) -> c_int;
    static PqCommMethods: *const CommMethods;
}

/// The beginning of `PQcommMethods` (libpq/libpq.h), the same in versions 15 to 18.
#[repr(C)]
struct CommMethods {
    reset: unsafe extern "C-unwind" fn(),
    flush: unsafe extern "C-unwind" fn() -> c_int,
}

/// A client's file that is here.
pub(crate) struct ReceivedFile {
    pub(crate) path: PathBuf,
    file: pg_sys::File,
}

impl ReceivedFile {
    /// Removes it, when it is loaded. Left undone, as when an error passes, it goes with the transaction.
    pub(crate) fn finish(self) {
        // SAFETY: the file was opened by `receive`, and is closed here alone.
        unsafe { pg_sys::FileClose(self.file) }
    }
}

/// Takes in the client's file.
///
/// # Errors
/// There is no client, it breaks off or doesn't keep to the protocol, or there is more than `temp_file_limit` allows.
pub(crate) fn receive(format: &'static str, columns: usize) -> Result<ReceivedFile, Error> {
    // SAFETY: a global that is set when the session starts.
    if unsafe { pg_sys::whereToSendOutput } != pg_sys::CommandDest::DestRemote {
        return Err(Error::Copy(CopyError::Unsupported {
            format,
            what: "STDIN in a session without a client".into(),
            hint: Some("Name a file of the server: COPY ... FROM '/path/file.tqcv'."),
        }));
    }
    let (temporary, path) = temporary_file();
    let mut file = OpenOptions::new().write(true).open(&path).map_err(|source| write_error(&path, source))?;
    begin(columns);
    let limit = temp_file_limit();
    let mut length = 0;
    while let Some(bytes) = next_data(&path, &mut file)? {
        length += bytes;
        if length > limit {
            return Err(Error::Format(FormatError::TempFileLimit(limit / 1024)));
        }
    }
    Ok(ReceivedFile { path, file: temporary })
}

fn write_error(path: &std::path::Path, source: std::io::Error) -> Error {
    Error::File(tq_files::FileError::Io { path: path.to_owned(), op: "write", source })
}

/// Tells the client to send, as core's `ReceiveCopyBegin`.
#[allow(ffi_unwind_calls)]
fn begin(columns: usize) {
    // SAFETY: the buffer is initialised by pq_beginmessage, appended to, and freed by pq_endmessage. The methods are
    // the backend's, set when the session starts; flushing may raise an error, which pgrx's guard turns into a panic.
    unsafe {
        let mut message = pg_sys::StringInfoData::default();
        pg_sys::pq_beginmessage(&mut message, b'G' as c_char);
        let mut body = vec![1u8];
        body.extend_from_slice(&(columns as u16).to_be_bytes());
        body.extend(std::iter::repeat_n(1u16.to_be_bytes(), columns).flatten());
        pg_sys::appendBinaryStringInfo(&mut message, body.as_ptr().cast(), body.len() as c_int);
        pg_sys::pq_endmessage(&mut message);
        pg_sys::ffi::pg_guard_ffi_boundary(|| ((*PqCommMethods).flush)());
    }
}

/// Writes the data of the next message; `None` when the client is done.
fn next_data(path: &std::path::Path, file: &mut File) -> Result<Option<u64>, Error> {
    poll();
    let (kind, body) = next_message()?;
    match kind {
        b'd' => {
            file.write_all(&body).map_err(|source| write_error(path, source))?;
            Ok(Some(body.len() as u64))
        }
        b'c' => Ok(None),
        b'f' => {
            let reason = body.split(|byte| *byte == 0).next().unwrap_or_default();
            Err(Error::Copy(CopyError::Failed(String::from_utf8_lossy(reason).into_owned())))
        }
        // Flush and Sync, which clients of the extended protocol may send.
        _ => Ok(Some(0)),
    }
}

/// The next message: its kind and its body. As core's `CopyGetData`.
#[allow(ffi_unwind_calls)]
fn next_message() -> Result<(u8, Vec<u8>), Error> {
    // SAFETY: a message is read from its kind to its end without a cancel in between, which would leave the connection
    // in the middle of it; the buffer is initialised, and freed when its content is copied.
    unsafe {
        pg_sys::QueryCancelHoldoffCount += 1;
        let kind = pg_sys::ffi::pg_guard_ffi_boundary(|| {
            pq_startmsgread();
            pq_getbyte()
        });
        let most = match u8::try_from(kind) {
            Err(_) if kind == EOF => return Err(Error::Copy(CopyError::ClientGone)),
            Ok(b'd') => LARGE,
            Ok(b'c' | b'f' | b'H' | b'S') => SMALL,
            _ => return Err(Error::Copy(CopyError::Protocol(kind))),
        };
        let mut message = pg_sys::StringInfoData::default();
        pg_sys::initStringInfo(&mut message);
        if pg_sys::ffi::pg_guard_ffi_boundary(|| pq_getmessage(&mut message, most)) != 0 {
            return Err(Error::Copy(CopyError::ClientGone));
        }
        pg_sys::QueryCancelHoldoffCount -= 1;
        let body = std::slice::from_raw_parts(message.data.cast::<u8>(), message.len as usize);
        let body = tq_memory::copied(body)?;
        pg_sys::pfree(message.data.cast());
        Ok((kind as u8, body))
    }
}
