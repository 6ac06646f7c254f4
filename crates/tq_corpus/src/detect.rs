//! What kind of file it is, told by its first bytes and its last, never by its name.

use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::FileError;
use crate::read::open_regular;

/// A kind of file that can be read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// A TQCV corpus, finished or not.
    Tqcv,
    /// A QVEC index.
    Qvec,
    /// A zTensor file.
    Ztensor(ZtensorGeneration),
    /// A Burnpack file.
    Burnpack,
}

/// The layouts that zTensor files have had, in the order of their appearance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ZtensorGeneration {
    /// Of versions 0.1: the manifest is an array of tensors.
    A,
    /// Of versions 1.0: a map of tensors, and eight bytes behind it.
    B,
    /// Of versions 1.1 and 1.2: a map of objects, and sixteen bytes behind it, which end with the magic number.
    C,
    /// Of version 2: deterministic CBOR under a hash.
    D,
}

impl FileFormat {
    /// The name of the format in options.
    pub fn name(self) -> &'static str {
        match self {
            FileFormat::Tqcv => "tqcv",
            FileFormat::Qvec => "qvec",
            FileFormat::Ztensor(_) => "ztensor",
            FileFormat::Burnpack => "burnpack",
        }
    }

    fn of(head: &[u8], tail: &[u8]) -> Option<Self> {
        const ZTENSOR_1: &[u8] = b"ZTEN1000";
        let ztensor = |generation| Some(FileFormat::Ztensor(generation));
        match head {
            b"ZTEN0001" => ztensor(ZtensorGeneration::A),
            ZTENSOR_1 if tail == ZTENSOR_1 => ztensor(ZtensorGeneration::C),
            ZTENSOR_1 => ztensor(ZtensorGeneration::B),
            b"\x89ZT2\r\n\x1a\n" => ztensor(ZtensorGeneration::D),
            [b'T', b'Q', b'C', b'V' | b'X', ..] => Some(FileFormat::Tqcv),
            [b'Q', b'V', b'E', b'C', ..] => Some(FileFormat::Qvec),
            [b'N', b'R', b'U', b'B', ..] => Some(FileFormat::Burnpack),
            _ => None,
        }
    }
}

/// The format of the file at `path`, which may still be malformed; `None` if it is none of ours.
///
/// # Errors
/// [`FileError::Io`] with what the system says, [`IsDirectory`](FileError::IsDirectory),
/// [`NotRegular`](FileError::NotRegular).
pub fn detect(path: &Path) -> Result<Option<FileFormat>, FileError> {
    /// The longest magic number.
    const MAGIC: usize = 8;
    let (file, metadata) = open_regular(path)?;
    let mut bytes = [[0; MAGIC]; 2];
    let mut read = |end, offset| {
        let bytes: &mut [u8; MAGIC] = &mut bytes[end];
        let result = read_up_to(&file, bytes, offset);
        result.map_err(|source| FileError::Io { path: path.to_owned(), op: "read", source })
    };
    let head = read(0, 0)?;
    let tail = read(1, metadata.len().saturating_sub(MAGIC as u64))?;
    Ok(FileFormat::of(&bytes[0][..head], &bytes[1][..tail]))
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
