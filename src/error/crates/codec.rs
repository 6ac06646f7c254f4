//! What the codec refuses, and what its files are refused for.

use pgrx::PgSqlErrorCode as Code;
use tq_codec::CodecError;
use tq_format::MAX_DIMENSION;
use tq_format::tqcb::TqcbError;

/// Its SQLSTATE.
pub(in crate::error) fn codec_code(error: &CodecError) -> Code {
    match error {
        CodecError::DimensionOutOfRange { dimension } if *dimension > u64::from(MAX_DIMENSION) => {
            Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED
        }
        CodecError::RotationUnavailable { .. } => Code::ERRCODE_FEATURE_NOT_SUPPORTED,
        CodecError::OutOfMemory { .. } | CodecError::TrainingMemory { .. } => Code::ERRCODE_OUT_OF_MEMORY,
        CodecError::ResidualOverflow { .. }
        | CodecError::NormTooLarge { .. }
        | CodecError::DecodedOverflow { .. } => Code::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
        CodecError::NeighboursOutOfRange { .. }
        | CodecError::QueriesOutOfRange { .. }
        | CodecError::CodebookCount { .. }
        | CodecError::CodebookNotFinite { .. }
        | CodecError::TrellisOfEightBits
        | CodecError::TrellisRange { .. }
        | CodecError::CodebookNotAscending { .. } => Code::ERRCODE_INVALID_PARAMETER_VALUE,
        _ => Code::ERRCODE_DATA_EXCEPTION,
    }
}

/// The way out of it.
pub(in crate::error) fn codec_hint(error: &CodecError) -> Option<&'static str> {
    Some(match error {
        CodecError::NormOutOfRange { .. } => {
            "If only the direction matters (cosine distance), use tq_normalize(v) or a column that says normalize; \
             else a column with residual, or a codec trained on your vectors (tq_train_codec)."
        }
        CodecError::NormTooSmall { .. } => {
            "Use tq_normalize(v) if only the direction matters (cosine distance), or a codec trained on your vectors. As a query, give it as real[], not as text."
        }
        CodecError::NormTooLarge { .. } => {
            "Divide the vectors by some number, or use tq_normalize(v) if only the direction matters."
        }
        CodecError::DecodedOverflow { .. } => {
            "The distances <->, <#> and <=> measure a record without decompressing it."
        }
        CodecError::ZeroVector => {
            "A zero vector has no direction to compress: store NULL instead. As a query, give it as real[], not as text."
        }
        CodecError::SampleTooSmall { .. } => {
            "Ask for fewer neighbours, with k => ..., or give more rows: a row is no neighbour of its own."
        }
        CodecError::RotationUnavailable { .. } => "Use rotation 'haar'.",
        CodecError::TrellisOfEightBits => "Use a bit width of 2 or 4, or codes 'scalar'.",
        CodecError::TrellisRange { .. } => "Leave the codebook out, or scale it with the vectors.",
        CodecError::TooFewDistinct { .. } => "Train on more rows, or choose a smaller bit width.",
        _ => return None,
    })
}

/// The codec counts elements from 0, SQL from 1.
pub(in crate::error) fn codec_message(error: &CodecError) -> String {
    match error {
        CodecError::NotFinite { index, value } => format!("element {} of the vector is {value}", index + 1),
        CodecError::NormOutOfRange { norm, tolerance } => {
            let percent = (100.0 * tolerance).floor();
            format!("the vector's norm {norm:.4} is not within {percent:.0} % of 1")
        }
        CodecError::NormTooSmall { norm } => {
            format!("the vector's norm {norm:.1e} is too small for the codec")
        }
        CodecError::NormTooLarge { norm } => {
            format!("the vector's norm {norm:.3e} is too large to be rotated in single precision")
        }
        CodecError::DecodedOverflow { index } => {
            format!("element {} of the decompressed vector is out of range for real", index + 1)
        }
        CodecError::ResidualOverflow { index } => {
            format!("the residual of rotated element {} does not fit into half precision", index + 1)
        }
        CodecError::CodebookNotFinite { index } => format!("codebook entry {} is not finite", index + 1),
        CodecError::CodebookNotAscending { index } => {
            format!("codebook entry {} is not above the entry before it", index + 1)
        }
        CodecError::Row { row, source } => format!("row {}: {}", row + 1, codec_message(source)),
        other => other.to_string(),
    }
}

/// The format counts entries from 0, SQL from 1.
pub(in crate::error) fn tqcb_message(error: &TqcbError) -> String {
    match error {
        TqcbError::NotFinite { index } => codec_message(&CodecError::CodebookNotFinite { index: *index }),
        TqcbError::NotAscending { index } => {
            codec_message(&CodecError::CodebookNotAscending { index: *index })
        }
        other => other.to_string(),
    }
}

pub(in crate::error) fn sidecar_message(error: &CodecError) -> String {
    match error {
        CodecError::Sidecar { reason } => reason.clone(),
        other => codec_message(other),
    }
}
