//! What can be wrong with a declaration, or with what comes into a column that has it.

use super::CodecPrefix;
use crate::{CodeKind, RotationKind};
use tq_format::{BitWidth, MAX_DIMENSION};

/// What is wrong with the text of a declaration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypmodError {
    /// The word `residual` stands there twice.
    #[error("\"residual\" is given twice")]
    ResidualTwice,
    /// The word `trellis` stands there twice.
    #[error("\"trellis\" is given twice")]
    TrellisTwice,
    /// Trellis codes of any bit width.
    #[error("\"trellis\" needs a bit width")]
    TrellisOfNoWidth,
    /// Trellis codes of eight bits, which don't exist.
    #[error("\"trellis\" goes with 2 or 4 bits, not with 8")]
    TrellisOfEightBits,
    /// The word `normalize` stands there twice.
    #[error("\"normalize\" is given twice")]
    NormalizeTwice,
    /// Two codecs are named.
    #[error("two codecs are named: \"{0}\" and \"{1}\"")]
    CodecTwice(String, String),
    /// Two rotations are named.
    #[error("the rotation is given twice")]
    RotationTwice,
    /// The codec that is named isn't what stands beside its name.
    #[error("codec \"{name}\" has {got}, not {expected}")]
    OtherCodec {
        /// Its name.
        name: String,
        /// What is said of it.
        expected: String,
        /// What it has.
        got: String,
    },
    /// A part that means nothing, as it was written.
    #[error("\"{0}\" is neither a number nor a known word, nor a codec's name")]
    UnknownWord(String),
    /// No number at all.
    #[error("the dimension is missing")]
    NoDimension,
    /// More than two numbers.
    #[error("too many numbers")]
    TooManyNumbers,
    /// A dimension that no record has.
    #[error("dimension {0} is not between 1 and {MAX_DIMENSION}")]
    Dimension(i64),
    /// A bit width that no record has.
    #[error("bit width must be 2, 4 or 8, not {0}")]
    BitWidth(i64),
    /// A residual of any bit width.
    #[error("\"residual\" needs a bit width")]
    ResidualOfNoWidth,
    /// A dimension without a bit width, where a codec is to be named.
    #[error("the bit width is missing")]
    NoBitWidth,
}

/// How a record differs from what a modifier admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypmodMismatch {
    /// It has another dimension.
    Dimension {
        /// The modifier's.
        expected: u32,
        /// The record's.
        got: u32,
    },
    /// It has another bit width.
    BitWidth {
        /// The modifier's.
        expected: BitWidth,
        /// The record's.
        got: BitWidth,
    },
    /// It has a residual and the modifier says it has none, or the other way round.
    Residual {
        /// Whether the modifier says it has one.
        expected: bool,
    },
    /// It is of another codec.
    Codec {
        /// The modifier's.
        expected: CodecPrefix,
    },
    /// It is of a built-in codec with another rotation.
    Rotation {
        /// The modifier's.
        expected: RotationKind,
        /// The codec's.
        got: RotationKind,
    },
    /// It is of a built-in codec with codes of another kind.
    Codes {
        /// The modifier's.
        expected: CodeKind,
        /// The codec's.
        got: CodeKind,
    },
}
