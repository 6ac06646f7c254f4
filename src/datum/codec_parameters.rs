//! What defines a codec, as SQL has it: bit width, rotation, kind of codes, seed and dimension.

use tq_codec::{CodeKind, RotationKind, declaration};
use tq_format::BitWidth;

use crate::error::{Error, RegistryError, VectorError, cut};

/// A bit width.
///
/// # Errors
/// There is no such width.
pub(crate) fn bit_width(bits: i32) -> Result<BitWidth, Error> {
    declaration::bit_width(bits.into()).ok_or(Error::Vector(VectorError::BitWidth(bits)))
}

/// A rotation by its name.
///
/// # Errors
/// There is none of that name.
pub(crate) fn rotation(name: &str) -> Result<RotationKind, Error> {
    RotationKind::from_name(name).ok_or_else(|| Error::Vector(VectorError::Rotation(cut(name))))
}

/// A kind of codes by its name.
///
/// # Errors
/// There is none of that name.
pub(crate) fn codes(name: &str) -> Result<CodeKind, Error> {
    CodeKind::from_name(name).ok_or_else(|| Error::Vector(VectorError::Codes(cut(name))))
}

/// A seed, which is a `numeric`.
///
/// # Errors
/// It isn't a whole number of 64 bits.
pub(crate) fn seed(number: &str) -> Result<u64, Error> {
    number.parse().map_err(|_| Error::Registry(RegistryError::SeedRange(number.to_string())))
}

/// A dimension; whether a codec can have it is another matter.
///
/// # Errors
/// It is negative.
pub(crate) fn dimension(dimension: i32) -> Result<u32, Error> {
    u32::try_from(dimension).map_err(|_| Error::Registry(RegistryError::Dimension(dimension)))
}
