//! The built-in codecs: for each dimension, bit width, residual, rotation and kind of codes one that needs no table, because all that
//! defines it follows from these.

use tq_format::BitWidth;

use crate::{BUILTIN_SEED, CodeKind, Codebook, CodecConfig, CodecDefinition, CodecError, RotationKind};

/// What the hash of a built-in codec with scalar codes covers.
///
/// # Errors
/// [`CodecError::DimensionOutOfRange`].
pub fn config(
    dimension: u32,
    width: BitWidth,
    residual: bool,
    rotation: RotationKind,
) -> Result<CodecConfig, CodecError> {
    CodecConfig::new(width, BUILTIN_SEED, dimension, residual, rotation)
}

/// What defines a built-in codec with scalar codes. No rotation is built.
///
/// # Errors
/// [`CodecError::DimensionOutOfRange`].
pub fn definition(
    dimension: u32,
    width: BitWidth,
    residual: bool,
    rotation: RotationKind,
) -> Result<CodecDefinition, CodecError> {
    let config = config(dimension, width, residual, rotation)?;
    CodecDefinition::new(config, Codebook::lloyd_max(width, dimension), None)
}

/// What defines a built-in codec with codes of that kind. No rotation is built.
///
/// # Errors
/// [`CodecError::DimensionOutOfRange`], [`CodecError::TrellisOfEightBits`].
pub fn definition_of(
    dimension: u32,
    width: BitWidth,
    residual: bool,
    rotation: RotationKind,
    codes: CodeKind,
) -> Result<CodecDefinition, CodecError> {
    let config = config(dimension, width, residual, rotation)?.with_codes(codes)?;
    CodecDefinition::new(config, Codebook::builtin(codes, width, dimension)?, None)
}

/// The rotation and the kind of codes of the built-in codec that records of this shape name; `None` for any other codec.
pub fn kind_of(
    hash: &[u8],
    dimension: u32,
    width: BitWidth,
    residual: bool,
) -> Option<(RotationKind, CodeKind)> {
    let kinds = [CodeKind::Scalar, CodeKind::Trellis].into_iter();
    let mut pairs = kinds.flat_map(|codes| [(RotationKind::Haar, codes), (RotationKind::Hadamard, codes)]);
    pairs.find(|(rotation, codes)| {
        config(dimension, width, residual, *rotation)
            .and_then(|config| config.with_codes(*codes))
            .is_ok_and(|config| config.hash().as_bytes() == hash)
    })
}
