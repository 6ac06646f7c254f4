//! Tensors of older generations, written anew in the newest.

use std::sync::Arc;

use super::Merger;
use crate::ztensor::frame::alignment;
use crate::ztensor::model::{Encoding, Layout, MOST_DIMENSIONS, Object, Part};
use crate::ztensor::names::{COO, CSR};
use crate::ztensor::read::{CsrReader, Stream, open_coo, verify};
use crate::ztensor::types::{Type, element_name};
use crate::ztensor::write::manifest::{Entries, ObjectEntry, PartEntry};
use crate::ztensor::write::part::{Checksum, Coding, PartWriter, Style, WrittenPart};
use crate::{ContainerError, RowReader, RowsError};

/// Bytes that are converted at a time, a multiple of any number's width.
const BLOCK: usize = 256 << 10;

impl Merger<'_> {
    /// Writes the parts of a tensor, and returns its entry of the directory.
    pub(super) fn convert(&mut self, object: &Object, attributes: Entries) -> Result<Vec<u8>, RowsError> {
        if let Some(obstacle) = obstacle(object) {
            let problem = format!("tensor \"{}\" can't become one of generation 2: {obstacle}", object.name);
            return Err(ContainerError::Unsupported(problem).into());
        }
        for part in &object.parts {
            verify(&self.source.file, part, self.poll)?;
        }
        let (layout, roles): (_, &[_]) = match object.layout {
            Layout::Csr => (CSR, &["indices", "indptr", "values"]),
            Layout::Coo => (COO, &["coords", "values"]),
            _ => ("dense", &["data"]),
        };
        self.check_entries(object)?;
        let mut parts = Vec::new();
        for role in roles {
            let part = object.part(role)?;
            let (dtype, logical) = match part.kind {
                Type::Number(element) => (element_name(element), None),
                _ => ("u8", Some("bool")),
            };
            let written = self.convert_part(object, part)?;
            parts.push(PartEntry { role, dtype, logical, written });
        }
        let entry = ObjectEntry { shape: &object.shape, layout, parts, attributes };
        Ok(entry.encode(self.generation))
    }

    /// Reads a sparse tensor as rows, by the rules of generation 2, and throws them away.
    fn check_entries(&mut self, object: &Object) -> Result<(), RowsError> {
        let file = Arc::clone(&self.source.file);
        let mut reader: Box<dyn RowReader> = match object.layout {
            Layout::Csr => Box::new(CsrReader::new(file, object, true, self.poll)?),
            Layout::Coo => open_coo(file, object, self.poll)?,
            _ => return Ok(()),
        };
        let mut rows = Vec::new();
        while reader.read(usize::MAX, &mut rows)? > 0 {
            rows.clear();
            (self.poll)();
        }
        Ok(())
    }

    fn convert_part(&mut self, object: &Object, part: &Part) -> Result<WrittenPart, RowsError> {
        let kept = if part.encoding == Encoding::Raw { Coding::Raw } else { Coding::Seekable };
        let coding = self.coding.unwrap_or(kept);
        let style = Style { align: alignment(self.generation), coding, checksum: Checksum::Decoded };
        // Parts of sparse tensors, when their directory doesn't say it, have at most a number or index for each cell, and
        // one more; and for dense ones it is known.
        let cells = object.shape.iter().fold(1u64, |product, extent| product.saturating_mul(*extent));
        let limit = cells.saturating_add(1).saturating_mul(2 * 8);
        let mut stream = Stream::open(&self.source.file, part, limit, self.poll)?;
        let mut writer = PartWriter::begin(self.output, style)?;
        let mut buffer = tq_memory::filled(BLOCK, 0)?;
        loop {
            (self.poll)();
            let count = stream.read(&self.source.file, &mut buffer)?;
            let block = &mut buffer[..count];
            if block.is_empty() {
                break;
            }
            match part.kind {
                Type::Number(element) if part.big_endian => {
                    block.chunks_exact_mut(element.width() as usize).for_each(<[u8]>::reverse);
                }
                Type::Bool if block.iter().any(|byte| *byte > 1) => {
                    return Err(part.label.malformed("it has a boolean that is neither 0 nor 1").into());
                }
                _ => {}
            }
            writer.write(self.output, block)?;
        }
        stream.finish(&self.source.file)?;
        Ok(writer.finish(self.output)?)
    }
}

/// Why a tensor can't be written anew.
fn obstacle(object: &Object) -> Option<String> {
    let count = match object.layout {
        // Sparse ones are checked by reading them as rows.
        Layout::Csr | Layout::Coo if object.obstacle.is_some() => return object.obstacle.clone(),
        Layout::Csr => 3,
        Layout::Coo => 2,
        Layout::Dense => 1,
        Layout::Other => return Some(format!("its layout \"{}\" isn't read here", object.layout_name)),
    };
    if object.parts.len() != count {
        return Some(format!("it has {} parts, and its layout {count}", object.parts.len()));
    }
    if object.shape.len() > MOST_DIMENSIONS {
        return Some(format!(
            "it has {} dimensions, and at most {MOST_DIMENSIONS} are allowed",
            object.shape.len()
        ));
    }
    object.parts.iter().find_map(|part| match (part.kind, &part.encoding) {
        (Type::Bool, Encoding::Raw | Encoding::Zstd) => None,
        _ => part.obstacle(),
    })
}
