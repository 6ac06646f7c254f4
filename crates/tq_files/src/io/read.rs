//! Opening a file for reading, and reading one that is known to be small.

use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::error::FileError;

/// Opens a regular file; never waits.
///
/// # Errors
/// [`FileError::Io`], [`IsDirectory`](FileError::IsDirectory), [`NotRegular`](FileError::NotRegular).
pub(crate) fn open_regular(path: &Path) -> Result<(File, Metadata), FileError> {
    let failed = |op| move |source| FileError::Io { path: path.to_owned(), op, source };
    // Without O_NONBLOCK, opening a pipe would wait for a writer.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY)
        .open(path)
        .map_err(failed("open"))?;
    let metadata = file.metadata().map_err(failed("stat"))?;
    if metadata.is_dir() {
        return Err(FileError::IsDirectory { path: path.to_owned() });
    }
    if !metadata.is_file() {
        return Err(FileError::NotRegular { path: path.to_owned() });
    }
    Ok((file, metadata))
}

/// The bytes of a regular file that has at most `limit` of them. Nothing is allocated for a longer one.
///
/// # Errors
/// [`FileError::TooLong`], or as the system says: [`Io`](FileError::Io), [`IsDirectory`](FileError::IsDirectory),
/// [`NotRegular`](FileError::NotRegular).
pub fn read_small(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let (file, metadata) = open_regular(path)?;
    let too_long = |size| Err(FileError::TooLong { path: path.to_owned(), size, limit });
    if metadata.len() > limit {
        return too_long(metadata.len());
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    let result = file.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    result.map_err(|source| FileError::Io { path: path.to_owned(), op: "read", source })?;
    match bytes.len() as u64 {
        size if size > limit => too_long(size),
        _ => Ok(bytes),
    }
}
