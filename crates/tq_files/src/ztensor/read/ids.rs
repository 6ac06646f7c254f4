//! The whole numbers of a dense tensor of one dimension, or of one column, as ids; or texts in a tensor of bytes.

use std::sync::Arc;

use tq_memory::Grow;

use super::stream::Stream;
use crate::array::{texts_of_bytes, utf8, whole};
use crate::rows::Element;
use crate::ztensor::model::{Layout, Object};
use crate::ztensor::types::Type;
use crate::{ContainerError, Id, IdReader, MappedFile, RowsError};

/// Ids that are read at a time.
const SOME: u64 = 8192;

/// Reads ids.
pub(in crate::ztensor) struct TensorIds {
    file: Arc<MappedFile>,
    stream: Stream,
    element: Element,
    big_endian: bool,
    /// Bytes of a text, where ids are texts.
    text: Option<usize>,
    count: u64,
    next: u64,
    buffer: Vec<u8>,
}

impl TensorIds {
    /// # Errors
    /// [`ContainerError::NotIds`]; the file changed.
    pub(in crate::ztensor) fn new(
        file: Arc<MappedFile>,
        object: &Object,
        poll: &mut dyn FnMut(),
    ) -> Result<Self, RowsError> {
        let not_ids = |obstacle: String| ContainerError::NotIds { tensor: object.name.clone(), obstacle };
        if object.layout != Layout::Dense {
            return Err(not_ids(format!("its layout is {}", object.layout_name)).into());
        }
        let part = object.part("data")?;
        let element = match part.kind {
            Type::Number(element) if element.is_integer() => element,
            _ => return Err(not_ids(format!("its type is {}, not whole numbers", part.type_name)).into()),
        };
        let (count, text) = match (&object.shape[..], texts_of_bytes(&object.shape)) {
            (&[count] | &[count, 1], _) => (count, None),
            (_, Some((count, length))) if element == Element::U8 => (count, Some(length as usize)),
            (shape, _) => {
                return Err(not_ids(format!("its shape is {shape:?}, not one id for each row")).into());
            }
        };
        if let Some(shard) = &part.shard {
            return Err(not_ids(format!("it is in another file, \"{}\"", shard.escape_debug())).into());
        }
        let stream = Stream::open(&file, part, 0, poll)?;
        let big_endian = part.big_endian;
        Ok(TensorIds { file, stream, element, big_endian, text, count, next: 0, buffer: Vec::new() })
    }
}

impl IdReader for TensorIds {
    fn count(&self) -> u64 {
        self.count
    }

    fn read(&mut self, most: usize, out: &mut Vec<Id>) -> Result<usize, RowsError> {
        let width = self.text.unwrap_or(self.element.width() as usize);
        let some = (SOME * 8 / width as u64).clamp(1, (most as u64).max(1)).min(self.count - self.next);
        if some == 0 {
            return Ok(0);
        }
        out.try_room(some as usize)?;
        self.buffer.try_resize(some as usize * width, 0)?;
        self.stream.fill(&self.file, &mut self.buffer)?;
        for cell in self.buffer.chunks_exact(width) {
            // A number that no double holds is a text, a small piece.
            tq_memory::check()?;
            out.push(match self.text {
                None => Id::of_integer(whole(self.element, self.big_endian, cell)),
                Some(_) => Id::Text(utf8(cell)?.ok_or_else(|| {
                    ContainerError::Malformed(format!("an id is no text: {}", cell.escape_ascii()))
                })?),
            });
        }
        self.next += some;
        if self.next == self.count {
            self.stream.finish(&self.file)?;
        }
        Ok(some as usize)
    }
}
