//! What can be wrong with a record, one variant a cause, with the numbers a message needs.

/// Why bytes are not a Level-1 record, or why one could not be written.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// The bytes end before the record does.
    #[error("record is truncated: {needed} bytes needed, {got} present")]
    Truncated {
        /// Bytes that the record must have at least, as far as was read.
        needed: usize,
        /// Bytes present.
        got: usize,
    },
    /// The record ends before the bytes do.
    #[error("record is followed by surplus bytes: {expected} bytes expected, {got} present")]
    Trailing {
        /// Bytes of the record.
        expected: usize,
        /// Bytes present.
        got: usize,
    },
    /// The version byte is not 1.
    #[error("unknown record version {got}")]
    UnknownVersion {
        /// The version byte.
        got: u8,
    },
    /// The configuration hash is not UTF-8.
    #[error("configuration hash of the record is not valid UTF-8")]
    InvalidUtf8,
    /// The configuration hash is hexadecimal, but in capital letters.
    #[error(
        "configuration hash of the record has capital letters: its hexadecimal digits must be lower-case"
    )]
    HashCapitals,
    /// The bit width is not 2, 4 or 8.
    #[error("invalid bit width {got}: must be 2, 4 or 8")]
    InvalidBitWidth {
        /// The bit width byte.
        got: u8,
    },
    /// The dimension is zero.
    #[error("record has no dimensions")]
    DimensionZero,
    /// The dimension is above [`MAX_DIMENSION`](crate::MAX_DIMENSION).
    #[error("record has {got} dimensions: at most {max} are allowed", max = crate::MAX_DIMENSION)]
    DimensionTooLarge {
        /// The dimension.
        got: u32,
    },
    /// The residual flag is neither 0 nor 1.
    #[error("invalid residual flag {got}: must be 0 or 1")]
    InvalidResidualFlag {
        /// The flag byte.
        got: u8,
    },
    /// The residual is not two bytes a dimension long.
    #[error("residual has {got} bytes: {expected} expected")]
    ResidualLength {
        /// Twice the dimension.
        expected: usize,
        /// The length found.
        got: usize,
    },
    /// A residual is infinite or not a number.
    #[error("residual of coordinate {index} is not finite")]
    ResidualNotFinite {
        /// The coordinate, counted from 0.
        index: usize,
    },
    /// A record with a residual was to be written, and none was given.
    #[error("record needs a residual and none was given")]
    ResidualMissing,
    /// A record without residual was to be written, and one was given.
    #[error("record takes no residual and one was given")]
    ResidualUnexpected,
    /// The unused high bits of the last packed byte are not zero.
    #[error("padding bits after the packed codes are not zero")]
    PaddingBits,
    /// A code needs more bits than the width has.
    #[error("code {index} of coordinate {position} is out of range: at most {max} fits")]
    IndexOutOfRange {
        /// The coordinate, counted from 0.
        position: usize,
        /// The code.
        index: u8,
        /// The greatest code of the width.
        max: u8,
    },
    /// As many codes as dimensions were expected.
    #[error("{got} codes given: {expected} expected")]
    IndexCount {
        /// The dimension.
        expected: usize,
        /// Codes, or places for them, given.
        got: usize,
    },
    /// The packed codes are not as long as the dimension and the width demand.
    #[error("packed codes have {got} bytes: {expected} expected")]
    PackedLength {
        /// Bytes demanded.
        expected: usize,
        /// Bytes given.
        got: usize,
    },
    /// The configuration hash does not fit its field.
    #[error("configuration hash has {got} bytes: at most {max} fit in a record", max = crate::HASH_LEN)]
    HashTooLong {
        /// Bytes of the hash.
        got: usize,
    },
}
