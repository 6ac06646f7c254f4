//! The client's end of COPY TO STDOUT: the messages that core's `SendCopyBegin`, `CopySendEndOfRow` and `SendCopyEnd`
//! send.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int};

use pgrx::pg_sys;

use crate::error::interrupts::poll;
use crate::error::{CopyError, Error};

const COPY_OUT_RESPONSE: u8 = b'H';
const COPY_DATA: u8 = b'd';
const COPY_DONE: u8 = b'c';
/// Bytes of data in one message.
const CHUNK: usize = 64 * 1024;

/// A client that is to get the bytes of a file.
#[derive(Debug)]
pub(crate) struct CopyOut {
    columns: u16,
}

impl CopyOut {
    /// The session's client.
    ///
    /// # Errors
    /// There is none, as in single-user mode.
    pub(crate) fn new(format: &'static str, columns: usize) -> Result<CopyOut, Error> {
        // SAFETY: a global that is set when the session starts.
        if unsafe { pg_sys::whereToSendOutput } != pg_sys::CommandDest::DestRemote {
            return Err(Error::Copy(CopyError::Unsupported {
                format,
                what: "STDOUT in a session without a client".into(),
                hint: Some("Name a file of the server: COPY ... TO '/path/file.tqcv'."),
            }));
        }
        Ok(CopyOut { columns: columns as u16 })
    }

    /// Announces binary data.
    pub(crate) fn begin(&self) {
        let mut body = vec![1u8];
        body.extend_from_slice(&self.columns.to_be_bytes());
        for _ in 0..self.columns {
            body.extend_from_slice(&1u16.to_be_bytes());
        }
        message(COPY_OUT_RESPONSE, &body);
    }

    /// Sends bytes of the file. Answers interrupts.
    pub(crate) fn send(&self, bytes: &[u8]) {
        for chunk in bytes.chunks(CHUNK) {
            poll();
            message(COPY_DATA, chunk);
        }
    }

    /// Says that this was all.
    pub(crate) fn finish(&self) {
        // SAFETY: the protocol is in COPY OUT mode since `begin`.
        unsafe { pg_sys::pq_putemptymessage(COPY_DONE as c_char) };
    }
}

/// Sends one message.
fn message(kind: u8, body: &[u8]) {
    // SAFETY: the buffer is initialised by pq_beginmessage, appended to by length, and freed by pq_endmessage.
    unsafe {
        let mut buffer = pg_sys::StringInfoData::default();
        pg_sys::pq_beginmessage(&mut buffer, kind as c_char);
        pg_sys::appendBinaryStringInfo(&mut buffer, body.as_ptr().cast(), body.len() as c_int);
        pg_sys::pq_endmessage(&mut buffer);
    }
}
