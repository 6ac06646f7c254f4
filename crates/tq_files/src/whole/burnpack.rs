//! As a Burnpack file: a directory that is known before the first byte is written.

use std::collections::BTreeMap;

use super::Whole;
use crate::burnpack::{
    ALIGNMENT, Directory, Dtype, Entry, Integers, MOST_TENSOR_BYTES, MOST_TENSORS, data_start, encode,
};
use crate::container::{CellType, hold_for_directory};
use crate::io::append_zeros;
use crate::rows::Element;
use crate::{ContainerError, Output, RowsError};

/// What the format calls a type.
fn dtype(kind: CellType) -> Dtype {
    let (name, width) = match kind {
        CellType::Bool => return Dtype::boolean(),
        CellType::Number(element) => match element {
            Element::F64 => ("F64", 8),
            Element::F16 => ("F16", 2),
            Element::Bf16 => ("BF16", 2),
            Element::I64 => ("I64", 8),
            Element::I32 => ("I32", 4),
            Element::I16 => ("I16", 2),
            Element::I8 => ("I8", 1),
            Element::U64 => ("U64", 8),
            Element::U32 => ("U32", 4),
            Element::U16 => ("U16", 2),
            Element::U8 => ("U8", 1),
            // Those of eight bits have become it.
            Element::F32 | Element::F8E4m3 | Element::F8E5m2 | Element::F8E8m0 => ("F32", 4),
        },
    };
    Dtype::named(name, width)
}

impl Whole<'_> {
    pub(super) fn burnpack(
        &self,
        mut output: Box<dyn Output>,
        poll: &mut dyn FnMut(),
    ) -> Result<(), RowsError> {
        let count = self.count();
        if count > MOST_TENSORS {
            let problem = format!("{count} tensors: a Burnpack file has at most {MOST_TENSORS}");
            return Err(ContainerError::Unsupported(problem).into());
        }
        let _hold = hold_for_directory(self.texts())?;
        let texts: BTreeMap<&String, &String> =
            self.attributes.iter().rev().map(|(key, value)| (key, value)).collect();
        let mut directory = Directory {
            metadata: texts.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            ..Directory::default()
        };
        let (mut end, mut places) = (0u64, tq_memory::with_capacity(count)?);
        for index in 0..count {
            let cells = self.cells(index, false, poll)?;
            if cells.bytes > MOST_TENSOR_BYTES {
                return Err(
                    self.refused(index, format!("a Burnpack tensor has at most {MOST_TENSOR_BYTES} bytes"))
                );
            }
            // At most a hundred thousand times ten gigabytes.
            let place = end.next_multiple_of(ALIGNMENT);
            end = place + cells.bytes;
            places.push(place);
            directory.tensors.push(Entry {
                name: self.name(index).to_owned(),
                dtype: dtype(cells.kind),
                shape: cells.shape,
                range: (place, end),
                param_id: None,
            });
        }
        directory.tensors.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let front = encode(&directory, Integers::Shortest)?;
        let start = data_start(front.len());
        output.append(&front)?;
        for (index, place) in places.into_iter().enumerate() {
            let gap = (start + place).saturating_sub(output.position());
            append_zeros(&mut *output, gap)?;
            let cells = self.cells(index, false, poll)?;
            self.copy(cells, poll, |some| Ok(output.append(some)?))?;
        }
        // The data begins there even if there is none.
        let gap = start.saturating_sub(output.position());
        append_zeros(&mut *output, gap)?;
        Ok(output.complete()?)
    }
}
