//! Header and directory of a Burnpack file as bytes, the way Burn's own writers make them.
//!
//! Integers take as few bytes as they can, or, if a caller wants a length that doesn't depend on them, nine each; both are
//! the same to every reader.

use minicbor::Encoder;

use super::directory::Directory;
use super::layout::{HEADER_LEN, MAGIC, MOST_METADATA_BYTES, VERSION};
use crate::ContainerError;
use crate::cbor::encode::{Encoded, append};

/// How integers of descriptors are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Integers {
    Shortest,
    NineBytes,
}

/// Everything in front of the data, but for the zeros between.
///
/// # Errors
/// [`ContainerError::Unsupported`] if the directory is longer than a reader takes.
pub(crate) fn encode(directory: &Directory, integers: Integers) -> Result<Vec<u8>, ContainerError> {
    let mut out = Vec::with_capacity(HEADER_LEN);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    append(&mut out, |out| write(out, directory, integers));
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

fn write(out: &mut Encoder<&mut Vec<u8>>, directory: &Directory, integers: Integers) -> Encoded {
    let Directory { tensors, metadata, scalars } = directory;
    out.map(1 + u64::from(!metadata.is_empty()) + u64::from(!scalars.is_empty()))?;
    out.str("tensors")?.map(tensors.len() as u64)?;
    for entry in tensors {
        out.str(&entry.name)?.map(3 + u64::from(entry.param_id.is_some()))?;
        out.str("dtype")?.writer_mut().extend_from_slice(&entry.dtype.cbor);
        out.str("shape")?.array(entry.shape.len() as u64)?;
        entry.shape.iter().try_for_each(|size| integer(out, *size, integers))?;
        out.str("data_offsets")?.array(2)?;
        integer(out, entry.range.0, integers)?;
        integer(out, entry.range.1, integers)?;
        if let Some(id) = entry.param_id {
            out.str("param_id")?.u64(id)?;
        }
    }
    if !metadata.is_empty() {
        out.str("metadata")?.map(metadata.len() as u64)?;
        metadata.iter().try_for_each(|(key, value)| out.str(key)?.str(value).map(drop))?;
    }
    if !scalars.is_empty() {
        out.str("scalars")?.map(scalars.len() as u64)?;
        scalars.iter().try_for_each(|(name, value)| {
            out.str(name)?.writer_mut().extend_from_slice(value);
            Ok(())
        })?;
    }
    Ok(())
}

fn integer(out: &mut Encoder<&mut Vec<u8>>, value: u64, integers: Integers) -> Encoded {
    match integers {
        Integers::Shortest => out.u64(value).map(drop),
        Integers::NineBytes => {
            // An unsigned integer whose value takes the next eight bytes.
            out.writer_mut().push(0x1b);
            out.writer_mut().extend_from_slice(&value.to_be_bytes());
            Ok(())
        }
    }
}
