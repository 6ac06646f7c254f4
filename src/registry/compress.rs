//! Floats compressed as a type modifier asks for it.

use tq_codec::{Codec, CodecError};
use tq_format::MAX_DIMENSION;

use super::coding::encode;
use super::lookup::of_typmod;
use crate::datum::typmod::Typmod;
use crate::error::Error;

/// Compresses floats with the codec that `typmod` asks for.
///
/// # Errors
/// A dimension other than the modifier's or beyond the format's, and what the codec refuses: NaN, infinity, a zero
/// vector and, without residual, a norm far from one.
pub(crate) fn compress_floats(floats: &[f32], typmod: Typmod) -> Result<Vec<u8>, Error> {
    let dimension = u32::try_from(floats.len())
        .ok()
        .filter(|dimension| (1..=MAX_DIMENSION).contains(dimension))
        .ok_or(CodecError::DimensionOutOfRange { dimension: floats.len() as u64 })?;
    typmod.check_dimension(dimension)?;
    // Before the codec is looked up: its rotation may have to be built first, which takes time.
    tq_codec::check_vector(floats)?;
    let codec = of_typmod(typmod, dimension)?;
    let mut record = tq_memory::with_capacity(record_len(&codec))?;
    if typmod.normalizes() {
        encode(&codec, &tq_codec::normalize(floats)?, &mut record)?;
    } else {
        encode(&codec, floats, &mut record)?;
    }
    Ok(record)
}

/// Scales vectors to unit length where a type modifier asks for it; `row_error` names the row that can't be.
pub(crate) fn normalize_rows(
    vectors: &mut [f32],
    dimension: usize,
    row_error: impl Fn(usize, Error) -> Error,
) -> Result<(), Error> {
    for (row, vector) in vectors.chunks_exact_mut(dimension.max(1)).enumerate() {
        let unit = tq_codec::normalize(vector).map_err(|error| row_error(row, error.into()))?;
        vector.copy_from_slice(&unit);
    }
    Ok(())
}

/// Bytes of the codec's records.
pub(crate) fn record_len(codec: &Codec) -> usize {
    let config = codec.config();
    tq_format::record_len(config.bit_width(), config.dimension(), config.residual())
}
