//! What surrounds the tensors of a file in each generation: magic, footer, and the place of the directory.

use crate::ContainerError;

/// The layouts that zTensor files have had, in the order of their appearance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ZtensorGeneration {
    /// Of versions 0.1: the manifest is an array of tensors.
    V0_1,
    /// Of versions 1.0: a map of tensors, and eight bytes behind it.
    V1_0,
    /// Of versions 1.1 and 1.2: a map of objects, and sixteen bytes behind it, which end with the magic number.
    V1_2,
    /// Of version 2: deterministic CBOR under a hash.
    V2,
}

/// Largest directory that is read. One entry takes a few hundred bytes.
const MOST_DIRECTORY_BYTES: u64 = 32 << 20;
pub(super) const MAGIC_0: &[u8; 8] = b"ZTEN0001";
pub(super) const MAGIC_1: &[u8; 8] = b"ZTEN1000";
pub(super) const MAGIC_2: &[u8; 8] = b"\x89ZT2\r\n\x1a\n";
/// Where parts begin that are written.
pub(super) const fn alignment(generation: ZtensorGeneration) -> u64 {
    match generation {
        // More than the format demands: as its canonical form has it.
        ZtensorGeneration::V2 => 64 << 10,
        _ => 64,
    }
}

/// Bytes of the footer of generation 2.
pub(super) const FOOTER_2: u64 = 40;
/// Offsets in generation 2 are multiples of it.
pub(super) const ALIGN_2: u64 = 4096;

/// An error about the directory.
pub(super) fn directory_error(problem: impl std::fmt::Display) -> ContainerError {
    ContainerError::Malformed(format!("directory of zTensor file: {problem}"))
}

/// Refuses directories that aren't read, and so aren't written.
pub(super) fn check_size(size: u64) -> Result<(), ContainerError> {
    match size <= MOST_DIRECTORY_BYTES {
        true => Ok(()),
        false => Err(ContainerError::Malformed(format!(
            "directory of zTensor file would have {size} bytes: at most {MOST_DIRECTORY_BYTES} are read"
        ))),
    }
}
