//! Numbers of the format, and its limits.

pub(super) const MAGIC: [u8; 4] = *b"NRUB";
pub(super) const VERSION: u16 = 1;
pub(super) const HEADER_LEN: usize = 10;
/// Tensors begin at multiples of it.
pub(crate) const ALIGNMENT: u64 = 256;
/// The longest directory that is read; Burn reads six times as much.
pub(super) const MOST_METADATA_BYTES: usize = 16 << 20;
/// Burn's limits.
pub(crate) const MOST_TENSORS: usize = 100_000;
pub(crate) const MOST_TENSOR_BYTES: u64 = 10 << 30;

/// Where the data begins behind a header and directory of that many bytes.
pub(crate) fn data_start(encoded_len: usize) -> u64 {
    (encoded_len as u64).next_multiple_of(ALIGNMENT)
}
