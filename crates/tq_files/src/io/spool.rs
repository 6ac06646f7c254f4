//! What has to wait before it can be written: a part of a file that comes behind another one while both grow.
//!
//! Little stays in memory. The rest goes into a temporary file that has no name, so that nothing is left behind whatever
//! happens.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use tq_memory::{Grow, OutOfMemory};

use super::error::FileError;

/// Bytes that are written or read at a time, a multiple of any number's width.
const BLOCK: usize = 256 << 10;

/// Bytes that are added at the end, and then read once from the beginning.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    file: Option<File>,
    /// What was not written to the file yet.
    memory: Vec<u8>,
    len: u64,
}

impl Spool {
    /// An empty one, whose file will be in `folder` if it needs one.
    pub(crate) fn new(folder: &Path) -> Self {
        Spool { folder: folder.to_owned(), file: None, memory: Vec::new(), len: 0 }
    }

    /// Bytes in it.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// [`FileError::Io`], which names the folder.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.memory.try_extend(bytes).map_err(|error| failed(&self.folder, "write")(error.into()))?;
        self.len += bytes.len() as u64;
        if self.memory.len() < BLOCK {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&self.folder).map_err(failed(&self.folder, "create"))?),
        };
        file.write_all(&self.memory).map_err(failed(&self.folder, "write"))?;
        self.memory.clear();
        Ok(())
    }

    /// Gives everything back in order, in blocks of whole words.
    ///
    /// # Errors
    /// [`FileError::Io`], and those of `f`.
    pub(crate) fn replay<E: From<FileError> + From<OutOfMemory>>(
        mut self,
        mut f: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut left = self.len - self.memory.len() as u64;
        if let Some(file) = &mut self.file {
            file.rewind().map_err(failed(&self.folder, "read"))?;
            let mut block = tq_memory::filled(BLOCK, 0)?;
            while left > 0 {
                let count = left.min(BLOCK as u64) as usize;
                file.read_exact(&mut block[..count]).map_err(failed(&self.folder, "read"))?;
                f(&block[..count])?;
                left -= count as u64;
            }
        }
        f(&self.memory)
    }
}

fn failed(folder: &Path, op: &'static str) -> impl FnOnce(std::io::Error) -> FileError {
    let path = folder.join("(temporary file)");
    move |source| FileError::Io { path, op, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_it_got() {
        let folder = tempfile::TempDir::new().unwrap();
        for words in [0u64, 1, 1000, 32_768, 32_769, 200_000] {
            let mut spool = Spool::new(folder.path());
            for word in 0..words {
                spool.append(&word.to_le_bytes()).unwrap();
            }
            assert_eq!(spool.len(), words * 8);
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it has no name");
            let mut next = 0u64;
            let replayed: Result<(), crate::RowsError> = spool.replay(|bytes| {
                for word in bytes.chunks(8) {
                    assert_eq!(word, next.to_le_bytes());
                    next += 1;
                }
                Ok(())
            });
            replayed.unwrap();
            assert_eq!(next, words);
        }
    }

    #[test]
    fn a_folder_that_is_not_there() {
        let mut spool = Spool::new(Path::new("/nowhere"));
        spool.append(&[1; 1000]).unwrap();
        let error = spool.append(&[1; BLOCK]).unwrap_err().to_string();
        assert!(error.starts_with("could not create file \"/nowhere/(temporary file)\": "), "{error}");
    }
}
