//! Floats compressed as a type modifier asks for it.

use tq_codec::{Codec, CodecError};
use tq_format::MAX_DIMENSION;

use super::coding::encode;
use super::lookup::of_typmod;
use crate::datum::typmod::Typmod;
use crate::error::Error;

/// Compresses floats with the built-in codec, to the fidelity that `typmod` asks for.
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
    encode(&codec, floats, &mut record)?;
    Ok(record)
}

/// Bytes of the codec's records.
pub(crate) fn record_len(codec: &Codec) -> usize {
    let config = codec.config();
    tq_format::record_len(config.bit_width(), config.dimension(), config.residual())
}
