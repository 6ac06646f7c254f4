//! The formats, and which of them a file is of: told by its first bytes, and by its name only where a format has none that
//! tell.

use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::benchmark::BenchmarkFormat;
use crate::io::{FileError, open_regular};
use crate::torch::LEGACY;

/// A format of files that are read here, and of files that are written here.
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
    /// An array of NumPy.
    Npy,
    /// An archive of arrays of NumPy.
    Npz,
    /// A safetensors file.
    Safetensors,
    /// A GGUF file.
    Gguf,
    /// Tensors of PyTorch.
    Torch,
    /// Rows of `f32`, each behind its dimension.
    Fvecs,
    /// Rows of `u8`, each behind its dimension.
    Bvecs,
    /// Rows of `i32`, each behind its dimension.
    Ivecs,
    /// A matrix of `f32` behind its size.
    Fbin,
    /// A matrix of `u8` behind its size.
    U8bin,
    /// A matrix of `i8` behind its size.
    I8bin,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 15] = [
        Format::Tqcv,
        Format::Qvec,
        Format::Ztensor,
        Format::Burnpack,
        Format::Npy,
        Format::Npz,
        Format::Safetensors,
        Format::Gguf,
        Format::Torch,
        Format::Fvecs,
        Format::Bvecs,
        Format::Ivecs,
        Format::Fbin,
        Format::U8bin,
        Format::I8bin,
    ];

    /// Those that are written here.
    pub const WRITTEN: [Format; 7] = [
        Format::Tqcv,
        Format::Qvec,
        Format::Ztensor,
        Format::Burnpack,
        Format::Npy,
        Format::Safetensors,
        Format::Fbin,
    ];

    /// Its name in options.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Tqcv => "tqcv",
            Format::Qvec => "qvec",
            Format::Ztensor => "ztensor",
            Format::Burnpack => "burnpack",
            Format::Npy => "npy",
            Format::Npz => "npz",
            Format::Safetensors => "safetensors",
            Format::Gguf => "gguf",
            Format::Torch => "torch",
            Format::Fvecs => "fvecs",
            Format::Bvecs => "bvecs",
            Format::Ivecs => "ivecs",
            Format::Fbin => "fbin",
            Format::U8bin => "u8bin",
            Format::I8bin => "i8bin",
        }
    }

    /// The format of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Whether files of it are written here.
    pub fn is_written(self) -> bool {
        Format::WRITTEN.contains(&self)
    }

    /// Whether its files may have an id for each row.
    pub const fn has_ids(self) -> bool {
        match self {
            Format::Tqcv | Format::Qvec => true,
            // In a tensor of their own.
            Format::Ztensor | Format::Burnpack | Format::Safetensors => true,
            Format::Npy | Format::Npz | Format::Gguf | Format::Torch => false,
            Format::Fvecs | Format::Bvecs | Format::Ivecs => false,
            Format::Fbin | Format::U8bin | Format::I8bin => false,
        }
    }

    /// Whether its files hold records of `tqvec`, which go into a column as they are, and not numbers.
    pub const fn holds_records(self) -> bool {
        matches!(self, Format::Tqcv)
    }

    /// Which one it is of those that have nothing to tell them by but a name.
    pub const fn benchmark(self) -> Option<BenchmarkFormat> {
        match self {
            Format::Fvecs => Some(BenchmarkFormat::Fvecs),
            Format::Bvecs => Some(BenchmarkFormat::Bvecs),
            Format::Ivecs => Some(BenchmarkFormat::Ivecs),
            Format::Fbin => Some(BenchmarkFormat::Fbin),
            Format::U8bin => Some(BenchmarkFormat::U8bin),
            Format::I8bin => Some(BenchmarkFormat::I8bin),
            Format::Tqcv | Format::Qvec | Format::Ztensor | Format::Burnpack => None,
            Format::Npy | Format::Npz | Format::Safetensors | Format::Gguf | Format::Torch => None,
        }
    }

    /// By the bytes that a file begins with.
    fn of(head: &[u8]) -> Option<Self> {
        match head {
            [b'Z', b'T', b'E', b'N', b'0', b'0', b'0', b'1', ..]
            | [b'Z', b'T', b'E', b'N', b'1', b'0', b'0', b'0', ..] => Some(Format::Ztensor),
            [0x89, b'Z', b'T', b'2', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Format::Ztensor),
            [b'T', b'Q', b'C', b'V' | b'X', ..] => Some(Format::Tqcv),
            [b'Q', b'V', b'E', b'C', ..] => Some(Format::Qvec),
            [b'N', b'R', b'U', b'B', ..] => Some(Format::Burnpack),
            [b'G', b'G', b'U', b'F', ..] => Some(Format::Gguf),
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Some(Format::Npy),
            [b'P', b'K', 3, 4, ..] => Format::of_archive(head),
            head if head.starts_with(LEGACY) => Some(Format::Torch),
            // A length below 4 GiB, and an object in JSON.
            [_, _, _, _, 0, 0, 0, 0, b'{', b'"' | b'}' | b' ' | b'\n', ..] => Some(Format::Safetensors),
            _ => None,
        }
    }

    /// By the name of an archive's first entry.
    fn of_archive(head: &[u8]) -> Option<Self> {
        let [low, high] = *head.get(26..)?.first_chunk()?;
        let name = head.get(30..)?.get(..u16::from_le_bytes([low, high]).into())?;
        // One folder has all that PyTorch writes.
        const TORCH: [&[u8]; 5] =
            [b"/data.pkl", b"/byteorder", b"/version", b"/.format_version", b"/constants.pkl"];
        match name.ends_with(b".npy") {
            true => Some(Format::Npz),
            false => TORCH.iter().any(|end| name.ends_with(end)).then_some(Format::Torch),
        }
    }

    /// By a file's name, where nothing else tells.
    fn named(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Format::by_name(&extension).filter(|format| format.benchmark().is_some())
    }
}

/// The format of the file at `path`, which may still be malformed; `None` if it is none of ours. The name tells only formats
/// that have no first bytes of their own.
///
/// # Errors
/// [`FileError::Io`] with what the system says, [`IsDirectory`](FileError::IsDirectory),
/// [`NotRegular`](FileError::NotRegular).
pub fn detect(path: &Path) -> Result<Option<Format>, FileError> {
    Ok(detect_content(path)?.or_else(|| Format::named(path)))
}

/// [`detect`], by the content alone.
///
/// # Errors
/// As for [`detect`].
pub fn detect_content(path: &Path) -> Result<Option<Format>, FileError> {
    /// As many bytes as tell a format.
    const MAGIC: usize = 1024;
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
