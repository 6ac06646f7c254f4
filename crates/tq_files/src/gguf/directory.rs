//! The directory of a file: what stands in front of its data.

use tq_memory::Grow;

use super::types::Type;
use crate::ContainerError;
use crate::array::{Array, Cell, Layout};

const MAGIC: &[u8; 4] = b"GGUF";
/// The least that the data may be aligned to if nothing else is said, and the most that is believed.
const ALIGNMENT: u64 = 32;
const MOST_ALIGNMENT: u64 = 1 << 20;
/// The most tensors that are read: models have some thousands.
const MOST_TENSORS: u64 = 1 << 16;
/// ggml itself has four.
const MOST_DIMENSIONS: u32 = 8;
const MOST_NAME_BYTES: u64 = 1024;
/// How deep arrays of arrays may be nested.
const MOST_NESTED: u32 = 8;

/// What stands in front of the data.
pub(super) struct Directory {
    pub(super) version: u32,
    pub(super) big_endian: bool,
    tensors: Vec<Entry>,
    /// Where the data begins.
    start: u64,
    alignment: u64,
    /// Bytes of the file.
    file: u64,
}

/// A tensor.
struct Entry {
    name: String,
    /// Outermost dimension first.
    shape: Vec<u64>,
    kind: u32,
    offset: u64,
}

impl Directory {
    /// Reads a directory; `bytes` are those of the whole file, which may change meanwhile.
    ///
    /// # Errors
    /// [`ContainerError::Malformed`]; [`ContainerError::Unsupported`] for another version.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ContainerError> {
        let mut fields = Fields { bytes, at: 0, big_endian: false };
        let magic = fields.array()?;
        if magic != *MAGIC {
            return Err(malformed(format!("not a GGUF file: it starts with \"{}\"", magic.escape_ascii())));
        }
        let version = fields.u32()?;
        // The lower half of a version that is read in the wrong order is zero.
        fields.big_endian = version & 0xffff == 0;
        let version = if fields.big_endian { version.swap_bytes() } else { version };
        match (version, fields.big_endian) {
            (2 | 3, false) | (3, true) => {}
            _ => {
                let problem = format!("GGUF file of version {version}: 2 and 3 are read");
                return Err(ContainerError::Unsupported(problem));
            }
        }
        let (count, pairs) = (fields.u64()?, fields.u64()?);
        if count > MOST_TENSORS {
            return Err(malformed(format!("it has {count} tensors: at most {MOST_TENSORS} are read")));
        }
        let alignment = fields.pairs(pairs)?;
        let mut tensors = Vec::new();
        for _ in 0..count {
            tensors.try_push(fields.tensor()?)?;
        }
        let start = (fields.at as u64).next_multiple_of(alignment);
        let (big_endian, file) = (fields.big_endian, bytes.len() as u64);
        Ok(Directory { version, big_endian, tensors, start, alignment, file })
    }

    /// Bytes of names and the like.
    pub(super) fn made_of(&self) -> usize {
        self.tensors.iter().map(|tensor| 24 + tensor.name.len() + 8 * tensor.shape.len()).sum()
    }

    /// Its tensors in the order of the file.
    ///
    /// # Errors
    /// [`ContainerError::Malformed`].
    pub(super) fn into_arrays(mut self) -> Result<Vec<Array>, ContainerError> {
        self.tensors.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        if let Some(pair) = self.tensors.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(malformed(format!("tensor \"{}\" stands twice", pair[0].name.escape_debug())));
        }
        self.tensors.sort_unstable_by(|a, b| a.offset.cmp(&b.offset).then(a.name.cmp(&b.name)));
        let mut arrays = tq_memory::with_capacity(self.tensors.len())?;
        // Where the last tensor ends, and where the one ends that has the most bytes of a type that isn't known.
        let (mut end, mut known) = (self.start.min(self.file), true);
        for tensor in self.tensors {
            let problem =
                |problem: String| malformed(format!("tensor \"{}\": {problem}", tensor.name.escape_debug()));
            if !tensor.offset.is_multiple_of(self.alignment) {
                let offset = tensor.offset;
                return Err(problem(format!(
                    "it is at {offset}, which is no multiple of {}",
                    self.alignment
                )));
            }
            let Some(offset) = self.start.checked_add(tensor.offset) else {
                return Err(problem("it is beyond all bounds".to_owned()));
            };
            let kind = Type::of(tensor.kind);
            let columns = tensor.shape.last().copied().unwrap_or(1);
            if let Some(Cell::Packed(block)) = kind.cell
                && !columns.is_multiple_of(block.cells)
            {
                let (name, cells) = (kind.name, block.cells);
                return Err(problem(format!(
                    "its rows of {columns} are no whole blocks of {cells} of {name}"
                )));
            }
            let obstacle = match kind.cell {
                None => Some(format!("its type is {}, which isn't known here", kind.name)),
                Some(Cell::Packed(block)) if block.packing.is_none() => {
                    Some(format!("its type is {}: of those in blocks, Q8_0 and Q4_0 are read", kind.name))
                }
                // Writers disagree about the order of the bytes within a block.
                Some(Cell::Packed(_)) if self.big_endian => {
                    Some(format!("its type is {} in a big-endian file", kind.name))
                }
                _ => None,
            };
            let array = Array {
                name: tensor.name.clone(),
                dtype: kind.name,
                cell: kind.cell.unwrap_or(Cell::Opaque(0)),
                big_endian: self.big_endian,
                layout: Layout::Rows,
                shape: tensor.shape,
                offset,
                entry: None,
                obstacle,
            };
            let past = array.check(self.file)?;
            if offset < end && past > offset {
                return Err(problem(format!(
                    "its data starts at {offset}, before that of another ends at {end}"
                )));
            }
            end = end.max(past);
            known &= kind.cell.is_some();
            arrays.push(array);
        }
        // What is behind a type that isn't known may be its own.
        if known && self.file >= end.next_multiple_of(self.alignment) && self.file - end >= self.alignment {
            let behind = self.file - end;
            return Err(malformed(format!(
                "{behind} bytes stand behind the end of the last tensor, at byte {end}"
            )));
        }
        Ok(arrays)
    }
}

/// Reads a directory front to back.
struct Fields<'b> {
    bytes: &'b [u8],
    at: usize,
    big_endian: bool,
}

impl Fields<'_> {
    /// Passes over some bytes, and says where they are.
    fn take(&mut self, count: u64) -> Result<&[u8], ContainerError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = usize::try_from(count).ok().and_then(|count| rest.get(..count));
        let Some(taken) = taken else {
            let (at, there) = (self.at, rest.len());
            return Err(malformed(format!(
                "it breaks off: {count} bytes needed from byte {at} on, {there} present"
            )));
        };
        self.at += taken.len();
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ContainerError> {
        Ok(self.take(N as u64)?.try_into().unwrap_or([0; N]))
    }

    fn u32(&mut self) -> Result<u32, ContainerError> {
        let bytes = self.array()?;
        Ok(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn u64(&mut self) -> Result<u64, ContainerError> {
        let bytes = self.array()?;
        Ok(if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    /// Passes over pairs, and returns the alignment.
    fn pairs(&mut self, count: u64) -> Result<u64, ContainerError> {
        const KEY: &[u8] = b"general.alignment";
        let mut alignment = None;
        // However large the number is, the first pair beyond the file is an error.
        for _ in 0..count {
            let length = self.u64()?;
            let is_alignment = self.take(length)? == KEY;
            let kind = self.u32()?;
            if !is_alignment {
                self.pass(kind, 0)?;
                continue;
            }
            if kind != 4 {
                return Err(malformed(format!("its alignment is of type {kind}, not 4")));
            }
            if alignment.replace(u64::from(self.u32()?)).is_some() {
                return Err(malformed("its alignment stands twice".to_owned()));
            }
        }
        match alignment.unwrap_or(ALIGNMENT) {
            alignment if alignment.is_power_of_two() && alignment <= MOST_ALIGNMENT => Ok(alignment),
            alignment => Err(malformed(format!("its alignment is {alignment}, no power of two up to 2^20"))),
        }
    }

    /// Passes over a value of a type.
    fn pass(&mut self, kind: u32, depth: u32) -> Result<(), ContainerError> {
        if let Some(width) = width_of(kind) {
            self.take(width)?;
            return Ok(());
        }
        match kind {
            8 => {
                let length = self.u64()?;
                self.take(length).map(drop)
            }
            9 if depth == MOST_NESTED => Err(malformed("its pairs are nested too deeply".to_owned())),
            9 => {
                let (kind, count) = (self.u32()?, self.u64()?);
                match width_of(kind) {
                    // Beyond all bounds is beyond the file.
                    Some(width) => self.take(count.saturating_mul(width)).map(drop),
                    None => (0..count).try_for_each(|_| self.pass(kind, depth + 1)),
                }
            }
            _ => Err(malformed(format!("unknown type {kind} of a pair in front of byte {}", self.at))),
        }
    }

    fn tensor(&mut self) -> Result<Entry, ContainerError> {
        let (at, length) = (self.at, self.u64()?);
        if length > MOST_NAME_BYTES {
            return Err(malformed(format!(
                "a name at byte {at} has {length} bytes: at most {MOST_NAME_BYTES} are read"
            )));
        }
        let Ok(name) = std::str::from_utf8(self.take(length)?) else {
            return Err(malformed(format!("a name at byte {at} isn't UTF-8")));
        };
        let name = tq_memory::text(name)?;
        let count = self.u32()?;
        if count > MOST_DIMENSIONS {
            let name = name.escape_debug();
            return Err(malformed(format!(
                "tensor \"{name}\": it has {count} dimensions: at most {MOST_DIMENSIONS} are read"
            )));
        }
        let mut shape = tq_memory::with_capacity(count as usize)?;
        for _ in 0..count {
            shape.push(self.u64()?);
        }
        shape.reverse();
        Ok(Entry { name, shape, kind: self.u32()?, offset: self.u64()? })
    }
}

/// Bytes of a value of a type, where it has always the same.
fn width_of(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

fn malformed(problem: String) -> ContainerError {
    ContainerError::Malformed(format!("GGUF: {problem}"))
}
