//! Where what is written goes.

use super::atomic::AtomicFile;
use super::error::FileError;

/// Where a writer's bytes go.
pub trait Output {
    /// Adds bytes at the end.
    ///
    /// # Errors
    /// [`FileError::Io`].
    fn append(&mut self, bytes: &[u8]) -> Result<(), FileError>;

    /// Replaces bytes that were written before.
    ///
    /// # Errors
    /// [`FileError::Io`].
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FileError>;

    /// Bytes appended so far.
    fn position(&self) -> u64;

    /// Makes the output appear, complete and durable.
    ///
    /// # Errors
    /// [`FileError::Io`].
    fn complete(self: Box<Self>) -> Result<(), FileError>;
}

impl Output for AtomicFile {
    fn append(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        AtomicFile::append(self, bytes)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FileError> {
        AtomicFile::write_at(self, offset, bytes)
    }

    fn position(&self) -> u64 {
        self.len()
    }

    fn complete(mut self: Box<Self>) -> Result<(), FileError> {
        self.sync()?;
        (*self).finish()
    }
}

/// Appends so many zeros.
pub(crate) fn append_zeros(output: &mut dyn Output, mut count: u64) -> Result<(), FileError> {
    const ZEROS: [u8; 4096] = [0; 4096];
    while count > 0 {
        let some = count.min(ZEROS.len() as u64);
        output.append(&ZEROS[..some as usize])?;
        count -= some;
    }
    Ok(())
}
