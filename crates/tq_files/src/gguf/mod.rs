//! GGUF files, in which llama.cpp keeps models: named tensors behind a directory, versions 2 and 3.
//!
//! ```text
//! 0   magic "GGUF"
//! 4   version, u32
//! 8   number of tensors, u64; number of pairs, u64
//! 24  pairs: key, type of the value (u32), value
//!     tensors: name, number of dimensions (u32), dimensions (u64 each), type (u32), offset (u64)
//!     zeros up to a multiple of the alignment: here the data begins, from where offsets count
//!     tensors, each at a multiple of the alignment, zeros between and behind them
//! ```
//! A text is its length (u64) and UTF-8. The alignment is 32, or what the pair `general.alignment` says. Dimensions stand the one
//! that varies fastest first. A file of version 3 may be big-endian, all of it but the magic number: what its version is tells.
//!
//! Read by our own code: the crate `gguf-rs` reads from a stream and keeps all pairs as values of JSON, and others come with what
//! runs models. Here pairs are passed over where they are.

mod directory;
mod types;

use std::path::Path;

use self::directory::Directory;
use crate::array::ArrayFile;
use crate::container::hold_for_directory;
use crate::{MappedFile, OpenError};

/// Opens the GGUF file at `path`, and checks that its tensors are all there, apart from each other, and nothing behind them.
///
/// # Errors
/// [`OpenError::File`] as [`MappedFile::open`], [`OpenError::Container`] with what is wrong.
pub fn open_gguf(path: &Path) -> Result<ArrayFile, OpenError> {
    let file = MappedFile::open(path)?;
    // Each number and name is copied once, so that what was checked is what is used, whatever becomes of the file meanwhile.
    let directory = file.read(Directory::parse)??;
    let _hold = hold_for_directory(directory.made_of())?;
    let format = match directory.big_endian {
        true => format!("GGUF {}, big-endian", directory.version),
        false => format!("GGUF {}", directory.version),
    };
    Ok(ArrayFile::new(file, format, directory.into_arrays()?))
}
