//! What surrounds the tensors of a file: magic, footer and directory.

use xxhash_rust::xxh3::xxh3_64;

use super::directory::Object;
use super::part::pad;
use super::{blob, v0, v1, v2};
use crate::{ContainerError, FileError, Output, ZtensorGeneration};

/// Largest directory that is read. One entry takes a few hundred bytes.
const MOST_DIRECTORY_BYTES: u64 = 32 << 20;
const MAGIC_0: &[u8; 8] = b"ZTEN0001";
pub(super) const MAGIC_1: &[u8; 8] = b"ZTEN1000";
pub(super) const MAGIC_2: &[u8; 8] = b"\x89ZT2\r\n\x1a\n";
/// Where parts begin that are written.
pub(super) const fn alignment(generation: ZtensorGeneration) -> u64 {
    match generation {
        // More than the format demands: as its canonical form has it.
        ZtensorGeneration::D => 64 << 10,
        _ => 64,
    }
}

/// Bytes of the footer of generation 2.
pub(super) const FOOTER_2: u64 = 40;

/// The directory of a file, still as bytes, and where tensors may lie.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) generation: ZtensorGeneration,
    pub(super) directory: Vec<u8>,
    /// Where the directory begins.
    start: u64,
    /// Where the footer begins.
    end: u64,
}

impl Frame {
    /// Reads the directory.
    pub(super) fn objects(&self) -> Result<Vec<Object>, ContainerError> {
        let rules = blob::Rules { align: 64, end: self.start, directory: None, sharing: false };
        match self.generation {
            // Files without a tensor may do without a directory.
            ZtensorGeneration::A if self.directory.is_empty() => Ok(Vec::new()),
            ZtensorGeneration::A => v0::objects(&self.directory, &rules),
            ZtensorGeneration::B => v1::objects(&self.directory, &rules, v1::Dialect::Tensors),
            ZtensorGeneration::C => v1::objects(&self.directory, &rules, v1::Dialect::Objects),
            ZtensorGeneration::D => {
                let directory = Some((self.start, self.directory.len() as u64));
                let rules = blob::Rules { align: v2::ALIGN, end: self.end, directory, sharing: true };
                v2::objects(&self.directory, &rules)
            }
        }
    }
}

/// An error about the directory.
pub(super) fn directory_error(problem: impl std::fmt::Display) -> ContainerError {
    ContainerError::Malformed(format!("directory of zTensor file: {problem}"))
}

fn malformed<T>(problem: impl Into<String>) -> Result<T, ContainerError> {
    Err(ContainerError::Malformed(problem.into()))
}

/// Finds the directory of a file and copies it.
pub(super) fn read(bytes: &[u8]) -> Result<Frame, ContainerError> {
    let Some((magic, rest)) = bytes.split_first_chunk() else {
        return malformed(format!("not a zTensor file: it has only {} bytes", bytes.len()));
    };
    // Copied: what is compared must be what is believed.
    let magic: [u8; 8] = *magic;
    match &magic {
        MAGIC_0 => read_sized(bytes, rest, ZtensorGeneration::A),
        MAGIC_1 => match rest.split_last_chunk() {
            Some((rest, MAGIC_1)) => read_sized(bytes, rest, ZtensorGeneration::C),
            _ => read_sized(bytes, rest, ZtensorGeneration::B),
        },
        MAGIC_2 => read_2(bytes),
        _ => malformed("not a zTensor file: it begins with other bytes"),
    }
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
    if size == 0 && !(generation == ZtensorGeneration::A && start == 0) {
        return malformed("zTensor file has no directory");
    }
    let begin = (MAGIC_0.len() + start) as u64;
    debug_assert!(begin + size <= bytes.len() as u64);
    Ok(Frame { generation, directory: tq_memory::copied(&rest[start..])?, start: begin, end: begin + size })
}

/// Refuses directories that aren't read, and so aren't written.
pub(super) fn check_size(size: u64) -> Result<(), ContainerError> {
    match size <= MOST_DIRECTORY_BYTES {
        true => Ok(()),
        false => malformed(format!(
            "directory of zTensor file would have {size} bytes: at most {MOST_DIRECTORY_BYTES} are read"
        )),
    }
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
    if offset == 0 || !offset.is_multiple_of(v2::ALIGN) {
        return malformed(format!(
            "directory at offset {offset}: must be a multiple of {} above 0",
            v2::ALIGN
        ));
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
    Ok(Frame { generation: ZtensorGeneration::D, directory, start: offset, end: end as u64 })
}

/// Begins a file of generation 1.2 or 2.
pub(super) fn begin(output: &mut dyn Output, generation: ZtensorGeneration) -> Result<(), FileError> {
    output.append(if generation == ZtensorGeneration::D { MAGIC_2 } else { MAGIC_1 })
}

/// Ends a file of generation 1.2 or 2 with its directory, whose size was checked, and the footer.
pub(super) fn end(
    output: &mut dyn Output,
    generation: ZtensorGeneration,
    directory: &[u8],
) -> Result<(), FileError> {
    if generation != ZtensorGeneration::D {
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
