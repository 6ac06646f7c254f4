//! Tensors whose parts go into the merged file as they are.

use std::collections::HashMap;

use tq_memory::Grow;

use super::{Merger, entries};
use crate::cbor::Item;
use crate::cbor::encode::text;
use crate::io::at;
use crate::ztensor::digest::Digest;
use crate::ztensor::frame::{ZtensorGeneration, alignment, directory_error};
use crate::ztensor::model::{Encoding, Object, Part};
use crate::ztensor::read::{need, verify};
use crate::ztensor::write::manifest::{map, number, place};
use crate::ztensor::write::part::pad;
use crate::{ContainerError, RowsError};

/// Bytes that are copied in one step: a few milliseconds' work.
const STEP_BYTES: u64 = 4 << 20;

/// What was copied of a file, by offset and length: parts may share their bytes.
pub(super) type Copied = HashMap<(u64, u64), PartCopy>;

/// Bytes that were copied.
pub(super) struct PartCopy {
    /// Where they are now.
    offset: u64,
    /// What they were compared with.
    checked: Vec<(Option<Digest>, Encoding)>,
}

impl Merger<'_> {
    /// Copies the parts of a tensor, and returns its entry of the directory, in which only their places are others.
    pub(super) fn copy(&mut self, object: &Object, item: &Item<'_>) -> Result<Vec<u8>, RowsError> {
        let newest = self.generation == ZtensorGeneration::V2;
        let key = if newest { "parts" } else { "components" };
        let items = need(item, key)?.entries().map_err(directory_error)?;
        let mut parts = Vec::new();
        for (part, (role, item)) in object.parts.iter().zip(items) {
            let offset = self.copy_part(part)?;
            let mut entry = entries(&item)?;
            match newest {
                true => entry.insert(text("blob"), place(offset, part.length)),
                false => entry.insert(text("offset"), number(offset)),
            };
            parts.push((role.encoded().to_vec(), map(&entry)));
        }
        let mut entry = entries(item)?;
        entry.insert(text(key), map(&parts.into_iter().collect()));
        Ok(map(&entry))
    }

    /// Copies a part, unless its bytes are there already, and returns where they are.
    fn copy_part(&mut self, part: &Part) -> Result<u64, RowsError> {
        if let Some(shard) = &part.shard {
            let problem =
                format!("{} lies in another file, shard \"{shard}\", and can't be merged", part.label);
            return Err(ContainerError::Unsupported(problem).into());
        }
        let checked = (part.digest.clone(), part.encoding.clone());
        let known = self.copied.get(&(part.offset, part.length));
        if !known.is_some_and(|copy| copy.checked.contains(&checked)) {
            verify(&self.source.file, part, self.poll)?;
        }
        if let Some(copy) = self.copied.get_mut(&(part.offset, part.length)) {
            if !copy.checked.contains(&checked) {
                copy.checked.push(checked);
            }
            return Ok(copy.offset);
        }
        pad(self.output, alignment(self.generation))?;
        let offset = self.output.position();
        // Within the file, as was checked.
        let end = part.offset + part.length;
        let mut block = Vec::new();
        for start in (part.offset..end).step_by(STEP_BYTES as usize) {
            let range = at(start, STEP_BYTES.min(end - start));
            block.clear();
            block.try_room_exact(range.len())?;
            self.source.file.read(|bytes| block.extend_from_slice(bytes.get(range).unwrap_or_default()))?;
            self.source.file.release_below(start);
            self.output.append(&block)?;
            (self.poll)();
        }
        self.copied.insert((part.offset, part.length), PartCopy { offset, checked: vec![checked] });
        Ok(offset)
    }
}
