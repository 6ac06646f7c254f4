//! What training, evaluation and search can be refused for.

use pgrx::PgSqlErrorCode as Code;

use super::*;

/// What training, evaluation and search can be refused for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SampleError {
    #[error("the query is empty")]
    QueryEmpty,
    #[error("the query must be one SELECT")]
    QueryNotSelect,
    #[error("the query gave no vector to train on")]
    Empty,
    #[error("k must be at least 1, not {0}")]
    NeighbourCount(i32),
    #[error("{what} must be 1 to {most}, not {value}")]
    OutOfRange { what: &'static str, value: i32, most: i32 },
    #[error("unknown metric \"{0}\"")]
    UnknownMetric(String),
    #[error("unknown training method \"{0}\"")]
    TrainingMethod(String),
    #[error("sample must be 1 to {most} vectors, not {vectors}")]
    Size { vectors: i32, most: usize },
    #[error("the sample has more than {} MB of vectors", .most >> 20)]
    TooLarge { most: usize },
    #[error("cannot allocate memory for {0} vectors of the sample")]
    Memory(u64),
    #[error("row {row} of the sample: {source}")]
    Row { row: u64, source: Box<Error> },
}

impl SampleError {
    pub(super) fn code(&self) -> Code {
        match self {
            SampleError::QueryEmpty | SampleError::QueryNotSelect | SampleError::Empty => {
                Code::ERRCODE_INVALID_PARAMETER_VALUE
            }
            SampleError::Row { source, .. } => source.code(),
            SampleError::TrainingMethod(_)
            | SampleError::Size { .. }
            | SampleError::NeighbourCount(_)
            | SampleError::OutOfRange { .. }
            | SampleError::UnknownMetric(_) => Code::ERRCODE_INVALID_PARAMETER_VALUE,
            SampleError::TooLarge { .. } => Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            SampleError::Memory(_) => Code::ERRCODE_OUT_OF_MEMORY,
        }
    }

    pub(super) fn detail(&self) -> Option<String> {
        None
    }

    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            SampleError::UnknownMetric(_) => "Known metrics are 'l2', 'inner_product', 'cosine' and 'l1'.",
            SampleError::TrainingMethod(_) => "Known methods are 'lloyd' and 'quantile'.",
            SampleError::QueryEmpty | SampleError::QueryNotSelect => "Give one SELECT, or VALUES, as text.",
            SampleError::Row { source, .. } => return source.hint(),
            SampleError::TooLarge { .. } => {
                "Evaluate a part of the rows: put a LIMIT into the query, or TABLESAMPLE behind the table in it."
            }
            _ => return None,
        };
        Some(hint.into())
    }
}
