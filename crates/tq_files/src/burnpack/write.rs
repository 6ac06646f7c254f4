//! One matrix as a Burnpack file, and perhaps its ids, written front to back though its directory, at the front, holds the number of rows.
//!
//! How long the directory is depends on the digits of that number, and where the data begins depends on its length, but only
//! in steps of 256 bytes. So room is left for the longest directory there could be. When the number is known the directory is
//! written as short as it can be, as Burn does, and if that would let the data begin a step earlier, with integers of
//! nine bytes, which make it the longest.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::directory::{Directory, Dtype, Entry};
use super::encode::{Integers, encode};
use super::layout::{ALIGNMENT, MOST_TENSOR_BYTES, data_start};
use crate::container::{IdKind, IdTensor, hold_for_directory};
use crate::io::append_zeros;
use crate::rows::Real;
use crate::{ContainerError, FloatType, Id, Output, RowWriter, RowsError};

/// What a Burnpack file is to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BurnpackOptions {
    /// The tensor's name.
    pub tensor: String,
    /// The type of its numbers.
    pub float: FloatType,
    /// The name of a tensor of ids, if there is to be one.
    pub ids: Option<String>,
    /// What else the file is to say.
    pub metadata: BTreeMap<String, String>,
    /// The folder for what has to wait: ids.
    pub temporary: PathBuf,
}

impl Default for BurnpackOptions {
    /// A tensor `embedding` of `f32`, and nothing else.
    fn default() -> Self {
        BurnpackOptions {
            tensor: "embedding".to_owned(),
            float: FloatType::F32,
            ids: None,
            metadata: BTreeMap::new(),
            temporary: std::env::temp_dir(),
        }
    }
}

/// Writes rows as a tensor of a Burnpack file, the only one but for that of their ids.
pub struct BurnpackWriter {
    output: Box<dyn Output>,
    directory: Directory,
    float: FloatType,
    dimension: u32,
    rows: u64,
    ids: Option<IdTensor>,
    /// The name of the tensor of ids.
    ids_name: Option<String>,
    /// Where the data begins.
    start: u64,
    /// A block's bytes, kept for its capacity.
    block: Vec<u8>,
}

impl BurnpackWriter {
    /// Begins a file of rows of `dimension` numbers.
    ///
    /// # Errors
    /// [`ContainerError::Unsupported`] for a dimension of 0 and for names and metadata that are too long; the output's.
    pub fn new(
        mut output: Box<dyn Output>,
        dimension: u32,
        options: BurnpackOptions,
    ) -> Result<Self, RowsError> {
        if dimension == 0 {
            return Err(ContainerError::Unsupported("rows without numbers".to_owned()).into());
        }
        let float = options.float;
        let entry = Entry {
            name: options.tensor,
            dtype: Dtype::of(float),
            shape: vec![0, u64::from(dimension)],
            range: (0, 0),
            param_id: None,
        };
        let mut tensors = vec![entry];
        if let Some(name) = options.ids.as_ref().filter(|name| **name == tensors[0].name) {
            let problem = format!("two tensors can't be called \"{}\"", name.escape_debug());
            return Err(ContainerError::Unsupported(problem).into());
        }
        let ids = options.ids.as_ref().map(|_| IdTensor::new(&options.temporary));
        tensors.extend(options.ids.iter().map(|name| id_entry(name, IdKind::LONGEST, 0)));
        tensors.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let texts = options.metadata.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        let _hold = hold_for_directory(texts + 1024)?;
        let metadata = options.metadata.into_iter().collect();
        let directory = Directory { tensors, metadata, scalars: Vec::new() };
        let longest = encode(&directory, Integers::NineBytes)?;
        let start = data_start(longest.len());
        // At most 16 MiB and a bit. Without a magic number it is no Burnpack file yet.
        append_zeros(&mut *output, start)?;
        let ids_name = options.ids;
        let (rows, block) = (0, Vec::new());
        Ok(BurnpackWriter { output, directory, float, dimension, rows, ids, ids_name, start, block })
    }

    /// The bytes of so many rows, if a tensor can have them.
    fn tensor_bytes(&self, rows: u64) -> Option<u64> {
        let row_bytes = u64::from(self.dimension) * self.float.width() as u64;
        rows.checked_mul(row_bytes).filter(|bytes| *bytes <= MOST_TENSOR_BYTES)
    }

    /// Writes the ids, so many bytes behind where the data begins.
    fn write_ids(&mut self, ids: IdTensor, place: u64) -> Result<(), RowsError> {
        let kind = ids.kind();
        if kind.bytes() > MOST_TENSOR_BYTES {
            let problem = format!("a Burnpack tensor has at most {MOST_TENSOR_BYTES} bytes");
            return Err(ContainerError::Unsupported(problem).into());
        }
        let gap = (self.start + place).saturating_sub(self.output.position());
        append_zeros(&mut *self.output, gap)?;
        ids.write(|some| Ok(self.output.append(some)?))?;
        for entry in &mut self.directory.tensors {
            if self.ids_name.as_ref() == Some(&entry.name) {
                *entry = id_entry(&entry.name, kind, place);
            }
        }
        Ok(())
    }

    fn append_rows<N: Real>(&mut self, rows: &[N]) -> Result<(), RowsError> {
        let unsupported = |problem| Err(ContainerError::Unsupported(problem).into());
        let (count, rest) = (rows.len() / self.dimension as usize, rows.len() % self.dimension as usize);
        if rest != 0 {
            return unsupported(format!("a row of {rest} numbers among rows of {}", self.dimension));
        }
        let total = self.rows.saturating_add(count as u64);
        if self.tensor_bytes(total).is_none() {
            return unsupported(format!("a Burnpack tensor has at most {MOST_TENSOR_BYTES} bytes"));
        }
        self.block.clear();
        self.float.encode(rows, self.dimension, self.rows, &mut self.block)?;
        self.output.append(&self.block)?;
        self.rows = total;
        Ok(())
    }
}

/// The tensor of ids that begins at `place`.
fn id_entry(name: &str, kind: IdKind, place: u64) -> Entry {
    let dtype = match kind {
        IdKind::Whole { .. } => Dtype::named("I64", 8),
        IdKind::Texts { .. } => Dtype::named("U8", 1),
    };
    let range = (place, place.saturating_add(kind.bytes()));
    Entry { name: name.to_owned(), dtype, shape: kind.shape(), range, param_id: None }
}

impl RowWriter for BurnpackWriter {
    fn append(&mut self, rows: &[f32]) -> Result<(), RowsError> {
        self.append_rows(rows)
    }

    fn append_doubles(&mut self, rows: &[f64]) -> Result<(), RowsError> {
        self.append_rows(rows)
    }

    fn append_ids(&mut self, ids: &[Id]) -> Result<(), RowsError> {
        match &mut self.ids {
            Some(tensor) => tensor.append(ids),
            None => Ok(()),
        }
    }

    fn bytes(&self) -> u64 {
        self.output.position() + self.ids.as_ref().map_or(0, IdTensor::waiting)
    }

    fn finish(mut self: Box<Self>) -> Result<(), RowsError> {
        let bytes = self.tensor_bytes(self.rows).unwrap_or_default();
        for entry in &mut self.directory.tensors {
            if self.ids_name.as_ref() != Some(&entry.name) {
                entry.shape = vec![self.rows, u64::from(self.dimension)];
                entry.range = (0, bytes);
            }
        }
        if let Some(ids) = self.ids.take() {
            ids.check(self.rows)?;
            self.write_ids(ids, bytes.next_multiple_of(ALIGNMENT))?;
        }
        let _hold = hold_for_directory(self.start as usize)?;
        let mut front = encode(&self.directory, Integers::Shortest)?;
        if data_start(front.len()) != self.start {
            front = encode(&self.directory, Integers::NineBytes)?;
        }
        self.output.write_at(0, &front)?;
        Ok(self.output.complete()?)
    }
}
