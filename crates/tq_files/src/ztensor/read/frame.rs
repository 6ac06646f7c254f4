//! The directory of a file: where it is found, and what reads it.

use xxhash_rust::xxh3::xxh3_64;

use super::rules::Rules;
use super::{v0_1, v1, v2};
use crate::ContainerError;
use crate::ztensor::frame::{ALIGN_2, FOOTER_2, MAGIC_0, MAGIC_1, MAGIC_2, ZtensorGeneration, check_size};
use crate::ztensor::model::Object;

/// The directory of a file, still as bytes, and where tensors may lie.
#[derive(Debug)]
pub(in crate::ztensor) struct Frame {
    pub(in crate::ztensor) generation: ZtensorGeneration,
    pub(in crate::ztensor) directory: Vec<u8>,
    /// Where the directory begins.
    start: u64,
    /// Where the footer begins.
    end: u64,
}

impl Frame {
    /// Finds the directory of a file and copies it.
    pub(in crate::ztensor) fn read(bytes: &[u8]) -> Result<Frame, ContainerError> {
        let Some((magic, rest)) = bytes.split_first_chunk() else {
            return malformed(format!("not a zTensor file: it has only {} bytes", bytes.len()));
        };
        // Copied: what is compared must be what is believed.
        let magic: [u8; 8] = *magic;
        match &magic {
            MAGIC_0 => read_sized(bytes, rest, ZtensorGeneration::V0_1),
            MAGIC_1 => match rest.split_last_chunk() {
                Some((rest, MAGIC_1)) => read_sized(bytes, rest, ZtensorGeneration::V1_2),
                _ => read_sized(bytes, rest, ZtensorGeneration::V1_0),
            },
            MAGIC_2 => read_2(bytes),
            _ => malformed("not a zTensor file: it begins with other bytes"),
        }
    }

    /// Reads the directory.
    pub(in crate::ztensor) fn objects(&self) -> Result<Vec<Object>, ContainerError> {
        let rules = Rules { align: 64, end: self.start, directory: None, sharing: false };
        match self.generation {
            // Files without a tensor may do without a directory.
            ZtensorGeneration::V0_1 if self.directory.is_empty() => Ok(Vec::new()),
            ZtensorGeneration::V0_1 => v0_1::objects(&self.directory, &rules),
            ZtensorGeneration::V1_0 => v1::objects(&self.directory, &rules, v1::Dialect::Tensors),
            ZtensorGeneration::V1_2 => v1::objects(&self.directory, &rules, v1::Dialect::Objects),
            ZtensorGeneration::V2 => {
                let directory = Some((self.start, self.directory.len() as u64));
                let rules = Rules { align: ALIGN_2, end: self.end, directory, sharing: true };
                v2::objects(&self.directory, &rules)
            }
        }
    }
}

fn malformed<T>(problem: impl Into<String>) -> Result<T, ContainerError> {
    Err(ContainerError::Malformed(problem.into()))
}

/// The generations whose directory ends with its size. `rest` is what lies between the magic and what follows the size.
fn read_sized(bytes: &[u8], rest: &[u8], generation: ZtensorGeneration) -> Result<Frame, ContainerError> {
    let Some((rest, size)) = rest.split_last_chunk() else {
        return malformed("zTensor file is cut off: it has no footer");
    };
    let size = u64::from_le_bytes(*size);
    check_size(size)?;
    let start = usize::try_from(size).ok().and_then(|size| rest.len().checked_sub(size));
    let Some(start) = start else {
        return malformed(format!(
            "directory of {size} bytes doesn't fit into the zTensor file: is it cut off?"
        ));
    };
    if size == 0 && !(generation == ZtensorGeneration::V0_1 && start == 0) {
        return malformed("zTensor file has no directory");
    }
    let begin = (MAGIC_0.len() + start) as u64;
    debug_assert!(begin + size <= bytes.len() as u64);
    Ok(Frame { generation, directory: tq_memory::copied(&rest[start..])?, start: begin, end: begin + size })
}

fn read_2(bytes: &[u8]) -> Result<Frame, ContainerError> {
    let footer =
        bytes.split_last_chunk::<{ FOOTER_2 as usize }>().map(|(rest, footer)| (rest.len(), *footer));
    let Some((end, footer)) = footer.filter(|(rest, _)| *rest >= MAGIC_2.len()) else {
        return malformed("zTensor file is cut off: it has no footer");
    };
    let (words, tail) = footer.as_chunks::<8>();
    debug_assert!(tail.is_empty());
    if words[4] != *MAGIC_2 {
        return malformed(
            "zTensor file is cut off or has something behind it: it doesn't end with the magic",
        );
    }
    let [offset, size, hash, version] = [0, 1, 2, 3].map(|i| u64::from_le_bytes(words[i]));
    // The upper half is reserved, and ignored.
    let version = version as u32;
    if version != 2 {
        return Err(ContainerError::Unsupported(format!(
            "zTensor file of version {version}: only 2 is known"
        )));
    }
    if (offset, size, hash) == (0, 0, 0) {
        return Err(ContainerError::Unsupported(
            "zTensor file is a data shard: which tensors its bytes belong to stands in another file".into(),
        ));
    }
    if size == 0 {
        return malformed("zTensor file has no directory, but a place or a hash for it");
    }
    check_size(size)?;
    if offset == 0 || !offset.is_multiple_of(ALIGN_2) {
        return malformed(format!("directory at offset {offset}: must be a multiple of {} above 0", ALIGN_2));
    }
    let directory = offset.checked_add(size).filter(|past| *past <= end as u64);
    let Some(directory) = directory.and_then(|past| bytes.get(offset as usize..past as usize)) else {
        return malformed(format!(
            "directory of {size} bytes at offset {offset} goes beyond the zTensor file"
        ));
    };
    let directory = tq_memory::copied(directory)?;
    if xxh3_64(&directory) != hash {
        return malformed("hash of the directory doesn't match its bytes");
    }
    Ok(Frame { generation: ZtensorGeneration::V2, directory, start: offset, end: end as u64 })
}
