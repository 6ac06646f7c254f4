//! What a value can be refused for: text, arrays, type modifiers, operands of a function.

use pgrx::PgSqlErrorCode as Code;

use tq_codec::declaration::{TypmodError, TypmodMismatch};

use super::*;

/// What a value can be refused for: text, arrays, type modifiers, operands of a function.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VectorError {
    /// Bytes that are no record, but the binary form of another type.
    #[error("invalid tqvec record: {0}")]
    ForeignForm(String),
    #[error("invalid input syntax for type tqvec: \"{0}\"")]
    TextSyntax(String),
    #[error("invalid hexadecimal data for type tqvec: {0}")]
    TextHex(#[source] tq_format::TextError),
    #[error("\"{0}\" is out of range for type tqvec")]
    TextRange(String),
    #[error("type modifier of tqvec: {0}")]
    TypmodSyntax(TypmodError),
    #[error("expected {expected} dimensions, not {got}")]
    TypmodDimension { expected: u32, got: u32 },
    #[error("expected {expected} bits a dimension, not {got}")]
    TypmodBitWidth { expected: u8, got: u8 },
    #[error("expected a record {}, but it has {}", residual_words(*.expected), if *.expected { "none" } else { "one" })]
    TypmodResidual { expected: bool },
    #[error("expected the {expected} rotation, not {got}")]
    TypmodRotation { expected: &'static str, got: &'static str },
    #[error("expected {expected} codes, not {got} ones")]
    TypmodCodes { expected: &'static str, got: &'static str },
    #[error("expected a record of codec \"{expected}\"")]
    TypmodCodec { expected: String },
    #[error("the array must have one dimension, not {0}")]
    ArrayDimensions(i32),
    #[error("the array must not contain nulls")]
    ArrayNulls,
    #[error("the array must not be empty")]
    ArrayEmpty,
    #[error("the array is damaged")]
    ArrayDamaged,
    #[error("the elements of the array, of type {}, are no numbers", crate::server::names::type_name(*.0))]
    ArrayElements(pgrx::pg_sys::Oid),
    #[error("different vector dimensions {0} and {1}")]
    DimensionsDiffer(u32, u32),
    #[error("the sum is out of range for real")]
    SumOverflow,
    #[error("tq_once is called by plans alone")]
    OnceCall,
    #[error("aggregate function called in non-aggregate context")]
    NotAggregate,
    #[error("bit width must be 2, 4 or 8, not {0}")]
    BitWidth(i32),
    #[error("unknown rotation \"{0}\"")]
    Rotation(String),
    #[error("unknown kind of codes \"{0}\"")]
    Codes(String),
    #[error("the record's config_hash contains a NUL byte, which text can't")]
    HashNotText,
    #[error("extension \"vector\" is not installed in this database")]
    NoPgvector,
    #[error("argument \"{0}\" must not be null")]
    NullArgument(&'static str),
    #[error("element {number} of the vector is {value}")]
    NotFinite { number: usize, value: f64 },
    #[error("{0} is out of range for type halfvec")]
    HalfOverflow(f32),
    #[error("{0} dimensions are more than a vector of pgvector's can have")]
    PgvectorDimension(usize),
}

impl From<TypmodError> for Error {
    fn from(error: TypmodError) -> Self {
        Error::Vector(VectorError::TypmodSyntax(error))
    }
}

impl From<TypmodMismatch> for Error {
    fn from(mismatch: TypmodMismatch) -> Self {
        Error::Vector(match mismatch {
            TypmodMismatch::Dimension { expected, got } => VectorError::TypmodDimension { expected, got },
            TypmodMismatch::BitWidth { expected, got } => {
                VectorError::TypmodBitWidth { expected: expected.bits(), got: got.bits() }
            }
            TypmodMismatch::Residual { expected } => VectorError::TypmodResidual { expected },
            TypmodMismatch::Codec { expected } => VectorError::TypmodCodec { expected: expected.to_string() },
            TypmodMismatch::Rotation { expected, got } => {
                VectorError::TypmodRotation { expected: expected.name(), got: got.name() }
            }
            TypmodMismatch::Codes { expected, got } => {
                VectorError::TypmodCodes { expected: expected.name(), got: got.name() }
            }
        })
    }
}

impl VectorError {
    pub(super) fn code(&self) -> Code {
        match self {
            VectorError::ForeignForm(_) => Code::ERRCODE_INVALID_BINARY_REPRESENTATION,
            VectorError::TextSyntax(_) | VectorError::TextHex(_) => Code::ERRCODE_INVALID_TEXT_REPRESENTATION,
            VectorError::TextRange(_)
            | VectorError::SumOverflow
            | VectorError::NotFinite { .. }
            | VectorError::HalfOverflow(_) => Code::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
            VectorError::TypmodSyntax(_)
            | VectorError::BitWidth(_)
            | VectorError::Rotation(_)
            | VectorError::Codes(_) => Code::ERRCODE_INVALID_PARAMETER_VALUE,
            VectorError::TypmodDimension { .. }
            | VectorError::TypmodBitWidth { .. }
            | VectorError::TypmodResidual { .. }
            | VectorError::TypmodRotation { .. }
            | VectorError::TypmodCodes { .. }
            | VectorError::TypmodCodec { .. }
            | VectorError::DimensionsDiffer(..)
            | VectorError::ArrayEmpty => Code::ERRCODE_DATA_EXCEPTION,
            VectorError::ArrayDimensions(_) => Code::ERRCODE_ARRAY_ELEMENT_ERROR,
            VectorError::HashNotText => Code::ERRCODE_UNTRANSLATABLE_CHARACTER,
            VectorError::PgvectorDimension(_) => Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            VectorError::OnceCall => Code::ERRCODE_FEATURE_NOT_SUPPORTED,
            VectorError::NotAggregate => Code::ERRCODE_INTERNAL_ERROR,
            VectorError::ArrayDamaged => Code::ERRCODE_DATA_CORRUPTED,
            VectorError::ArrayElements(_) => Code::ERRCODE_DATATYPE_MISMATCH,
            VectorError::ArrayNulls | VectorError::NullArgument(_) => Code::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            VectorError::NoPgvector => Code::ERRCODE_UNDEFINED_OBJECT,
        }
    }

    pub(super) fn detail(&self) -> Option<String> {
        None
    }

    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            VectorError::OnceCall => "Write the cast itself: query::real[].",
            VectorError::TextSyntax(_) => {
                "Write '[0.1, 0.2, ...]' for floats to compress, or '\\x...' for the hexadecimal digits of a record."
            }
            VectorError::TypmodSyntax(_) => {
                "Write tqvec, tqvec(dimension), tqvec(dimension, bits), with \"residual\", \"haar\", \"hadamard\", \"trellis\" (of 2 or 4 bits), \"normalize\" or a codec's name behind."
            }
            VectorError::TypmodBitWidth { .. }
            | VectorError::TypmodResidual { .. }
            | VectorError::TypmodRotation { .. }
            | VectorError::TypmodCodes { .. }
            | VectorError::TypmodCodec { .. } => {
                "A record is never recompressed silently; use tq_compress(tq_decompress(v), ...) to recompress it."
            }
            VectorError::Rotation(_) => "Known rotations are 'haar' and 'hadamard'.",
            VectorError::Codes(_) => "Known kinds of codes are 'scalar' and 'trellis'.",
            VectorError::NoPgvector => "Run CREATE EXTENSION vector in this database first.",
            VectorError::ForeignForm(_) => {
                "Let the parameter be of the type that is sent, and cast it: $1::real[]::tqvec, $1::vector::tqvec."
            }
            _ => return None,
        };
        Some(hint.into())
    }
}
