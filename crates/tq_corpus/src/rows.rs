//! Vectors as rows of floats, on their way from one file to another place.
//!
//! Every format that holds more than Level-1 records is read through [`RowReader`] and written through [`RowWriter`], front
//! to back and in blocks, so that a file larger than memory costs no more than a block. What a writer makes goes to an
//! [`Output`]: a file that appears whole or not at all, or whatever else the caller has.

use tq_codec::CodecError;
use tq_format::{CorpusError, QvecError};
use tq_memory::OutOfMemory;

use crate::number::Real;
use crate::{AtomicFile, ContainerError, CorpusFileError, FileError};

/// A matrix that is read front to back.
pub trait RowReader: Send {
    /// Numbers in a row, at least 1.
    fn dimension(&self) -> u32;

    /// Rows of the whole matrix.
    fn rows(&self) -> u64;

    /// Appends the next rows to `out`, `dimension` numbers each, `most` rows at most (at least one unless the end is
    /// reached), and returns how many these are; 0 at the end. All numbers are finite. After an error there is no going on;
    /// what was appended then is of use only as [`RowsError::row`] says.
    ///
    /// # Errors
    /// The file changed or is malformed, or a number isn't finite in `f32`.
    fn read(&mut self, most: usize, out: &mut Vec<f32>) -> Result<usize, RowsError>;

    /// [`read`](Self::read) in double precision: the numbers of the file, or the nearest to whole ones beyond 2^53.
    ///
    /// What is decoded from codes is single precision anyway, and is so here.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    fn read_doubles(&mut self, most: usize, out: &mut Vec<f64>) -> Result<usize, RowsError> {
        let mut rows = Vec::new();
        let count = self.read(most, &mut rows)?;
        out.extend(rows.into_iter().map(f64::from));
        Ok(count)
    }
}

/// A matrix that is being written.
pub trait RowWriter {
    /// Adds rows: a whole number of them, one behind the other. All numbers must be finite.
    ///
    /// # Errors
    /// The output's, and rows that the format can't hold.
    fn append(&mut self, rows: &[f32]) -> Result<(), RowsError>;

    /// [`append`](Self::append) in double precision, which the file's numbers keep or are rounded from.
    ///
    /// # Errors
    /// As for [`append`](Self::append), and numbers that are too large for those of the file.
    fn append_doubles(&mut self, rows: &[f64]) -> Result<(), RowsError>;

    /// Bytes written so far.
    fn bytes(&self) -> u64;

    /// Writes what is left and completes the output.
    ///
    /// # Errors
    /// As for [`append`](Self::append).
    fn finish(self: Box<Self>) -> Result<(), RowsError>;
}

/// Where a writer's bytes go.
pub trait Output {
    /// Adds bytes at the end.
    ///
    /// # Errors
    /// [`FileError::Io`].
    fn append(&mut self, bytes: &[u8]) -> Result<(), FileError>;

    /// Replaces bytes that were written before.
    ///
    /// # Errors
    /// [`FileError::Io`].
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FileError>;

    /// Bytes appended so far.
    fn position(&self) -> u64;

    /// Makes the output appear, complete and durable.
    ///
    /// # Errors
    /// [`FileError::Io`].
    fn complete(self: Box<Self>) -> Result<(), FileError>;
}

impl Output for AtomicFile {
    fn append(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        AtomicFile::append(self, bytes)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FileError> {
        AtomicFile::write_at(self, offset, bytes)
    }

    fn position(&self) -> u64 {
        self.len()
    }

    fn complete(mut self: Box<Self>) -> Result<(), FileError> {
        self.sync()?;
        (*self).finish()
    }
}

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
    Qvec(#[from] QvecError),
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

impl From<CorpusFileError> for RowsError {
    fn from(error: CorpusFileError) -> Self {
        match error {
            CorpusFileError::File(error) => RowsError::File(error),
            CorpusFileError::Format(error) => RowsError::Corpus(error),
        }
    }
}

/// Refuses rows with a number that isn't finite; the first of them is row `first`, counted from 0, of the whole.
pub(crate) fn check_finite<N: Real>(rows: &[N], dimension: u32, first: u64) -> Result<(), RowsError> {
    let Some(index) = first_not_finite(rows) else { return Ok(()) };
    let problem = if rows[index].is_nan() { "not a number" } else { "infinite" };
    Err(value_error(index, dimension, first, problem))
}

/// [`check_finite`] of numbers that were read from `f64`, or from others, which can't become infinite.
pub(crate) fn check_read<N: Real>(
    from_doubles: bool,
    rows: &[N],
    dimension: u32,
    first: u64,
) -> Result<(), RowsError> {
    check_finite(rows, dimension, first).map_err(|error| match error {
        RowsError::Value { row, column, problem: "infinite" } if from_doubles && !N::DOUBLE => {
            RowsError::Value { row, column, problem: "infinite in single precision" }
        }
        other => other,
    })
}

/// What is wrong with the number at `index` of rows, the first of which is row `first`, counted from 0, of the whole.
pub(crate) fn value_error(index: usize, dimension: u32, first: u64, problem: &'static str) -> RowsError {
    let (row, column) = (index as u64 / u64::from(dimension), index as u64 % u64::from(dimension));
    // Both are smaller than what they are counted in.
    RowsError::Value { row: first.saturating_add(row).saturating_add(1), column: column as u32 + 1, problem }
}

/// Rows in single precision, for what holds no other.
///
/// # Errors
/// [`RowsError::Value`] for a number that isn't finite, or not any more.
pub(crate) fn to_singles(rows: &[f64], dimension: u32, first: u64) -> Result<Vec<f32>, RowsError> {
    check_finite(rows, dimension, first)?;
    let singles: Vec<f32> = rows.iter().map(|number| *number as f32).collect();
    match first_not_finite(&singles) {
        None => Ok(singles),
        Some(index) => Err(value_error(index, dimension, first, TOO_LARGE_FOR_SINGLE)),
    }
}

/// What is wrong with a number that single precision can't hold.
pub(crate) const TOO_LARGE_FOR_SINGLE: &str = "too large for single precision";

/// Where the first number stands that is infinite or none.
pub(crate) fn first_not_finite<N: Real>(numbers: &[N]) -> Option<usize> {
    let step = numbers.chunks(256).position(|step| !N::all_finite(step))?;
    numbers[step * 256..].iter().position(|number| !number.is_finite()).map(|index| step * 256 + index)
}
