//! Bringing a large file to the disk while it is being written, instead of all of it at the end.
//!
//! Without this, the system would take in gigabytes at memory's speed, and the final `fsync`, which can't be interrupted, would
//! wait for the disk to follow: for seconds. So each stretch is sent on its way to the disk as soon as it is full, and
//! the writer waits for the one before the last: at most a few stretches are under way at any moment, enough for the disk
//! to be busy, and few enough for every wait to be short. The file is durable only with the `fsync` all the same.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;

/// Bytes that are sent at a time: some milliseconds' work for a disk.
const STRETCH: u64 = 2 << 20;
/// Stretches that may be under way.
const MOST_UNDER_WAY: u64 = 2;

/// How far a file is on its way to the disk.
#[derive(Debug, Default)]
pub(super) struct Writeback {
    /// What lies below was sent.
    sent: u64,
    unsupported: bool,
}

impl Writeback {
    /// Sends on what is new, when the file has `written` bytes.
    ///
    /// # Errors
    /// Those of the disk. They are told once, so a file with one must not be believed to be sound by a later `fsync`.
    pub(super) fn advance(&mut self, file: &File, written: u64) -> io::Result<()> {
        while !self.unsupported && written - self.sent.min(written) >= STRETCH {
            let waited = self.sent.checked_sub(MOST_UNDER_WAY * STRETCH);
            let result =
                send(file, self.sent).and_then(|()| waited.map_or(Ok(()), |offset| wait(file, offset)));
            match result {
                Err(error) if is_unsupported(&error) => self.unsupported = true,
                other => other?,
            }
            self.sent += STRETCH;
        }
        Ok(())
    }
}

/// A file system, or a sandbox, that doesn't know the call.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOSYS | libc::EINVAL | libc::EOPNOTSUPP | libc::EPERM | libc::ESPIPE)
    )
}

/// Begins to write a stretch.
#[cfg(target_os = "linux")]
fn send(file: &File, offset: u64) -> io::Result<()> {
    sync_file_range(file, offset, libc::SYNC_FILE_RANGE_WRITE)
}

/// Waits until a stretch is on the disk.
#[cfg(target_os = "linux")]
fn wait(file: &File, offset: u64) -> io::Result<()> {
    let flags =
        libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    sync_file_range(file, offset, flags)
}

#[cfg(target_os = "linux")]
fn sync_file_range(file: &File, offset: u64, flags: libc::c_uint) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    // A file's offsets are below 2^63.
    let (offset, length) = (offset as libc::off64_t, STRETCH as libc::off64_t);
    // SAFETY: the descriptor is open as long as `file` is borrowed; the call reads no memory of ours.
    match unsafe { libc::sync_file_range(file.as_raw_fd(), offset, length, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Elsewhere one call does both.
#[cfg(not(target_os = "linux"))]
fn send(_file: &File, _offset: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn wait(file: &File, _offset: u64) -> io::Result<()> {
    file.sync_data()
}
