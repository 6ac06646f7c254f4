//! As a safetensors file: a directory that is known before the first byte is written.

use std::collections::BTreeMap;

use super::Whole;
use crate::container::{CellType, hold_for_directory};
use crate::rows::Element;
use crate::safetensors::{ALIGNMENT, Entry, HEADER_LEN, METADATA, MOST_DIRECTORY_BYTES};
use crate::{ContainerError, Output, RowsError};

/// What the format calls a type.
fn dtype(kind: CellType) -> &'static str {
    match kind {
        CellType::Bool => "BOOL",
        CellType::Number(element) => match element {
            Element::F64 => "F64",
            Element::F32 => "F32",
            Element::F16 => "F16",
            Element::Bf16 => "BF16",
            Element::F8E4m3 => "F8_E4M3",
            Element::F8E5m2 => "F8_E5M2",
            Element::F8E8m0 => "F8_E8M0",
            Element::I64 => "I64",
            Element::I32 => "I32",
            Element::I16 => "I16",
            Element::I8 => "I8",
            Element::U64 => "U64",
            Element::U32 => "U32",
            Element::U16 => "U16",
            Element::U8 => "U8",
        },
    }
}

impl Whole<'_> {
    /// Writes the file; returns its bytes.
    pub(super) fn safetensors(
        &self,
        mut output: Box<dyn Output>,
        poll: &mut dyn FnMut(),
    ) -> Result<u64, RowsError> {
        let _hold = hold_for_directory(self.texts())?;
        let directory = self.directory(poll)?;
        if directory.len() > MOST_DIRECTORY_BYTES {
            let problem = format!(
                "names and metadata take {} bytes: a safetensors file has room for {MOST_DIRECTORY_BYTES}",
                directory.len()
            );
            return Err(ContainerError::Unsupported(problem).into());
        }
        let front = (HEADER_LEN + directory.len()).next_multiple_of(ALIGNMENT);
        output.append(&((front - HEADER_LEN) as u64).to_le_bytes())?;
        output.append(&directory)?;
        output.append(&b" ".repeat(front - HEADER_LEN - directory.len()))?;
        for index in 0..self.count() {
            let cells = self.cells(index, true, poll)?;
            self.copy(cells, poll, |some| Ok(output.append(some)?))?;
        }
        let bytes = output.position();
        output.complete()?;
        Ok(bytes)
    }

    fn directory(&self, poll: &mut dyn FnMut()) -> Result<Vec<u8>, RowsError> {
        let failed = |error: serde_json::Error| {
            RowsError::from(ContainerError::Unsupported(format!("metadata: {error}")))
        };
        let mut out = vec![b'{'];
        if !self.attributes.is_empty() {
            // Names stand once, as the library wants them.
            let texts: BTreeMap<&str, &str> =
                self.attributes.iter().rev().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            serde_json::to_writer(&mut out, METADATA).map_err(failed)?;
            out.push(b':');
            serde_json::to_writer(&mut out, &texts).map_err(failed)?;
        }
        let mut end = 0u64;
        for index in 0..self.count() {
            let (name, cells) = (self.name(index), self.cells(index, true, poll)?);
            if name == METADATA {
                return Err(self.refused(index, "a safetensors file has something else under its name"));
            }
            if out.len() > 1 {
                out.push(b',');
            }
            let next = end.saturating_add(cells.bytes);
            let entry = Entry { dtype: dtype(cells.kind), shape: cells.shape, data_offsets: [end, next] };
            serde_json::to_writer(&mut out, name).map_err(failed)?;
            out.push(b':');
            serde_json::to_writer(&mut out, &entry).map_err(failed)?;
            end = next;
        }
        out.push(b'}');
        Ok(out)
    }
}
