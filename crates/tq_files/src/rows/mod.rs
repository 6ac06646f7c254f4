//! Vectors as rows of floats, on their way from one file to another place.
//!
//! Every format that holds more than Level-1 records is read through [`RowReader`] and written through [`RowWriter`], front
//! to back and in blocks, so that a file larger than memory costs no more than a block. What a writer makes goes to an
//! [`Output`](crate::Output): a file that appears whole or not at all, or whatever else the caller has.

mod check;
mod element;
mod error;
mod floats;
mod numbers;
mod packed;
mod real;

pub(crate) use check::{check_finite, check_read, to_singles};
pub(crate) use element::{Element, convert, number};
pub use error::RowsError;
pub use floats::FloatType;
pub use numbers::Numbers;
pub(crate) use packed::{Packing, unpack};
pub use real::Real;

use crate::{ContainerError, Id};

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

    /// [`read`](Self::read), with numbers that aren't finite as they are: for callers who look at each row, and go on behind
    /// one that they can't use.
    ///
    /// # Errors
    /// The file changed or is malformed.
    fn read_any(&mut self, most: usize, out: &mut Vec<f32>) -> Result<usize, RowsError>;

    /// [`read_any`](Self::read_any) in double precision.
    ///
    /// # Errors
    /// As for [`read_any`](Self::read_any).
    fn read_any_doubles(&mut self, most: usize, out: &mut Vec<f64>) -> Result<usize, RowsError> {
        let mut rows = Vec::new();
        let count = self.read_any(most, &mut rows)?;
        out.extend(rows.into_iter().map(f64::from));
        Ok(count)
    }
}

/// A matrix that is read by the same code in either precision.
pub(crate) trait RealRowReader: Send {
    /// As [`RowReader::dimension`].
    fn dimension(&self) -> u32;

    /// As [`RowReader::rows`].
    fn rows(&self) -> u64;

    /// How many rows were read.
    fn next(&self) -> u64;

    /// Whether the file has doubles, which may be infinite in single precision alone.
    fn of_doubles(&self) -> bool;

    /// As [`RowReader::read_any`].
    ///
    /// # Errors
    /// As for [`RowReader::read_any`].
    fn read_next<N: Real>(&mut self, most: usize, out: &mut Vec<N>) -> Result<usize, RowsError>;
}

/// As [`RowReader::read`].
fn read_finite<N: Real>(
    reader: &mut impl RealRowReader,
    most: usize,
    out: &mut Vec<N>,
) -> Result<usize, RowsError> {
    let (start, first) = (out.len(), reader.next());
    let count = reader.read_next(most, out)?;
    check_read(reader.of_doubles(), &out[start..], RealRowReader::dimension(reader), first)?;
    Ok(count)
}

impl<R: RealRowReader> RowReader for R {
    fn dimension(&self) -> u32 {
        RealRowReader::dimension(self)
    }

    fn rows(&self) -> u64 {
        RealRowReader::rows(self)
    }

    fn read(&mut self, most: usize, out: &mut Vec<f32>) -> Result<usize, RowsError> {
        read_finite(self, most, out)
    }

    fn read_doubles(&mut self, most: usize, out: &mut Vec<f64>) -> Result<usize, RowsError> {
        read_finite(self, most, out)
    }

    fn read_any(&mut self, most: usize, out: &mut Vec<f32>) -> Result<usize, RowsError> {
        self.read_next(most, out)
    }

    fn read_any_doubles(&mut self, most: usize, out: &mut Vec<f64>) -> Result<usize, RowsError> {
        self.read_next(most, out)
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

    /// Adds ids, one for each row and in their order, to a file that has them in a tensor of their own.
    ///
    /// # Errors
    /// The file has none; an id that it can't hold; the system's.
    fn append_ids(&mut self, ids: &[Id]) -> Result<(), RowsError> {
        match ids.is_empty() {
            true => Ok(()),
            false => Err(ContainerError::Unsupported("the file has no ids".to_owned()).into()),
        }
    }

    /// Bytes written so far.
    fn bytes(&self) -> u64;

    /// Writes what is left and completes the output.
    ///
    /// # Errors
    /// As for [`append`](Self::append).
    fn finish(self: Box<Self>) -> Result<(), RowsError>;
}
