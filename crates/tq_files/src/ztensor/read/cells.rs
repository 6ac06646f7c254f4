//! The elements of a tensor of any number of dimensions, those of a sparse one with its zeros.

use std::sync::Arc;

use tq_memory::Grow;

use super::coo::open as open_coo;
use super::csr::CsrReader;
use super::stream::Stream;
use crate::container::{CellReader, CellType, Cells};
use crate::rows::Element;
use crate::ztensor::model::{Layout, Object};
use crate::ztensor::types::Type;
use crate::{ContainerError, FloatType, MappedFile, RowReader, RowsError};

/// The elements of a tensor whose checksums were compared; with `increasing` the columns of a sparse one must be in order.
///
/// # Errors
/// [`ContainerError::NotCells`]; its parts can't be read.
pub(in crate::ztensor) fn cells(
    file: &Arc<MappedFile>,
    object: &Object,
    increasing: bool,
    poll: &mut dyn FnMut(),
) -> Result<Cells, RowsError> {
    let refused = |obstacle: String| {
        RowsError::from(ContainerError::NotCells { tensor: object.name.clone(), obstacle })
    };
    let rows: Box<dyn RowReader> = match object.layout {
        Layout::Dense => return dense(file, object, poll),
        Layout::Other => {
            return Err(refused(format!("its layout \"{}\" isn't read here", object.layout_name)));
        }
        _ if object.obstacle.is_some() => return Err(refused(object.obstacle.clone().unwrap_or_default())),
        Layout::Csr => Box::new(CsrReader::new(Arc::clone(file), object, increasing, poll)?),
        Layout::Coo => open_coo(Arc::clone(file), object, poll)?,
    };
    let part = object.part("values")?;
    let (element, float) = match part.kind {
        Type::Number(Element::F64) => (Element::F64, FloatType::F64),
        Type::Number(Element::F32) => (Element::F32, FloatType::F32),
        Type::Number(Element::F16) => (Element::F16, FloatType::F16),
        Type::Number(Element::Bf16) => (Element::Bf16, FloatType::Bf16),
        _ => return Err(refused(format!("it is sparse, and its type {}", part.type_name))),
    };
    let reader = SparseCells { rows, float, numbers: Vec::new(), bytes: Vec::new(), used: 0, row: 0 };
    Ok(Cells::new(CellType::Number(element), &object.shape, Box::new(reader)))
}

fn dense(file: &Arc<MappedFile>, object: &Object, poll: &mut dyn FnMut()) -> Result<Cells, RowsError> {
    let refused = |obstacle: String| {
        RowsError::from(ContainerError::NotCells { tensor: object.name.clone(), obstacle })
    };
    let part = object.part("data")?;
    let kind = match part.kind {
        Type::Number(element) => CellType::Number(element),
        Type::Bool => CellType::Bool,
        _ => return Err(refused(format!("its type is {}", part.type_name))),
    };
    if let Some(shard) = &part.shard {
        return Err(refused(format!("it is in another file, \"{}\"", shard.escape_debug())));
    }
    let stream = Stream::open(file, part, 0, poll)?;
    let (width, big_endian) = (kind.width() as usize, part.big_endian);
    let cells = object.shape.iter().fold(1u64, |product, extent| product.saturating_mul(*extent));
    let left = cells.saturating_mul(kind.width());
    let reader = DenseCells { file: Arc::clone(file), stream, width, big_endian, left };
    Ok(Cells::new(kind, &object.shape, Box::new(reader)))
}

struct DenseCells {
    file: Arc<MappedFile>,
    stream: Stream,
    width: usize,
    big_endian: bool,
    left: u64,
}

impl CellReader for DenseCells {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RowsError> {
        self.stream.fill(&self.file, out)?;
        if self.big_endian {
            out.chunks_exact_mut(self.width).for_each(<[u8]>::reverse);
        }
        self.left = self.left.saturating_sub(out.len() as u64);
        if self.left == 0 { self.stream.finish(&self.file) } else { Ok(()) }
    }
}

struct SparseCells {
    rows: Box<dyn RowReader>,
    float: FloatType,
    numbers: Vec<f64>,
    /// Rows in the file's own type, of which some bytes are used.
    bytes: Vec<u8>,
    used: usize,
    row: u64,
}

impl CellReader for SparseCells {
    fn fill(&mut self, mut out: &mut [u8]) -> Result<(), RowsError> {
        while !out.is_empty() {
            if self.used == self.bytes.len() {
                self.numbers.clear();
                let count = self.rows.read_doubles(64, &mut self.numbers)?;
                if count == 0 {
                    let problem = "a sparse tensor has fewer rows than its shape".to_owned();
                    return Err(ContainerError::Malformed(problem).into());
                }
                self.used = 0;
                self.bytes.clear();
                self.bytes.try_room(self.numbers.len() * self.float.width())?;
                self.float.encode(&self.numbers, self.rows.dimension(), self.row, &mut self.bytes)?;
                self.row += count as u64;
            }
            let count = (self.bytes.len() - self.used).min(out.len());
            let (now, later) = out.split_at_mut(count);
            now.copy_from_slice(&self.bytes[self.used..self.used + count]);
            self.used += count;
            out = later;
        }
        Ok(())
    }
}
