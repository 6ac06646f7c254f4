//! Header and directory of a Burnpack file as bytes, the way Burn's own writers make them.
//!
//! Integers take as few bytes as they can, or, if a caller wants a length that doesn't depend on them, nine each; both are
//! the same to every reader.

use super::directory::Directory;
use super::{ALIGNMENT, HEADER_LEN, MAGIC, MOST_METADATA_BYTES, VERSION};
use crate::ContainerError;

const UNSIGNED: u8 = 0;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

/// How integers of descriptors are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Integers {
    Shortest,
    NineBytes,
}

/// Everything in front of the data, but for the zeros between.
///
/// # Errors
/// [`ContainerError::Unsupported`] if the directory is longer than a reader takes.
pub(super) fn encode(directory: &Directory, integers: Integers) -> Result<Vec<u8>, ContainerError> {
    let mut out = Vec::with_capacity(HEADER_LEN);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    encode_directory(&mut out, directory, integers);
    let len = out.len() - HEADER_LEN;
    match u32::try_from(len).ok().filter(|_| len <= MOST_METADATA_BYTES) {
        Some(len) => out[HEADER_LEN - 4..HEADER_LEN].copy_from_slice(&len.to_le_bytes()),
        None => {
            return Err(ContainerError::Unsupported(format!(
                "names and metadata take {len} bytes: a Burnpack file has room for {MOST_METADATA_BYTES}"
            )));
        }
    }
    Ok(out)
}

/// Where the data begins behind a header and directory of that many bytes.
pub(super) fn data_start(encoded_len: usize) -> u64 {
    (encoded_len as u64).next_multiple_of(ALIGNMENT)
}

fn encode_directory(out: &mut Vec<u8>, directory: &Directory, integers: Integers) {
    let Directory { tensors, metadata, scalars } = directory;
    head(out, MAP, 1 + u64::from(!metadata.is_empty()) + u64::from(!scalars.is_empty()));
    text(out, "tensors");
    head(out, MAP, tensors.len() as u64);
    for entry in tensors {
        text(out, &entry.name);
        head(out, MAP, 3 + u64::from(entry.param_id.is_some()));
        text(out, "dtype");
        out.extend_from_slice(&entry.dtype.cbor);
        text(out, "shape");
        head(out, ARRAY, entry.shape.len() as u64);
        entry.shape.iter().for_each(|size| integer(out, *size, integers));
        text(out, "data_offsets");
        head(out, ARRAY, 2);
        [entry.range.0, entry.range.1].iter().for_each(|offset| integer(out, *offset, integers));
        if let Some(id) = entry.param_id {
            text(out, "param_id");
            integer(out, id, integers);
        }
    }
    if !metadata.is_empty() {
        text(out, "metadata");
        head(out, MAP, metadata.len() as u64);
        for (key, value) in metadata {
            text(out, key);
            text(out, value);
        }
    }
    if !scalars.is_empty() {
        text(out, "scalars");
        head(out, MAP, scalars.len() as u64);
        for (name, value) in scalars {
            text(out, name);
            out.extend_from_slice(value);
        }
    }
}

/// Appends a text.
pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    head(out, TEXT, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn integer(out: &mut Vec<u8>, value: u64, integers: Integers) {
    match integers {
        Integers::Shortest => head(out, UNSIGNED, value),
        Integers::NineBytes => {
            out.push(UNSIGNED << 5 | 27);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

/// Appends the head of an item: its major type, and its value or length (RFC 8949, section 3).
fn head(out: &mut Vec<u8>, major: u8, value: u64) {
    let bytes = value.to_be_bytes();
    let (additional, kept) = match value {
        0..24 => (bytes[7], 0),
        24..0x100 => (24, 1),
        0x100..0x1_0000 => (25, 2),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 8),
    };
    out.push(major << 5 | additional);
    out.extend_from_slice(&bytes[bytes.len() - kept..]);
}
