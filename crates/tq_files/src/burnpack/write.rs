//! One matrix as a Burnpack file, written front to back though its directory, at the front, holds the number of rows.
//!
//! How long the directory is depends on the digits of that number, and where the data begins depends on its length, but only
//! in steps of 256 bytes. So room is left for the longest directory there could be. When the number is known the directory is
//! written as short as it can be, as Burn does, and if that would let the data begin a step earlier, with integers of
//! nine bytes, which make it the longest.

use std::collections::BTreeMap;

use super::directory::{Directory, Dtype, Entry};
use super::encode::{Integers, encode};
use super::layout::{MOST_TENSOR_BYTES, data_start};
use crate::container::hold_for_directory;
use crate::io::append_zeros;
use crate::rows::Real;
use crate::{ContainerError, FloatType, Output, RowWriter, RowsError};

/// What a Burnpack file is to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BurnpackOptions {
    /// The tensor's name.
    pub tensor: String,
    /// The type of its numbers.
    pub float: FloatType,
    /// What else the file is to say.
    pub metadata: BTreeMap<String, String>,
}

impl Default for BurnpackOptions {
    /// A tensor `embedding` of `f32`, and nothing else.
    fn default() -> Self {
        BurnpackOptions { tensor: "embedding".to_owned(), float: FloatType::F32, metadata: BTreeMap::new() }
    }
}

/// Writes rows as the only tensor of a Burnpack file.
pub struct BurnpackWriter {
    output: Box<dyn Output>,
    directory: Directory,
    float: FloatType,
    dimension: u32,
    rows: u64,
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
        let texts = options.metadata.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        let _hold = hold_for_directory(texts + 1024)?;
        let metadata = options.metadata.into_iter().collect();
        let directory = Directory { tensors: vec![entry], metadata, scalars: Vec::new() };
        let longest = encode(&directory, Integers::NineBytes)?;
        let start = data_start(longest.len());
        // At most 16 MiB and a bit. Without a magic number it is no Burnpack file yet.
        append_zeros(&mut *output, start)?;
        Ok(BurnpackWriter { output, directory, float, dimension, rows: 0, start, block: Vec::new() })
    }

    /// The bytes of so many rows, if a tensor can have them.
    fn tensor_bytes(&self, rows: u64) -> Option<u64> {
        let row_bytes = u64::from(self.dimension) * self.float.width() as u64;
        rows.checked_mul(row_bytes).filter(|bytes| *bytes <= MOST_TENSOR_BYTES)
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

impl RowWriter for BurnpackWriter {
    fn append(&mut self, rows: &[f32]) -> Result<(), RowsError> {
        self.append_rows(rows)
    }

    fn append_doubles(&mut self, rows: &[f64]) -> Result<(), RowsError> {
        self.append_rows(rows)
    }

    fn bytes(&self) -> u64 {
        self.output.position()
    }

    fn finish(mut self: Box<Self>) -> Result<(), RowsError> {
        let bytes = self.tensor_bytes(self.rows).unwrap_or_default();
        for entry in &mut self.directory.tensors {
            entry.shape = vec![self.rows, u64::from(self.dimension)];
            entry.range = (0, bytes);
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
