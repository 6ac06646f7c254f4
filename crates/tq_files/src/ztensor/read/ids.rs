//! The whole numbers of a dense tensor of one dimension, or of one column, as ids.

use std::sync::Arc;

use tq_memory::Grow;

use super::stream::Stream;
use crate::array::whole;
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
        let ([count] | [count, 1]) = object.shape[..] else {
            return Err(not_ids(format!("its shape is {:?}, not one id for each row", object.shape)).into());
        };
        if let Some(shard) = &part.shard {
            return Err(not_ids(format!("it is in another file, \"{}\"", shard.escape_debug())).into());
        }
        let stream = Stream::open(&file, part, 0, poll)?;
        let big_endian = part.big_endian;
        Ok(TensorIds { file, stream, element, big_endian, count, next: 0, buffer: Vec::new() })
    }
}

impl IdReader for TensorIds {
    fn count(&self) -> u64 {
        self.count
    }

    fn read(&mut self, most: usize, out: &mut Vec<Id>) -> Result<usize, RowsError> {
        let some = SOME.min((most as u64).max(1)).min(self.count - self.next);
        if some == 0 {
            return Ok(0);
        }
        let width = self.element.width() as usize;
        out.try_room(some as usize)?;
        self.buffer.try_resize(some as usize * width, 0)?;
        self.stream.fill(&self.file, &mut self.buffer)?;
        for cell in self.buffer.chunks_exact(width) {
            // A number that no double holds is a text, a small piece.
            tq_memory::check()?;
            out.push(Id::of_integer(whole(self.element, self.big_endian, cell)));
        }
        self.next += some;
        if self.next == self.count {
            self.stream.finish(&self.file)?;
        }
        Ok(some as usize)
    }
}
