//! A block of rows on its way from a reader to a writer, in single or double precision.

use super::{RowReader, RowWriter, RowsError};

/// Rows on their way from a reader to wherever they go, in the precision that is needed there.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// Single precision.
    Single(Vec<f32>),
    /// Double precision.
    Double(Vec<f64>),
}

impl Numbers {
    /// No numbers yet, of double precision or single.
    pub fn new(double: bool) -> Self {
        match double {
            false => Numbers::Single(Vec::new()),
            true => Numbers::Double(Vec::new()),
        }
    }

    /// Bytes of a number.
    pub fn width(&self) -> usize {
        match self {
            Numbers::Single(_) => size_of::<f32>(),
            Numbers::Double(_) => size_of::<f64>(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Numbers::Single(numbers) => numbers.len(),
            Numbers::Double(numbers) => numbers.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets them, but keeps the room they had.
    pub fn clear(&mut self) {
        match self {
            Numbers::Single(numbers) => numbers.clear(),
            Numbers::Double(numbers) => numbers.clear(),
        }
    }

    /// Replaces them by the next rows, at most so many, and returns how many these are; 0 at the end.
    ///
    /// # Errors
    /// The reader's.
    pub fn read(&mut self, reader: &mut dyn RowReader, most: usize) -> Result<usize, RowsError> {
        self.clear();
        match self {
            Numbers::Single(numbers) => reader.read(most, numbers),
            Numbers::Double(numbers) => reader.read_doubles(most, numbers),
        }
    }

    /// [`read`](Self::read), with numbers that aren't finite as they are.
    ///
    /// # Errors
    /// The reader's.
    pub fn read_any(&mut self, reader: &mut dyn RowReader, most: usize) -> Result<usize, RowsError> {
        self.clear();
        match self {
            Numbers::Single(numbers) => reader.read_any(most, numbers),
            Numbers::Double(numbers) => reader.read_any_doubles(most, numbers),
        }
    }

    /// Writes them as rows.
    ///
    /// # Errors
    /// The writer's.
    pub fn write(&self, writer: &mut dyn RowWriter) -> Result<(), RowsError> {
        match self {
            Numbers::Single(numbers) => writer.append(numbers),
            Numbers::Double(numbers) => writer.append_doubles(numbers),
        }
    }
}
