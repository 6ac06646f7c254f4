//! The built-in codecs: for each dimension, bit width, residual and rotation one that needs no table, because all that defines it
//! follows from these.

use tq_format::BitWidth;

use crate::{BUILTIN_SEED, Codebook, CodecConfig, CodecDefinition, CodecError, RotationKind};

/// What the hash of a built-in codec covers.
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

/// What defines a built-in codec. No rotation is built.
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

/// The rotation of the built-in codec that records of this shape name; `None` for any other codec.
pub fn rotation_of(hash: &[u8], dimension: u32, width: BitWidth, residual: bool) -> Option<RotationKind> {
    [RotationKind::Haar, RotationKind::Hadamard].into_iter().find(|kind| {
        config(dimension, width, residual, *kind).is_ok_and(|config| config.hash().as_bytes() == hash)
    })
}
