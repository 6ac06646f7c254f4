//! safetensors: named tensors behind a directory in JSON.
//!
//! ```text
//! 0   length n of the directory, u64
//! 8   directory: {"NAME": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}, …, "__metadata__": {"key": "value"}},
//!     and spaces
//! 8+n tensors, little-endian, without a gap
//! ```
//! Read by our own code: the crate `safetensors` works on the bytes of a whole file as one slice, which a file that is cut off
//! meanwhile would take from under it; of two equal names it keeps the last, and a type that it doesn't know makes the whole
//! file unreadable. What it refuses is refused here as well: gaps, overlaps, sizes that aren't the shapes', bytes at the end.

mod directory;
mod write;

use std::path::Path;

use self::directory::Directory;
pub(crate) use self::write::{ALIGNMENT, Entry};
pub use self::write::{SafetensorsOptions, SafetensorsWriter};
use crate::array::ArrayFile;
use crate::container::hold_for_directory;
use crate::{ContainerError, MappedFile, OpenError};

/// The name that is none of a tensor.
pub(crate) const METADATA: &str = "__metadata__";
/// Bytes in front of the directory.
pub(crate) const HEADER_LEN: usize = 8;
/// The longest directory that is read: the library reads six times as much.
pub(crate) const MOST_DIRECTORY_BYTES: usize = 16 << 20;

/// Opens the safetensors file at `path`, and checks that its tensors are all there, one behind the other, and nothing else.
///
/// # Errors
/// [`OpenError::File`] as [`MappedFile::open`], [`OpenError::Container`] with what is wrong.
pub fn open_safetensors(path: &Path) -> Result<ArrayFile, OpenError> {
    let file = MappedFile::open(path)?;
    // Copied, because the mapped bytes may change under a reader that believes to have checked them.
    let copy = |bytes: &[u8]| Ok::<_, ContainerError>(tq_memory::copied(directory_bytes(bytes)?)?);
    let bytes = file.read(copy)??;
    let _hold = hold_for_directory(bytes.len())?;
    let start = (HEADER_LEN + bytes.len()) as u64;
    let mut directory = Directory::parse(&bytes)?;
    let metadata = std::mem::take(&mut directory.metadata);
    let arrays = directory.into_arrays(start, file.len())?;
    Ok(ArrayFile::new(file, "safetensors", arrays).with_attributes(metadata))
}

/// The bytes of the directory.
fn directory_bytes(bytes: &[u8]) -> Result<&[u8], ContainerError> {
    let malformed = |problem| Err(ContainerError::Malformed(problem));
    let Some((length, rest)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        let present = bytes.len();
        return malformed(format!(
            "safetensors header is truncated: {HEADER_LEN} bytes needed, {present} present"
        ));
    };
    let length = u64::from_le_bytes(*length);
    let fitting = usize::try_from(length).ok().filter(|length| *length <= MOST_DIRECTORY_BYTES);
    let Some(fitting) = fitting else {
        return malformed(format!(
            "safetensors directory has {length} bytes: at most {MOST_DIRECTORY_BYTES} are allowed"
        ));
    };
    match rest.get(..fitting) {
        Some(directory) => Ok(directory),
        None => malformed(format!(
            "safetensors directory is truncated: {length} bytes needed, {} present",
            rest.len()
        )),
    }
}
