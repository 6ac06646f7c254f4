//! What `tq_compress_column` can be refused for.

use pgrx::PgSqlErrorCode as Code;

use super::*;

/// What `tq_compress_column` can be refused for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ColumnError {
    #[error("batch must be at least 1, not {0}")]
    BatchSize(i32),
    #[error("tq_compress_column cannot be called inside a transaction")]
    CallInTransaction,
    #[error("relation with OID {0} does not exist")]
    NoSuchRelation(u32),
    #[error("column \"{column}\" of relation \"{table}\" does not exist")]
    NoSuchColumn { table: String, column: String },
    #[error("\"{0}\" is not a table")]
    NotTable(String),
    #[error("column \"{column}\" is of type {got}, not tqvec")]
    NotTqvec { column: String, got: String },
    #[error("codec \"{codec}\" does not fit column \"{column}\": {source}")]
    Codec { codec: String, column: String, source: Box<Error> },
    #[error("the source column of \"{0}\" has been given another type since the call began")]
    SourceChanged(String),
    #[error("row at ctid {position} of \"{table}\": {source}")]
    Row { table: String, position: String, source: Box<Error> },
}

impl ColumnError {
    pub(super) fn code(&self) -> Code {
        match self {
            ColumnError::Row { source, .. } | ColumnError::Codec { source, .. } => source.code(),
            ColumnError::SourceChanged(_) => Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            ColumnError::BatchSize(_) => Code::ERRCODE_INVALID_PARAMETER_VALUE,
            ColumnError::CallInTransaction => Code::ERRCODE_INVALID_TRANSACTION_TERMINATION,
            ColumnError::NoSuchRelation(_) => Code::ERRCODE_UNDEFINED_TABLE,
            ColumnError::NoSuchColumn { .. } => Code::ERRCODE_UNDEFINED_COLUMN,
            ColumnError::NotTable(_) => Code::ERRCODE_WRONG_OBJECT_TYPE,
            ColumnError::NotTqvec { .. } => Code::ERRCODE_DATATYPE_MISMATCH,
        }
    }

    pub(super) fn detail(&self) -> Option<String> {
        match self {
            ColumnError::Row { .. } => Some(
                "The batches before are committed; the row's batch is not. Calling again goes on from there."
                    .into(),
            ),
            ColumnError::SourceChanged(_) => {
                Some("The batches before are committed. Calling again goes on from there.".into())
            }
            ColumnError::CallInTransaction => Some("It commits after each batch.".into()),
            _ => None,
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            ColumnError::CallInTransaction => "Call it by itself, outside of BEGIN and of functions.",
            ColumnError::NotTable(_) => "Name a table, or a partitioned table whose partitions are tables.",
            ColumnError::Row { source, .. } => return source.hint(),
            ColumnError::Codec { .. } => "Declare the column as the codec is, or without a type modifier.",
            _ => return None,
        };
        Some(hint.into())
    }
}
