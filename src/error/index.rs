//! What an index is asked for in vain.

use pgrx::PgSqlErrorCode as Code;

/// A use that an index isn't made for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexUseError {
    #[error("\"{0}\" is not an index of access method tinyquant")]
    NotAnIndex(String),
    #[error("\"{0}\" is the index of a partitioned table")]
    Partitioned(String),
    #[error("index \"{0}\" is not valid")]
    Invalid(String),
    #[error("a tinyquant index can't be read backwards")]
    Backwards,
    #[error("a tinyquant index can only be read under a snapshot of a transaction")]
    NoSnapshot,
    #[error("the operator class orders by nothing that a tinyquant index knows")]
    NoMetric,
    #[error(
        "\"bits\" is for indexes on vector and halfvec; the codes of a tqvec column are the index's as they are"
    )]
    BitsOfRecords,
    #[error("an index on vector or halfvec keeps its codes in the index")]
    FloatsInTable,
}

impl IndexUseError {
    pub(super) fn code(&self) -> Code {
        match self {
            IndexUseError::NotAnIndex(_) | IndexUseError::Partitioned(_) => Code::ERRCODE_WRONG_OBJECT_TYPE,
            IndexUseError::Invalid(_) => Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            IndexUseError::Backwards | IndexUseError::NoSnapshot => Code::ERRCODE_FEATURE_NOT_SUPPORTED,
            IndexUseError::NoMetric => Code::ERRCODE_INVALID_OBJECT_DEFINITION,
            IndexUseError::BitsOfRecords | IndexUseError::FloatsInTable => {
                Code::ERRCODE_INVALID_PARAMETER_VALUE
            }
        }
    }

    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            IndexUseError::NotAnIndex(_) => Some("Name an index that was made with USING tinyquant."),
            IndexUseError::Partitioned(_) => Some("Name the index of one of its partitions."),
            IndexUseError::Invalid(_) => Some(
                "The CREATE INDEX CONCURRENTLY or REINDEX CONCURRENTLY that made it has failed, or goes on; drop it or REINDEX it.",
            ),
            IndexUseError::Backwards => Some("Declare the cursor WITH HOLD or SCROLL, or fetch forwards."),
            IndexUseError::NoMetric => Some(
                "Use tqvec_cosine_ops, tqvec_l2_ops or tqvec_ip_ops; for pgvector's types vector_cosine_ops, halfvec_cosine_ops and so on.",
            ),
            IndexUseError::BitsOfRecords => Some(
                "Leave it out, or compress the column to other records first: ALTER TABLE ... TYPE tqvec(dimensions, bits).",
            ),
            IndexUseError::FloatsInTable => {
                Some("Leave out refine = table; the floats themselves are measured in the table in any case.")
            }
            IndexUseError::NoSnapshot => None,
        }
    }
}
