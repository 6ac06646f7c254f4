//! NumPy's `.npy` files, versions 1 to 3: one array behind a header that is a Python literal.
//!
//! ```text
//! 0   magic "\x93NUMPY"
//! 6   version      major (1, 2 or 3), minor 0
//! 8   length of the header: u16 in version 1, else u32
//! 10  or 12: header, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", spaces, "\n"
//!     the array, up to the end of the file
//! ```
//! The header is Latin-1 in versions 1 and 2, UTF-8 in 3; only names of fields, which aren't read, may be more than ASCII.
//!
//! Read by our own code: the crate `npyz` reads numbers one by one from a stream, through a parser of Python literals that
//! recurses as deep as the file asks and allocates as it goes; here rows are wanted in blocks from the guarded mapping, columns
//! of an array in Fortran order among them, and memory that runs out is an error.

mod header;
mod literal;
mod write;

use std::path::Path;

use self::header::Header;
pub use self::write::{NpyOptions, NpyWriter};
use crate::array::{Array, ArrayFile};
use crate::{ContainerError, MappedFile, OpenError};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The longest header that is read; NumPy itself reads a sixth of it unless it is told to trust the file.
const MOST_HEADER_BYTES: usize = 64 << 10;

/// Opens the `.npy` file at `path`, and checks that its array is all there and nothing else.
///
/// # Errors
/// [`OpenError::File`] as [`MappedFile::open`], [`OpenError::Container`] with what is wrong.
pub fn open_npy(path: &Path) -> Result<ArrayFile, OpenError> {
    let file = MappedFile::open(path)?;
    // Copied, because the mapped bytes may change under a reader that believes to have checked them.
    let (version, start, bytes) = file.read(header_bytes)??;
    let array = Header::parse(&bytes)?.into_array(String::new(), start);
    let end = array.check(file.len())?;
    if file.len() > end && array.obstacle.is_none() {
        let behind = file.len() - end;
        let problem = format!("{behind} bytes stand behind the end of the array, at byte {end}");
        return Err(ContainerError::Malformed(problem).into());
    }
    Ok(ArrayFile::new(file, format!("NumPy {version}"), vec![array]))
}

/// The version, where the array begins, and the header.
fn header_bytes(bytes: &[u8]) -> Result<(u8, u64, Vec<u8>), ContainerError> {
    let malformed = |problem| Err(ContainerError::Malformed(problem));
    let truncated = || malformed(format!("NumPy header is truncated: the file has {} bytes", bytes.len()));
    let Some((magic, rest)) = bytes.split_first_chunk() else { return truncated() };
    if magic != MAGIC {
        return malformed(format!("not a NumPy file: it starts with \"{}\"", magic.escape_ascii()));
    }
    let Some(([major, minor], rest)) = rest.split_first_chunk() else { return truncated() };
    let (length, start, rest) = match (major, minor) {
        (1, 0) => match rest.split_first_chunk() {
            Some((length, rest)) => (u16::from_le_bytes(*length).into(), 10, rest),
            None => return truncated(),
        },
        (2 | 3, 0) => match rest.split_first_chunk() {
            Some((length, rest)) => (u32::from_le_bytes(*length) as usize, 12, rest),
            None => return truncated(),
        },
        _ => return malformed(format!("unknown NumPy version {major}.{minor}")),
    };
    if length > MOST_HEADER_BYTES {
        return malformed(format!(
            "NumPy header has {length} bytes: at most {MOST_HEADER_BYTES} are allowed"
        ));
    }
    match rest.get(..length) {
        Some(header) => Ok((*major, start + length as u64, tq_memory::copied(header)?)),
        None => truncated(),
    }
}

/// The most bytes that stand in front of an array.
pub(crate) const MOST_FRONT_BYTES: usize = MOST_HEADER_BYTES + 12;

/// How many bytes stand in front of an array whose first twelve bytes these are: as many as are read, if they say more.
pub(crate) fn front_bytes(start: &[u8]) -> usize {
    let length = match start {
        [_, _, _, _, _, _, 1, _, a, b, ..] => 10 + usize::from(u16::from_le_bytes([*a, *b])),
        [_, _, _, _, _, _, _, _, a, b, c, d, ..] => {
            12usize.saturating_add(u32::from_le_bytes([*a, *b, *c, *d]) as usize)
        }
        _ => start.len(),
    };
    length.min(MOST_FRONT_BYTES)
}

/// The array in front of which these bytes stand, and perhaps more; its offset counts from their first.
pub(crate) fn array_of(front: &[u8], name: String) -> Result<Array, ContainerError> {
    let (_, start, header) = header_bytes(front)?;
    Ok(Header::parse(&header)?.into_array(name, start))
}
