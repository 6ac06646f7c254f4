//! What goes wrong with leaving out rows that can't be stored: how it was asked for, and that there were too many.

use pgrx::PgSqlErrorCode as Code;

/// What goes wrong with leaving out rows that can't be stored. The names are those of options of COPY, or of arguments.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RejectError {
    #[error("{what} \"{value}\" not recognized")]
    Choice { what: &'static str, value: String, known: &'static str },
    #[error("{what} ({limit}) must be greater than zero")]
    LimitRange { what: &'static str, limit: i64 },
    #[error("{0}")]
    LimitAlone(&'static str),
    #[error("skipped more than {what} ({limit}) rows due to data type incompatibility")]
    TooMany { what: &'static str, limit: u64, first: String, hint: Option<String> },
    #[error(
        "set column \"{column}\" to null in more than {what} ({limit}) rows due to data type incompatibility"
    )]
    TooManyNulls { what: &'static str, column: String, limit: u64, first: String, hint: Option<String> },
}

impl RejectError {
    pub(super) fn code(&self) -> Code {
        match self {
            RejectError::Choice { .. } | RejectError::LimitRange { .. } | RejectError::LimitAlone(_) => {
                Code::ERRCODE_INVALID_PARAMETER_VALUE
            }
            // As core has it.
            RejectError::TooMany { .. } | RejectError::TooManyNulls { .. } => {
                Code::ERRCODE_INVALID_TEXT_REPRESENTATION
            }
        }
    }

    pub(super) fn detail(&self) -> Option<String> {
        match self {
            RejectError::TooMany { first, .. } | RejectError::TooManyNulls { first, .. } => {
                Some(first.clone())
            }
            _ => None,
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        match self {
            RejectError::Choice { known, .. } => Some(format!("It can be {known}.")),
            RejectError::LimitAlone(_) => {
                Some("Otherwise the first row that can't be stored is an error.".into())
            }
            RejectError::TooMany { hint, .. } | RejectError::TooManyNulls { hint, .. } => hint.clone(),
            RejectError::LimitRange { .. } => None,
        }
    }
}
