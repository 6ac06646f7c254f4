//! The cells of a dense array of any number of dimensions, in their order.

use std::sync::Arc;

use tq_memory::Grow;

use super::model::{Array, Block, Cell, Layout};
use super::rows::{inflate_all, inflated};
use crate::container::{CellReader, CellType, Cells};
use crate::io::at;
use crate::rows::{Element, unpack};
use crate::zip::Inflate;
use crate::{ContainerError, MappedFile, RowsError};

/// Bytes of packed blocks that are unpacked at a time.
const SOME: u64 = 64 << 10;

/// Reads cells.
struct ArrayCells {
    file: Arc<MappedFile>,
    source: Source,
    width: usize,
    big_endian: bool,
}

/// Where the next cells come from.
enum Source {
    /// The place of the next.
    Mapped(u64),
    Inflated(Box<Inflate>),
    /// In the file, or in memory.
    Strided(Walk, Option<Vec<u8>>),
    /// The place of the next block, how many blocks there are, and numbers that were unpacked, of which some are used.
    Packed {
        block: Block,
        next: u64,
        left: u64,
        numbers: Vec<u8>,
        used: usize,
    },
}

/// A way over all indices, the last dimension varying fastest.
struct Walk {
    offset: u64,
    shape: Vec<u64>,
    strides: Vec<u64>,
    index: Vec<u64>,
}

impl Walk {
    /// Where the cell at hand is; goes on to the next.
    fn next(&mut self) -> u64 {
        let place = self.index.iter().zip(&self.strides).map(|(index, stride)| index * stride).sum::<u64>();
        for (index, size) in self.index.iter_mut().zip(&self.shape).rev() {
            *index += 1;
            if *index < *size {
                break;
            }
            *index = 0;
        }
        self.offset + place
    }
}

/// The cells of an array that lies in the file.
///
/// # Errors
/// [`ContainerError::NotCells`].
pub(crate) fn cells(
    file: Arc<MappedFile>,
    array: &Array,
    poll: &mut dyn FnMut(),
) -> Result<Cells, RowsError> {
    let refused = |obstacle: String| ContainerError::NotCells { tensor: array.name.clone(), obstacle };
    if let Some(obstacle) = &array.obstacle {
        return Err(refused(obstacle.clone()).into());
    }
    let kind = match array.cell {
        Cell::Number(element) => CellType::Number(element),
        Cell::Bool => CellType::Bool,
        Cell::Packed(Block { packing: Some(_), .. }) => CellType::Number(Element::F32),
        _ => return Err(refused(format!("its type is {}", array.dtype)).into()),
    };
    let width = kind.width();
    let count = array.cells().unwrap_or_default();
    let strided = |strides: Vec<u64>, memory: Option<Vec<u8>>| {
        let (shape, index) = (array.shape.clone(), vec![0; array.shape.len()]);
        let offset = if memory.is_some() { 0 } else { array.offset };
        Source::Strided(Walk { offset, shape, strides, index }, memory)
    };
    let source = match (&array.layout, array.cell) {
        (_, Cell::Packed(block)) => Source::Packed {
            block,
            next: array.offset,
            left: count / block.cells,
            numbers: Vec::new(),
            used: 0,
        },
        (Layout::CountedRows, _) => {
            return Err(refused("each of its rows begins with its length".to_owned()).into());
        }
        (Layout::Rows, _) => match inflated(&file, array)? {
            Some(content) => Source::Inflated(Box::new(content)),
            None => Source::Mapped(array.offset),
        },
        // Likewise a single row or column, which may be compressed.
        (Layout::Columns, _) if array.shape.iter().filter(|size| **size > 1).count() < 2 => {
            match inflated(&file, array)? {
                Some(content) => Source::Inflated(Box::new(content)),
                None => Source::Mapped(array.offset),
            }
        }
        (Layout::Columns, _) => {
            let mut next = width;
            let strides = array.shape.iter().map(|size| {
                let stride = next;
                next = next.saturating_mul(*size);
                stride
            });
            let strides = strides.collect();
            let memory = match inflated(&file, array)? {
                Some(mut content) => Some(inflate_all(&file, array, &mut content, poll)?),
                None => None,
            };
            strided(strides, memory)
        }
        (Layout::Strided(strides), _) => strided(strides.clone(), None),
    };
    let reader = ArrayCells { file, source, width: width as usize, big_endian: array.big_endian };
    Ok(Cells::new(kind, &array.shape, Box::new(reader)))
}

impl CellReader for ArrayCells {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RowsError> {
        match &mut self.source {
            Source::Mapped(next) => {
                let range = at(*next, out.len() as u64);
                self.file.read(|bytes| match bytes.get(range) {
                    Some(bytes) => out.copy_from_slice(bytes),
                    None => out.fill(0),
                })?;
                self.file.release_below(*next);
                *next += out.len() as u64;
            }
            Source::Inflated(content) => content.fill(&self.file, out)?,
            Source::Strided(walk, memory) => {
                let width = self.width;
                let mut gather = |bytes: &[u8]| {
                    for cell in out.chunks_exact_mut(width) {
                        match bytes.get(at(walk.next(), width as u64)) {
                            Some(bytes) => cell.copy_from_slice(bytes),
                            None => cell.fill(0),
                        }
                    }
                };
                match memory {
                    Some(memory) => gather(memory),
                    None => self.file.read(gather)?,
                }
            }
            Source::Packed { block, next, left, numbers, used } => {
                return unpacked(&self.file, *block, (next, left), (numbers, used), out);
            }
        }
        if self.big_endian && self.width > 1 {
            out.chunks_exact_mut(self.width).for_each(<[u8]>::reverse);
        }
        Ok(())
    }
}

/// Fills `out` with numbers of blocks as `f32`.
fn unpacked(
    file: &MappedFile,
    block: Block,
    (next, left): (&mut u64, &mut u64),
    (numbers, used): (&mut Vec<u8>, &mut usize),
    mut out: &mut [u8],
) -> Result<(), RowsError> {
    let Some(packing) = block.packing else { return Ok(()) };
    while !out.is_empty() {
        if *used == numbers.len() {
            let count = (SOME / block.bytes).min(*left);
            let range = at(*next, count * block.bytes);
            let mut some: Vec<f32> = tq_memory::with_capacity((count * block.cells) as usize)?;
            file.read(|bytes| unpack(packing, bytes.get(range).unwrap_or_default(), &mut some))?;
            some.resize((count * block.cells) as usize, 0.0);
            numbers.clear();
            numbers.try_room(4 * some.len())?;
            numbers.extend(some.iter().flat_map(|number| number.to_le_bytes()));
            (*used, *next, *left) = (0, *next + count * block.bytes, *left - count);
            file.release_below(*next);
            if numbers.is_empty() {
                let problem = "a tensor has fewer blocks than numbers".to_owned();
                return Err(ContainerError::Malformed(problem).into());
            }
        }
        let count = (numbers.len() - *used).min(out.len());
        let (now, later) = out.split_at_mut(count);
        now.copy_from_slice(&numbers[*used..*used + count]);
        *used += count;
        out = later;
    }
    Ok(())
}
