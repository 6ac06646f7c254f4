//! What readers of sparse tensors share: parts of whole numbers, and rows that are filled cell by cell.

use tq_memory::{Grow, OutOfMemory};

use super::stream::Stream;
use crate::ztensor::model::Object;
use crate::ztensor::types::Element;
use crate::{ContainerError, MappedFile, RowsError};

/// Indices: a part of `u64` or `u32`.
pub(in crate::ztensor) struct Indices {
    stream: Stream,
    element: Element,
    buffer: Vec<u8>,
}

impl Indices {
    pub(in crate::ztensor) fn new(stream: Stream, element: Element) -> Self {
        Indices { stream, element, buffer: Vec::new() }
    }

    /// Replaces `out` by the next `count`.
    pub(in crate::ztensor) fn read(
        &mut self,
        file: &MappedFile,
        count: usize,
        out: &mut Vec<u64>,
    ) -> Result<(), RowsError> {
        self.buffer.try_resize(count * self.element.width() as usize, 0)?;
        self.stream.fill(file, &mut self.buffer)?;
        out.clear();
        out.try_room_exact(count)?;
        match self.element {
            Element::U32 => {
                out.extend(
                    self.buffer.as_chunks().0.iter().map(|bytes| u64::from(u32::from_le_bytes(*bytes))),
                );
            }
            _ => out.extend(self.buffer.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes))),
        }
        Ok(())
    }

    pub(in crate::ztensor) fn finish(&mut self, file: &MappedFile) -> Result<(), RowsError> {
        self.stream.finish(file)
    }
}

/// Values of entries.
pub(in crate::ztensor) struct Values {
    stream: Stream,
    element: Element,
    buffer: Vec<u8>,
}

impl Values {
    pub(in crate::ztensor) fn new(stream: Stream, element: Element) -> Self {
        Values { stream, element, buffer: Vec::new() }
    }

    pub(in crate::ztensor) fn element(&self) -> Element {
        self.element
    }

    /// The bytes of the next `count`, which need not be finite.
    pub(in crate::ztensor) fn read(&mut self, file: &MappedFile, count: usize) -> Result<&[u8], RowsError> {
        self.buffer.try_resize(count * self.element.width() as usize, 0)?;
        self.stream.fill(file, &mut self.buffer)?;
        Ok(&self.buffer)
    }

    pub(in crate::ztensor) fn finish(&mut self, file: &MappedFile) -> Result<(), RowsError> {
        self.stream.finish(file)
    }
}

/// Puts entries into rows of zeros, each cell once.
pub(in crate::ztensor) struct Cells {
    name: String,
    /// For each column the last row that has an entry there, counted from 1.
    taken: Vec<u64>,
}

impl Cells {
    pub(in crate::ztensor) fn new(object: &Object, dimension: u32) -> Result<Self, OutOfMemory> {
        Ok(Cells { name: object.name.clone(), taken: tq_memory::filled(dimension as usize, 0)? })
    }

    /// An error about the tensor.
    pub(in crate::ztensor) fn malformed(&self, problem: String) -> ContainerError {
        ContainerError::Malformed(format!("tensor \"{}\": {problem}", self.name))
    }

    /// Takes the cell in that row, counted from 0, and returns its column as an index.
    pub(in crate::ztensor) fn take(&mut self, row: u64, column: u64) -> Result<usize, ContainerError> {
        let index = usize::try_from(column).unwrap_or(usize::MAX);
        match self.taken.get_mut(index) {
            Some(last) if *last != row + 1 => {
                *last = row + 1;
                Ok(index)
            }
            Some(_) => {
                Err(self.malformed(format!("row {} has two entries in column {}", row + 1, index + 1)))
            }
            None => {
                let columns = self.taken.len();
                Err(self.malformed(format!(
                    "row {} has an entry in column {column} (from 0) of {columns}",
                    row + 1
                )))
            }
        }
    }
}
