//! The formats, and which of them a file is of: told by its first bytes, never by its name.

use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::io::{FileError, open_regular};

/// A format of files that are read and written here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Format {
    /// A TQCV corpus, finished or not.
    Tqcv,
    /// A QVEC index.
    Qvec,
    /// A zTensor file of any generation.
    Ztensor,
    /// A Burnpack file.
    Burnpack,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 4] = [Format::Tqcv, Format::Qvec, Format::Ztensor, Format::Burnpack];

    /// Its name in options.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Tqcv => "tqcv",
            Format::Qvec => "qvec",
            Format::Ztensor => "ztensor",
            Format::Burnpack => "burnpack",
        }
    }

    /// The format of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Whether its files may have an id for each row.
    pub const fn has_ids(self) -> bool {
        match self {
            Format::Tqcv | Format::Qvec => true,
            Format::Ztensor | Format::Burnpack => false,
        }
    }

    /// By the bytes that a file begins with.
    fn of(head: &[u8]) -> Option<Self> {
        match head {
            b"ZTEN0001" | b"ZTEN1000" | b"\x89ZT2\r\n\x1a\n" => Some(Format::Ztensor),
            [b'T', b'Q', b'C', b'V' | b'X', ..] => Some(Format::Tqcv),
            [b'Q', b'V', b'E', b'C', ..] => Some(Format::Qvec),
            [b'N', b'R', b'U', b'B', ..] => Some(Format::Burnpack),
            _ => None,
        }
    }
}

/// The format of the file at `path`, which may still be malformed; `None` if it is none of ours.
///
/// # Errors
/// [`FileError::Io`] with what the system says, [`IsDirectory`](FileError::IsDirectory),
/// [`NotRegular`](FileError::NotRegular).
pub fn detect(path: &Path) -> Result<Option<Format>, FileError> {
    /// The longest magic number.
    const MAGIC: usize = 8;
    let (file, _) = open_regular(path)?;
    let mut head = [0; MAGIC];
    let read = read_up_to(&file, &mut head, 0);
    let count = read.map_err(|source| FileError::Io { path: path.to_owned(), op: "read", source })?;
    Ok(Format::of(&head[..count]))
}

/// Reads from `offset` on until the buffer is full or the file ends, and says how much.
fn read_up_to(file: &std::fs::File, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
