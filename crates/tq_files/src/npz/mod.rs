//! NumPy's `.npz` files: archives of ZIP, each of whose entries is a `.npy` file, stored (`numpy.savez`) or deflated
//! (`numpy.savez_compressed`).
//!
//! An array is called as in NumPy, by the name of its entry without `.npy`; other entries are passed over. Of a stored array the
//! checksum is compared before it is read; of a deflated one while it is inflated, so that this is done once. A
//! deflated array in Fortran order has to be in memory as a whole, and is read if it isn't too large for that.

use std::path::Path;

use tq_memory::Grow;

use crate::array::{Array, ArrayFile, Layout};
use crate::container::hold_for_directory;
use crate::io::at;
use crate::npy::{MOST_FRONT_BYTES, array_of, front_bytes};
use crate::zip::{Entry, Inflate, Method, entries};
use crate::{ContainerError, MappedFile, OpenError, RowsError};

/// Bytes of a directory of which as much is made as of an entry.
const ENTRY_BYTES: usize = 16;

/// Opens the `.npz` file at `path`, and checks that its arrays are all there. Of a deflated array in Fortran order at most
/// so many bytes may be in memory.
///
/// # Errors
/// [`OpenError::File`] as [`MappedFile::open`], [`OpenError::Container`] with what is wrong.
pub fn open_npz(path: &Path, most: u64) -> Result<ArrayFile, OpenError> {
    let file = MappedFile::open(path)?;
    let entries = entries(&file)?;
    // Names and shapes, each a small piece.
    let _hold = hold_for_directory(entries.len().saturating_mul(ENTRY_BYTES))?;
    let mut arrays = tq_memory::with_capacity(entries.len())?;
    for entry in entries {
        if let Some(name) = entry.name.strip_suffix(".npy") {
            let name = tq_memory::text(name)?;
            arrays.push(array(&file, name, entry, most)?);
        }
    }
    if let Some(name) = repeated(&arrays)? {
        let problem = format!("ZIP archive: entry \"{}.npy\" stands twice", name.escape_debug());
        return Err(ContainerError::Malformed(problem).into());
    }
    Ok(ArrayFile::new(file, "npz", arrays))
}

/// A name that two arrays have.
fn repeated(arrays: &[Array]) -> Result<Option<&str>, OpenError> {
    let mut names = tq_memory::collected(arrays.iter().map(|array| array.name.as_str()))?;
    names.sort_unstable();
    Ok(names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]))
}

/// The array that an entry is.
fn array(file: &MappedFile, name: String, entry: Entry, most: u64) -> Result<Array, OpenError> {
    let of_entry = |error| match error {
        ContainerError::Malformed(problem) => {
            ContainerError::Malformed(format!("entry \"{}\": {problem}", entry.name.escape_debug()))
        }
        other => other,
    };
    let front = match entry.method {
        Method::Stored => {
            let range = at(entry.start, entry.length.min(MOST_FRONT_BYTES as u64));
            file.read(|bytes| tq_memory::copied(bytes.get(range).unwrap_or_default()))??
        }
        Method::Deflated => inflated(file, &entry)?,
        Method::Other => {
            let name = entry.name.escape_debug();
            let problem =
                format!("ZIP archive: entry \"{name}\" is encrypted, or neither stored nor deflated");
            return Err(ContainerError::Unsupported(problem).into());
        }
    };
    let mut array = array_of(&front, name).map_err(of_entry)?;
    let bytes = array.bytes();
    match bytes.and_then(|bytes| bytes.checked_add(array.offset)) {
        Some(end) if end == entry.size || end <= entry.size && array.obstacle.is_some() => {}
        _ => {
            let problem = format!(
                "entry \"{}\": it has {} bytes, which are not those of shape {:?} of {} from byte {} on",
                entry.name.escape_debug(),
                entry.size,
                array.shape,
                array.dtype,
                array.offset
            );
            return Err(ContainerError::Malformed(problem).into());
        }
    }
    if entry.method == Method::Stored {
        array.offset += entry.start;
    } else if array.layout == Layout::Columns && array.shape.len() > 1 && array.obstacle.is_none() {
        let bytes = array.bytes().filter(|bytes| *bytes > most);
        array.obstacle = bytes.map(|bytes| {
            format!("it is compressed and in Fortran order: its {bytes} bytes would have to be in memory, and {most} may be")
        });
    }
    array.entry = Some(entry);
    Ok(array)
}

/// What stands in front of an array that is deflated.
fn inflated(file: &MappedFile, entry: &Entry) -> Result<Vec<u8>, OpenError> {
    let failed = |error| match error {
        RowsError::File(error) => OpenError::File(error),
        RowsError::Container(error) => OpenError::Container(error),
        RowsError::Memory(error) => error.into(),
        other => OpenError::Container(ContainerError::Malformed(other.to_string())),
    };
    let mut content = Inflate::new(entry).map_err(failed)?;
    let mut front = Vec::new();
    // First as much as tells how much there is.
    for wanted in [None, Some(())] {
        let length = if wanted.is_some() { front_bytes(&front) } else { 12 };
        let length = (length as u64).min(entry.size) as usize;
        let done = front.len();
        front.try_resize(length.max(done), 0)?;
        content.fill(file, &mut front[done..]).map_err(failed)?;
    }
    Ok(front)
}
