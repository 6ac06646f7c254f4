//! The client's end of COPY TO STDOUT: the messages that core's `SendCopyBegin`, `CopySendEndOfRow` and `SendCopyEnd`
//! send.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int};
use std::io;

use pgrx::pg_sys;
use tq_files::{FileError, Output};

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

/// The client as where a file's bytes go, front to back. Begins with the first of them.
pub(crate) struct ClientOutput {
    client: CopyOut,
    /// Bytes that wait for more, so that messages are of a size.
    waiting: Vec<u8>,
    sent: u64,
}

impl ClientOutput {
    /// Announces the data.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub(crate) fn new(client: CopyOut) -> Result<ClientOutput, Error> {
        let waiting = tq_memory::with_capacity(CHUNK)?;
        client.begin();
        Ok(ClientOutput { client, waiting, sent: 0 })
    }

    fn flush(&mut self) {
        self.client.send(&self.waiting);
        self.sent += self.waiting.len() as u64;
        self.waiting.clear();
    }
}

impl Output for ClientOutput {
    fn append(&mut self, mut bytes: &[u8]) -> Result<(), FileError> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            bytes = later;
            if self.waiting.len() == CHUNK {
                self.flush();
            }
        }
        Ok(())
    }

    fn write_at(&mut self, _offset: u64, _bytes: &[u8]) -> Result<(), FileError> {
        Err(FileError::Io { path: "STDOUT".into(), op: "write", source: io::ErrorKind::Unsupported.into() })
    }

    fn position(&self) -> u64 {
        self.sent + self.waiting.len() as u64
    }

    fn complete(mut self: Box<Self>) -> Result<(), FileError> {
        self.flush();
        self.client.finish();
        Ok(())
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
