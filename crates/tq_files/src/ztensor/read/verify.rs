//! Comparing checksums with the bytes they are of.

use super::stream::Stream;
use crate::ztensor::digest::Hasher;
use crate::ztensor::model::{Encoding, Part};
use crate::{ContainerError, FileError, MappedFile, RowsError};

/// Bytes that are summed up between two calls of `poll`.
const BLOCK: usize = 1 << 20;

/// Compares the digest of a part with its bytes; `false` if there is none, or its bytes can't be had: they lie in
/// another file, or are encoded in a way that isn't known.
pub(in crate::ztensor) fn verify(
    file: &MappedFile,
    part: &Part,
    poll: &mut dyn FnMut(),
) -> Result<bool, RowsError> {
    let Some(digest) = &part.digest else { return Ok(false) };
    let mut hasher = digest.hasher();
    match part.encoding {
        _ if part.shard.is_some() => return Ok(false),
        _ if !digest.is_of_decoded() || part.encoding == Encoding::Raw => {
            hash_stored(file, part, &mut hasher, poll)?
        }
        Encoding::Unknown(_) => return Ok(false),
        _ => hash_decoded(file, part, &mut hasher, poll)?,
    }
    match digest.matches(hasher) {
        true => Ok(true),
        false => Err(ContainerError::Checksum {
            tensor: part.label.tensor.clone(),
            part: part.label.part.clone(),
            scheme: digest.scheme(),
        }
        .into()),
    }
}

fn hash_stored(
    file: &MappedFile,
    part: &Part,
    hasher: &mut Hasher,
    poll: &mut dyn FnMut(),
) -> Result<(), FileError> {
    let end = part.offset + part.length;
    for start in (part.offset..end).step_by(BLOCK) {
        poll();
        let range = start as usize..end.min(start + BLOCK as u64) as usize;
        file.read(|bytes| hasher.update(bytes.get(range).unwrap_or_default()))?;
        file.release_below(start);
    }
    Ok(())
}

fn hash_decoded(
    file: &MappedFile,
    part: &Part,
    hasher: &mut Hasher,
    poll: &mut dyn FnMut(),
) -> Result<(), RowsError> {
    let mut stream = Stream::open(file, part, part.decoded.unwrap_or(u64::MAX), poll)?;
    let mut buffer = tq_memory::filled(BLOCK / 4, 0)?;
    loop {
        poll();
        match stream.read(file, &mut buffer)? {
            0 => return stream.finish(file),
            count => hasher.update(&buffer[..count]),
        }
    }
}
