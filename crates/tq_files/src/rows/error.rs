//! Why rows could not be read or written: a number, a row, what the format can't hold, or the file.

use tq_codec::CodecError;
use tq_format::{CorpusError, qvec};
use tq_memory::OutOfMemory;

use crate::container::ContainerError;
use crate::io::FileError;

/// Why rows could not be read or written.
#[derive(thiserror::Error, Debug)]
pub enum RowsError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// What stands in a file of tensors.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// There is no memory for a block of rows.
    #[error("{0}")]
    Memory(#[from] OutOfMemory),
    /// What stands in a corpus.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// What stands in an index of quantvec.
    #[error(transparent)]
    Qvec(#[from] qvec::Error),
    /// What the vectors were to be compressed with can't be had.
    #[error(transparent)]
    Setup(CodecError),
    /// A seed that a QVEC file can't have.
    #[error("seed {seed} is not finite")]
    QvecSeed {
        /// The seed asked for.
        seed: f64,
    },
    /// More vectors than quantvec reads rightly.
    #[error(
        "a qvec file of this dimension and width has at most {most} vectors: quantvec misreads 256 MiB of codes and more"
    )]
    QvecTooMany {
        /// The greatest number of vectors.
        most: u64,
    },
    /// An id that would not be read as what it is.
    #[error("row {row}: {id} can't be an id of a qvec file")]
    QvecId {
        /// The row, counted from 1.
        row: u64,
        /// The id.
        id: String,
    },
    /// An id that another row has.
    #[error("row {row}: id {id} is that of row {first} too")]
    QvecDuplicateId {
        /// The row, counted from 1.
        row: u64,
        /// The row that had the id first.
        first: u64,
        /// The id.
        id: String,
    },
    /// Not every row has an id, or not every id a row.
    #[error("{ids} ids were given for {expected} rows")]
    QvecIdCount {
        /// The ids given.
        ids: u32,
        /// The rows that have one.
        expected: u32,
    },
    /// A vector that can't be compressed, or a record that can't be decompressed.
    #[error("row {row}: {source}")]
    Codec {
        /// The row, counted from 1.
        row: u64,
        /// What is wrong with it.
        source: CodecError,
    },
    /// A number that vectors can't have.
    #[error("row {row}, column {column}: {problem}")]
    Value {
        /// The row, counted from 1.
        row: u64,
        /// The place in the row, counted from 1.
        column: u32,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl RowsError {
    /// The row, counted from 1, that has a number that vectors can't have. A reader has appended the rows before it.
    pub fn row(&self) -> Option<u64> {
        match self {
            RowsError::Value { row, .. } => Some(*row),
            _ => None,
        }
    }
}
