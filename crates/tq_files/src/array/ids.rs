//! The cells of a dense array as ids: whole numbers, or texts of fixed width as NumPy has them.

use std::sync::Arc;

use tq_memory::Grow;

use super::model::{Array, Cell, Layout};
use super::rows::inflated;
use crate::io::at;
use crate::rows::Element;
use crate::zip::Inflate;
use crate::{ContainerError, Id, IdReader, MappedFile, RowsError};

/// Bytes that are read at a time, at least one cell.
const BLOCK: u64 = 64 << 10;
/// The longest text that is an id.
const MOST_BYTES: u64 = 1 << 20;

/// Reads an array of one dimension, or of one column.
pub(crate) struct ArrayIds {
    file: Arc<MappedFile>,
    array: Array,
    /// What inflates it, if it is deflated.
    inflated: Option<Inflate>,
    count: u64,
    /// Ids read so far.
    next: u64,
}

impl ArrayIds {
    /// Of an array that lies in the file.
    ///
    /// # Errors
    /// [`ContainerError::NotIds`].
    pub(crate) fn new(file: Arc<MappedFile>, mut array: Array) -> Result<Self, RowsError> {
        if let (Cell::Number(Element::U8), Some((count, length))) = (array.cell, texts_of_bytes(&array.shape))
        {
            (array.cell, array.shape) = (Cell::Bytes(length), vec![count]);
        }
        match obstacle(&array) {
            Ok(count) => {
                let inflated = inflated(&file, &array)?;
                Ok(ArrayIds { file, array, inflated, count, next: 0 })
            }
            Err(obstacle) => Err(ContainerError::NotIds { tensor: array.name, obstacle }.into()),
        }
    }

    fn id(&self, index: u64, cell: &[u8]) -> Result<Id, RowsError> {
        match self.array.cell {
            Cell::Number(element) => Ok(Id::of_integer(whole(element, self.array.big_endian, cell))),
            kind => {
                let text = text(kind, self.array.big_endian, cell)?;
                text.map(Id::Text).ok_or_else(|| {
                    let problem = format!("id {} is no text: {}", index + 1, cell.escape_ascii());
                    ContainerError::Malformed(problem).into()
                })
            }
        }
    }
}

/// How many texts of which length a tensor of bytes holds, if its shape is that of texts: as ids are written where a format has
/// whole numbers alone.
pub(crate) fn texts_of_bytes(shape: &[u64]) -> Option<(u64, u64)> {
    match shape[..] {
        [count, length @ 1..=MOST_BYTES, 1] => Some((count, length)),
        _ => None,
    }
}

/// How many ids an array has, or why it has none.
fn obstacle(array: &Array) -> Result<u64, String> {
    if let Some(obstacle) = &array.obstacle {
        return Err(obstacle.clone());
    }
    match array.cell {
        Cell::Number(element) if element.is_integer() => {}
        Cell::Bytes(_) | Cell::Chars(_) if array.cell.width() <= MOST_BYTES => {}
        _ => return Err(format!("its type is {}, neither whole numbers nor texts", array.dtype)),
    }
    if let Layout::Strided(_) = array.layout {
        return Err("its numbers are not one behind the other".to_owned());
    }
    match array.shape[..] {
        [count] | [count, 1] if matches!(array.layout, Layout::Rows | Layout::Columns) => Ok(count),
        _ => Err(format!("its shape is {:?}, not one id for each row", array.shape)),
    }
}

/// A whole number of any type.
pub(crate) fn whole(element: Element, big_endian: bool, cell: &[u8]) -> i128 {
    let mut bytes = [0; 8];
    let width = element.width() as usize;
    for (index, byte) in cell.iter().take(width).enumerate() {
        bytes[if big_endian { width - 1 - index } else { index }] = *byte;
    }
    let bits = u64::from_le_bytes(bytes);
    match element {
        Element::I64 => (bits as i64).into(),
        Element::I32 => (bits as i32).into(),
        Element::I16 => (bits as i16).into(),
        Element::I8 => (bits as i8).into(),
        Element::U64 | Element::U32 | Element::U16 | Element::U8 => bits.into(),
        // Refused before.
        Element::F64 | Element::F32 | Element::F16 | Element::Bf16 => 0,
        Element::F8E4m3 | Element::F8E5m2 | Element::F8E8m0 => 0,
    }
}

/// A text without the zeros behind it; `None` if it isn't UTF-8.
pub(crate) fn utf8(bytes: &[u8]) -> Result<Option<String>, RowsError> {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    Ok(match std::str::from_utf8(&bytes[..end]) {
        Ok(text) => Some(tq_memory::text(text)?),
        Err(_) => None,
    })
}

/// A text without the zeros behind it; `None` if it isn't Unicode.
fn text(cell: Cell, big_endian: bool, bytes: &[u8]) -> Result<Option<String>, RowsError> {
    // Each is a small piece.
    tq_memory::check()?;
    if let Cell::Bytes(_) = cell {
        return utf8(bytes);
    }
    let chars = bytes.as_chunks().0.iter().map(|bytes| match big_endian {
        true => u32::from_be_bytes(*bytes),
        false => u32::from_le_bytes(*bytes),
    });
    // At most as many bytes as the cell has.
    let mut text = String::new();
    text.try_reserve(bytes.len()).map_err(|_| tq_memory::OutOfMemory::of::<u8>(bytes.len()))?;
    for char in chars {
        match char::from_u32(char) {
            Some(char) => text.push(char),
            None => return Ok(None),
        }
    }
    text.truncate(text.trim_end_matches('\0').len());
    Ok(Some(text))
}

impl IdReader for ArrayIds {
    fn count(&self) -> u64 {
        self.count
    }

    fn read(&mut self, most: usize, out: &mut Vec<Id>) -> Result<usize, RowsError> {
        let width = self.array.cell.width();
        let some = (BLOCK / width.max(1)).clamp(1, (most as u64).max(1)).min(self.count - self.next);
        let place = self.array.offset + self.next * width;
        let range = at(place, some * width);
        let cells = match &mut self.inflated {
            None => self.file.read(|bytes| tq_memory::copied(bytes.get(range).unwrap_or_default()))??,
            Some(content) => {
                let mut cells = tq_memory::filled((some * width) as usize, 0)?;
                content.fill(&self.file, &mut cells)?;
                cells
            }
        };
        out.try_room(some as usize)?;
        for index in 0..some {
            let cell = cells.get(at(index * width, width)).unwrap_or_default();
            out.push(self.id(self.next + index, cell)?);
        }
        self.next += some;
        Ok(some as usize)
    }
}
