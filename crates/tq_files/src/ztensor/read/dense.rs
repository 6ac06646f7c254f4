//! Rows of a dense tensor.

use std::sync::Arc;

use tq_memory::Grow;

use super::stream::Stream;
use crate::io::at;
use crate::rows::{Real, RealRowReader, convert};
use crate::ztensor::model::{Encoding, Object};
use crate::ztensor::types::{Element, Type};
use crate::{ContainerError, MappedFile, RowsError};

/// Bytes that are converted at a time: what fits into the cache.
const BLOCK: u64 = 1 << 20;

/// Reads a dense tensor, from the mapping itself unless it is compressed.
pub(in crate::ztensor) struct DenseReader {
    file: Arc<MappedFile>,
    source: DenseSource,
    element: Element,
    big_endian: bool,
    dimension: u32,
    rows: u64,
    /// Rows read so far.
    next: u64,
}

enum DenseSource {
    /// Where the first row lies.
    Mapped(u64),
    Decoded(Box<Stream>, Vec<u8>),
}

/// What an object needs to be read as rows was checked when its obstacle was looked for.
pub(in crate::ztensor) fn shape_of(object: &Object) -> Result<(u64, u32), ContainerError> {
    match &object.shape[..] {
        &[rows, columns] if (1..=u64::from(u32::MAX)).contains(&columns) => Ok((rows, columns as u32)),
        _ => Err(unreadable(object)),
    }
}

/// Likewise the type of a part's numbers.
pub(in crate::ztensor) fn element_of(object: &Object, role: &str) -> Result<Element, ContainerError> {
    match object.part(role)?.kind {
        Type::Number(element) => Ok(element),
        _ => Err(unreadable(object)),
    }
}

fn unreadable(object: &Object) -> ContainerError {
    ContainerError::NotRows { tensor: object.name.clone(), obstacle: "it isn't a matrix of numbers".into() }
}

impl DenseReader {
    pub(in crate::ztensor) fn new(
        file: Arc<MappedFile>,
        object: &Object,
        poll: &mut dyn FnMut(),
    ) -> Result<Self, RowsError> {
        let (rows, dimension) = shape_of(object)?;
        let part = object.part("data")?;
        let source = match part.encoding {
            Encoding::Raw => DenseSource::Mapped(part.offset),
            _ => DenseSource::Decoded(Box::new(Stream::open(&file, part, 0, poll)?), Vec::new()),
        };
        let element = element_of(object, "data")?;
        Ok(DenseReader { file, source, element, big_endian: part.big_endian, dimension, rows, next: 0 })
    }
}

impl RealRowReader for DenseReader {
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
        let row_bytes = u64::from(self.dimension) * self.element.width();
        let rows = (BLOCK / row_bytes).clamp(1, (most as u64).max(1)).min(self.rows - self.next);
        let length = rows * row_bytes;
        out.try_room((rows * u64::from(self.dimension)) as usize)?;
        match &mut self.source {
            DenseSource::Mapped(offset) => {
                let place = *offset + self.next * row_bytes;
                let range = at(place, length);
                let (element, big) = (self.element, self.big_endian);
                self.file.read(|bytes| convert(element, big, bytes.get(range).unwrap_or_default(), out))?;
                self.file.release_below(place);
            }
            DenseSource::Decoded(stream, buffer) => {
                buffer.try_resize(length as usize, 0)?;
                stream.fill(&self.file, buffer)?;
                convert(self.element, self.big_endian, buffer, out);
                if self.next + rows == self.rows {
                    stream.finish(&self.file)?;
                }
            }
        }
        self.next += rows;
        Ok(rows as usize)
    }
}
