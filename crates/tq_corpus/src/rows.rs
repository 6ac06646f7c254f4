//! Vectors as rows of floats, on their way from one file to another place.
//!
//! Every format that holds more than Level-1 records is read through [`RowReader`] and written through [`RowWriter`], front
//! to back and in blocks, so that a file larger than memory costs no more than a block. What a writer makes goes to an
//! [`Output`]: a file that appears whole or not at all, or whatever else the caller has.

use tq_codec::CodecError;
use tq_format::{CorpusError, QvecError};
use tq_memory::OutOfMemory;

use crate::{AtomicFile, ContainerError, CorpusFileError, FileError};

/// A matrix that is read front to back.
pub trait RowReader: Send {
    /// Numbers in a row, at least 1.
    fn dimension(&self) -> u32;

    /// Rows of the whole matrix.
    fn rows(&self) -> u64;

    /// Appends the next rows to `out`, `dimension` numbers each, `most` rows at most (at least one unless the end is
    /// reached), and returns how many these are; 0 at the end. All numbers are finite. After an error there is no going on.
    ///
    /// # Errors
    /// The file changed or is malformed, or a number isn't finite in `f32`.
    fn read(&mut self, most: usize, out: &mut Vec<f32>) -> Result<usize, RowsError>;
}

/// A matrix that is being written.
pub trait RowWriter {
    /// Adds rows: a whole number of them, one behind the other. All numbers must be finite.
    ///
    /// # Errors
    /// The output's, and rows that the format can't hold.
    fn append(&mut self, rows: &[f32]) -> Result<(), RowsError>;

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

impl From<CorpusFileError> for RowsError {
    fn from(error: CorpusFileError) -> Self {
        match error {
            CorpusFileError::File(error) => RowsError::File(error),
            CorpusFileError::Format(error) => RowsError::Corpus(error),
        }
    }
}

/// Refuses rows with a number that isn't finite; the first of them is row `first`, counted from 0, of the whole.
pub(crate) fn check_finite(rows: &[f32], dimension: u32, first: u64) -> Result<(), RowsError> {
    let Some(index) = first_not_finite(rows) else { return Ok(()) };
    let problem = if rows[index].is_nan() { "not a number" } else { "infinite" };
    let (row, column) = (index as u64 / u64::from(dimension), index as u64 % u64::from(dimension));
    // Both are smaller than what they are counted in.
    Err(RowsError::Value {
        row: first.saturating_add(row).saturating_add(1),
        column: column as u32 + 1,
        problem,
    })
}

/// Where the first number stands that is infinite or none.
fn first_not_finite(numbers: &[f32]) -> Option<usize> {
    const EXPONENT: u32 = f32::INFINITY.to_bits();
    // An exponent of ones carries into the sign when its lowest bit is added. Without a branch for each number, the
    // compiler uses vector instructions.
    let carry = |number: &f32| (number.to_bits() & EXPONENT) + (1 << (f32::MANTISSA_DIGITS - 1));
    let all_finite = |step: &[f32]| step.iter().fold(0, |bits, number| bits | carry(number)) >> 31 == 0;
    let step = numbers.chunks(256).position(|step| !all_finite(step))?;
    numbers[step * 256..].iter().position(|number| !number.is_finite()).map(|index| step * 256 + index)
}
