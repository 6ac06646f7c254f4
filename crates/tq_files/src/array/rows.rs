//! Rows of a dense array, read in blocks from the mapping.

use std::sync::Arc;

use tq_memory::Grow;

use super::model::{Array, Coding, Layout};
use crate::io::at;
use crate::rows::{Element, Real, RealRowReader, convert, unpack};
use crate::zip::Inflate;
use crate::{ContainerError, MappedFile, RowsError};

/// Bytes that are converted at a time: what fits into the cache.
const BLOCK: u64 = 1 << 20;
/// Bytes in front of a row that says how many columns it has.
const COUNT: u64 = 4;

/// Reads an array of two dimensions.
pub(super) struct ArrayRows {
    file: Arc<MappedFile>,
    coding: Coding,
    walk: Walk,
    /// Where the array begins.
    offset: u64,
    /// What inflates it, if it is deflated, and its bytes.
    inflated: Option<(Box<Inflate>, Vec<u8>)>,
    /// All of its bytes, if it is deflated and its rows aren't one behind the other.
    memory: Option<Vec<u8>>,
    dimension: u32,
    rows: u64,
    /// Rows read so far.
    next: u64,
}

/// How the numbers lie.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Walk {
    /// Row behind row.
    Rows,
    /// Row behind row, each behind its number of columns.
    CountedRows,
    /// So many bytes from row to row, and from column to column.
    Strided { row: u64, column: u64 },
}

impl Coding {
    /// Bytes of so many numbers of a row.
    fn bytes(self, count: u64) -> u64 {
        match self {
            Coding::Numbers { element, .. } => count * element.width(),
            Coding::Packed(packing) => count / packing.cells() * packing.bytes(),
        }
    }

    /// Appends the numbers in `bytes`.
    fn convert<N: Real>(self, bytes: &[u8], out: &mut Vec<N>) {
        match self {
            Coding::Numbers { element, big_endian } => convert(element, big_endian, bytes, out),
            Coding::Packed(packing) => unpack(packing, bytes, out),
        }
    }
}

impl ArrayRows {
    /// Of an array that lies in the file.
    ///
    /// # Errors
    /// [`ContainerError::NotRows`].
    pub(super) fn new(
        file: Arc<MappedFile>,
        array: Array,
        poll: &mut dyn FnMut(),
    ) -> Result<Self, RowsError> {
        let (coding, rows, dimension) = match array.matrix() {
            Ok(matrix) => matrix,
            Err(obstacle) => return Err(ContainerError::NotRows { tensor: array.name, obstacle }.into()),
        };
        let width = coding.bytes(1);
        let walk = match &array.layout {
            // With one row or column there is no difference, and the way below is the faster one.
            Layout::Columns if rows > 1 && dimension > 1 => {
                Walk::Strided { row: width, column: rows * width }
            }
            Layout::CountedRows => Walk::CountedRows,
            Layout::Rows | Layout::Columns => Walk::Rows,
            Layout::Strided(strides) => match strides[..] {
                [row, column] => Walk::Strided { row, column },
                // It has as many as the array has dimensions.
                _ => Walk::Rows,
            },
        };
        let (mut offset, mut memory) = (array.offset, None);
        let mut inflated = inflated(&file, &array)?.map(|content| (Box::new(content), Vec::new()));
        if let (Walk::Strided { .. }, Some((content, _))) = (walk, &mut inflated) {
            memory = Some(inflate_all(&file, &array, content, poll)?);
            (offset, inflated) = (0, None);
        }
        Ok(ArrayRows { file, coding, walk, offset, inflated, memory, dimension, rows, next: 0 })
    }

    /// Bytes of a row's numbers.
    fn width(&self) -> u64 {
        self.coding.bytes(self.dimension.into())
    }

    /// Appends so many rows that stand in `bytes`, each behind its number of columns; the first has the number `next`.
    fn counted<N: Real>(&self, bytes: &[u8], out: &mut Vec<N>) -> Result<(), ContainerError> {
        let expected = self.dimension.to_le_bytes();
        for (row, bytes) in (self.next..).zip(bytes.chunks_exact((COUNT + self.width()) as usize)) {
            match bytes.split_first_chunk() {
                Some((count, numbers)) if *count == expected => self.coding.convert(numbers, out),
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

    /// Appends so many rows of an array in `bytes` that has so many bytes from row to row and from column to column.
    fn strided<N: Real>(
        &self,
        bytes: &[u8],
        count: usize,
        (row, column): (u64, u64),
        out: &mut Vec<N>,
    ) -> Result<(), RowsError> {
        let width = self.coding.bytes(1);
        let first = self.offset + self.next * row;
        if column == width {
            for index in 0..count as u64 {
                let numbers = bytes.get(at(first + index * row, self.width())).unwrap_or_default();
                self.coding.convert(numbers, out);
            }
            return Ok(());
        }
        let (start, dimension) = (out.len(), self.dimension as usize);
        out.try_resize(start + count * dimension, N::default())?;
        let mut some: Vec<N> = tq_memory::with_capacity(count)?;
        let mut gathered: Vec<u8> = Vec::new();
        for index in 0..dimension {
            let place = first + index as u64 * column;
            some.clear();
            if row == width {
                let numbers = bytes.get(at(place, count as u64 * width)).unwrap_or_default();
                self.coding.convert(numbers, &mut some);
            } else {
                gathered.clear();
                gathered.try_room(count * width as usize)?;
                for index in 0..count as u64 {
                    gathered.extend_from_slice(bytes.get(at(place + index * row, width)).unwrap_or_default());
                }
                self.coding.convert(&gathered, &mut some);
            }
            let cells = out[start + index..].iter_mut().step_by(dimension);
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

/// All cells of an array that is deflated.
pub(super) fn inflate_all(
    file: &MappedFile,
    array: &Array,
    content: &mut Inflate,
    poll: &mut dyn FnMut(),
) -> Result<Vec<u8>, RowsError> {
    let bytes = usize::try_from(array.bytes().unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    let mut all = tq_memory::filled(bytes, 0)?;
    for some in all.chunks_mut(BLOCK as usize) {
        poll();
        content.fill(file, some)?;
    }
    Ok(all)
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
        matches!(self.coding, Coding::Numbers { element: Element::F64, .. })
    }

    fn read_next<N: Real>(&mut self, most: usize, out: &mut Vec<N>) -> Result<usize, RowsError> {
        let rows = (BLOCK / self.width()).clamp(1, (most as u64).max(1)).min(self.rows - self.next);
        if rows == 0 {
            return Ok(0);
        }
        out.try_room((rows * u64::from(self.dimension)) as usize)?;
        let row_bytes = match self.walk {
            Walk::Rows => self.width(),
            Walk::CountedRows => COUNT + self.width(),
            Walk::Strided { row, .. } => row,
        };
        // All rows lie within the file as it was mapped, so these numbers fit.
        let place = self.offset + self.next * row_bytes;
        let range = at(place, rows * row_bytes);
        if let Some((content, bytes)) = &mut self.inflated {
            bytes.try_resize((rows * row_bytes) as usize, 0)?;
            content.fill(&self.file, bytes)?;
            self.coding.convert(bytes, out);
            self.next += rows;
            return Ok(rows as usize);
        }
        match self.walk {
            Walk::Rows => {
                let coding = self.coding;
                self.file.read(|bytes| coding.convert(bytes.get(range).unwrap_or_default(), out))?;
                self.file.release_below(place);
            }
            Walk::CountedRows => {
                self.file.read(|bytes| self.counted(bytes.get(range).unwrap_or_default(), out))??;
                self.file.release_below(place);
            }
            Walk::Strided { row, column } if self.memory.is_some() => {
                let memory = self.memory.take().unwrap_or_default();
                let read = self.strided(&memory, rows as usize, (row, column), out);
                self.memory = Some(memory);
                read?;
            }
            Walk::Strided { row, column } => {
                self.file.read(|bytes| self.strided(bytes, rows as usize, (row, column), out))??;
            }
        }
        self.next += rows;
        Ok(rows as usize)
    }
}
