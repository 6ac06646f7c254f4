//! Why an index can't be read or searched.

use tq_codec::CodecError;
use tq_format::qvec;
use tq_memory::OutOfMemory;

use crate::io::FileError;
use crate::rows::RowsError;

/// Why an index could not be read or searched.
#[derive(thiserror::Error, Debug)]
#[non_exhaustive]
pub enum QvecFileError {
    /// The file, whatever it contains.
    #[error(transparent)]
    File(#[from] FileError),
    /// Its contents.
    #[error(transparent)]
    Format(#[from] qvec::Error),
    /// Its codec can't be made, the query doesn't fit it, or a worker failed.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl From<OutOfMemory> for QvecFileError {
    fn from(error: OutOfMemory) -> Self {
        QvecFileError::Codec(error.into())
    }
}

impl From<QvecFileError> for RowsError {
    fn from(error: QvecFileError) -> Self {
        match error {
            QvecFileError::File(error) => RowsError::File(error),
            QvecFileError::Format(error) => RowsError::Qvec(error),
            QvecFileError::Codec(error) => RowsError::Setup(error),
        }
    }
}
