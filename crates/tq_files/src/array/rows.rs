//! Rows of a dense array, read in blocks from the mapping.

use std::sync::Arc;

use tq_memory::Grow;

use super::model::Array;
use crate::io::at;
use crate::rows::{Element, Real, RealRowReader, convert};
use crate::zip::Inflate;
use crate::{ContainerError, MappedFile, RowsError};

/// Bytes that are converted at a time: what fits into the cache.
const BLOCK: u64 = 1 << 20;
/// Bytes in front of a row that says how many columns it has.
const COUNT: u64 = 4;

/// Reads an array of two dimensions.
pub(super) struct ArrayRows {
    file: Arc<MappedFile>,
    element: Element,
    big_endian: bool,
    layout: Layout,
    /// Where the array begins.
    offset: u64,
    /// What inflates it, if it is deflated, and its bytes.
    inflated: Option<(Box<Inflate>, Vec<u8>)>,
    dimension: u32,
    rows: u64,
    /// Rows read so far.
    next: u64,
}

/// How the numbers lie.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Row behind row.
    Rows,
    /// Row behind row, each behind its number of columns.
    CountedRows,
    /// Column behind column.
    Columns,
}

impl ArrayRows {
    /// Of an array that lies in the file.
    ///
    /// # Errors
    /// [`ContainerError::NotRows`].
    pub(super) fn new(file: Arc<MappedFile>, array: Array) -> Result<Self, RowsError> {
        let (element, rows, dimension) = match array.matrix() {
            Ok(matrix) => matrix,
            Err(obstacle) => return Err(ContainerError::NotRows { tensor: array.name, obstacle }.into()),
        };
        let layout = match (array.columns_first, array.counted_rows) {
            // With one row or column there is no difference, and this way is the faster one.
            (true, _) if rows > 1 && dimension > 1 => Layout::Columns,
            (_, true) => Layout::CountedRows,
            (_, false) => Layout::Rows,
        };
        let (big_endian, offset) = (array.big_endian, array.offset);
        let inflated = inflated(&file, &array)?.map(|content| (Box::new(content), Vec::new()));
        Ok(ArrayRows { file, element, big_endian, layout, offset, inflated, dimension, rows, next: 0 })
    }

    /// Bytes of a row's numbers.
    fn width(&self) -> u64 {
        u64::from(self.dimension) * self.element.width()
    }

    /// Appends so many rows that stand in `bytes`, each behind its number of columns; the first has the number `next`.
    fn counted<N: Real>(&self, bytes: &[u8], out: &mut Vec<N>) -> Result<(), ContainerError> {
        let expected = self.dimension.to_le_bytes();
        for (row, bytes) in (self.next..).zip(bytes.chunks_exact((COUNT + self.width()) as usize)) {
            match bytes.split_first_chunk() {
                Some((count, numbers)) if *count == expected => {
                    convert(self.element, self.big_endian, numbers, out);
                }
                Some((count, _)) => {
                    return Err(ContainerError::Malformed(format!(
                        "row {} has {} columns, and the first has {}",
                        row + 1,
                        u32::from_le_bytes(*count),
                        self.dimension
                    )));
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Appends so many rows of an array that lies column behind column in `bytes`.
    fn columns<N: Real>(&self, bytes: &[u8], count: usize, out: &mut Vec<N>) -> Result<(), RowsError> {
        let (start, dimension) = (out.len(), self.dimension as usize);
        out.try_resize(start + count * dimension, N::default())?;
        let mut some: Vec<N> = tq_memory::with_capacity(count)?;
        let (width, column_bytes) = (self.element.width(), self.rows * self.element.width());
        for column in 0..dimension {
            let place = self.offset + column as u64 * column_bytes + self.next * width;
            some.clear();
            let numbers = bytes.get(at(place, count as u64 * width)).unwrap_or_default();
            convert(self.element, self.big_endian, numbers, &mut some);
            let cells = out[start + column..].iter_mut().step_by(dimension);
            cells.zip(&some).for_each(|(cell, number)| *cell = *number);
        }
        Ok(())
    }
}

/// What inflates an array, from its first cell on; `None` if it isn't deflated.
pub(super) fn inflated(file: &MappedFile, array: &Array) -> Result<Option<Inflate>, RowsError> {
    let Some(entry) = array.deflated() else { return Ok(None) };
    let mut content = Inflate::new(entry)?;
    // What stands in front of it is a header, which was bounded.
    let mut front = tq_memory::filled(array.offset as usize, 0)?;
    content.fill(file, &mut front)?;
    Ok(Some(content))
}

impl RealRowReader for ArrayRows {
    fn dimension(&self) -> u32 {
        self.dimension
    }

    fn rows(&self) -> u64 {
        self.rows
    }

    fn next(&self) -> u64 {
        self.next
    }

    fn of_doubles(&self) -> bool {
        self.element == Element::F64
    }

    fn read_next<N: Real>(&mut self, most: usize, out: &mut Vec<N>) -> Result<usize, RowsError> {
        let rows = (BLOCK / self.width()).clamp(1, (most as u64).max(1)).min(self.rows - self.next);
        if rows == 0 {
            return Ok(0);
        }
        out.try_room((rows * u64::from(self.dimension)) as usize)?;
        let row_bytes = match self.layout {
            Layout::Rows | Layout::Columns => self.width(),
            Layout::CountedRows => COUNT + self.width(),
        };
        // All rows lie within the file as it was mapped, so these numbers fit.
        let place = self.offset + self.next * row_bytes;
        let range = at(place, rows * row_bytes);
        if let Some((content, bytes)) = &mut self.inflated {
            bytes.try_resize((rows * row_bytes) as usize, 0)?;
            content.fill(&self.file, bytes)?;
            convert(self.element, self.big_endian, bytes, out);
            self.next += rows;
            return Ok(rows as usize);
        }
        match self.layout {
            Layout::Rows => {
                let (element, big) = (self.element, self.big_endian);
                self.file.read(|bytes| convert(element, big, bytes.get(range).unwrap_or_default(), out))?;
                self.file.release_below(place);
            }
            Layout::CountedRows => {
                self.file.read(|bytes| self.counted(bytes.get(range).unwrap_or_default(), out))??;
                self.file.release_below(place);
            }
            Layout::Columns => self.file.read(|bytes| self.columns(bytes, rows as usize, out))??,
        }
        self.next += rows;
        Ok(rows as usize)
    }
}
