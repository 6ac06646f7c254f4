//! What an index finds wrong with itself.

use pgrx::PgSqlErrorCode as Code;
use tq_index::IndexError;

use super::codec::codec_code;

/// Its SQLSTATE.
pub(in crate::error) fn index_code(error: &IndexError) -> Code {
    match error {
        IndexError::Damaged { .. } => Code::ERRCODE_INDEX_CORRUPTED,
        IndexError::Version { .. } => Code::ERRCODE_FEATURE_NOT_SUPPORTED,
        IndexError::Full => Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        IndexError::Codec(error) => codec_code(error),
        IndexError::Memory(_) => Code::ERRCODE_OUT_OF_MEMORY,
        _ => Code::ERRCODE_INTERNAL_ERROR,
    }
}

/// The way out of it.
pub(in crate::error) fn index_hint(error: &IndexError) -> Option<&'static str> {
    match error {
        IndexError::Damaged { .. } => Some("REINDEX makes the index anew from the table."),
        IndexError::Version { .. } => Some("Use the newer version of the extension's library, or REINDEX."),
        IndexError::Full => Some("Divide the table into partitions."),
        _ => None,
    }
}

/// What is wrong with which index.
pub(in crate::error) fn index_message(name: &str, error: &IndexError) -> String {
    match error {
        IndexError::Damaged { block, problem } => {
            format!("index \"{name}\" is damaged at block {block}: {problem}")
        }
        IndexError::Version { got } => {
            format!("index \"{name}\" has format version {got}, which is newer than this library")
        }
        IndexError::Full => format!("index \"{name}\" can't grow any further"),
        IndexError::Codec(error) => super::codec::codec_message(error),
        other => other.to_string(),
    }
}
