//! The beginning and the end of a file.

use xxhash_rust::xxh3::xxh3_64;

use super::part::pad;
use crate::ztensor::frame::{MAGIC_1, MAGIC_2, ZtensorGeneration, alignment};
use crate::{FileError, Output};

/// Begins a file of generation 1.2 or 2.
pub(in crate::ztensor) fn begin(
    output: &mut dyn Output,
    generation: ZtensorGeneration,
) -> Result<(), FileError> {
    output.append(if generation == ZtensorGeneration::V2 { MAGIC_2 } else { MAGIC_1 })
}

/// Ends a file of generation 1.2 or 2 with its directory, whose size was checked, and the footer.
pub(in crate::ztensor) fn end(
    output: &mut dyn Output,
    generation: ZtensorGeneration,
    directory: &[u8],
) -> Result<(), FileError> {
    if generation != ZtensorGeneration::V2 {
        output.append(directory)?;
        output.append(&(directory.len() as u64).to_le_bytes())?;
        return output.append(MAGIC_1);
    }
    pad(output, alignment(generation))?;
    let place = [output.position(), directory.len() as u64, xxh3_64(directory), 2];
    output.append(directory)?;
    // The last word is the version and 32 bits that are reserved.
    output.append(&place.map(u64::to_le_bytes).concat())?;
    output.append(MAGIC_2)
}
