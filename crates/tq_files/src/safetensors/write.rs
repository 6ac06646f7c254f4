//! One matrix as a safetensors file, whose directory stands in front of the numbers and has room for any number of them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{HEADER_LEN, MOST_DIRECTORY_BYTES};
use crate::container::hold_for_directory;
use crate::io::append_zeros;
use crate::rows::Real;
use crate::{ContainerError, FloatType, Output, RowWriter, RowsError};

/// The data begins at a multiple of it, as in files of the library.
const ALIGNMENT: usize = 8;

/// What a safetensors file is to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafetensorsOptions {
    /// The tensor's name.
    pub tensor: String,
    /// The type of its numbers.
    pub float: FloatType,
    /// What else the file is to say.
    pub metadata: BTreeMap<String, String>,
}

impl Default for SafetensorsOptions {
    /// A tensor `embedding` of `f32`, and nothing else.
    fn default() -> Self {
        SafetensorsOptions {
            tensor: "embedding".to_owned(),
            float: FloatType::F32,
            metadata: BTreeMap::new(),
        }
    }
}

/// Writes rows as the only tensor of a safetensors file.
pub struct SafetensorsWriter {
    output: Box<dyn Output>,
    options: SafetensorsOptions,
    dimension: u32,
    rows: u64,
    /// Bytes in front of the numbers.
    front: usize,
    /// A block's bytes, kept for its capacity.
    block: Vec<u8>,
}

/// The tensor in the directory.
#[derive(Serialize)]
struct Entry {
    dtype: &'static str,
    shape: [u64; 2],
    data_offsets: [u64; 2],
}

impl SafetensorsWriter {
    /// Begins a file of rows of `dimension` numbers.
    ///
    /// # Errors
    /// [`ContainerError::Unsupported`] for a dimension of 0, for a tensor that is called as the metadata are, and for names and
    /// metadata that are too long; the output's.
    pub fn new(
        mut output: Box<dyn Output>,
        dimension: u32,
        options: SafetensorsOptions,
    ) -> Result<Self, RowsError> {
        if dimension == 0 {
            return Err(ContainerError::Unsupported("rows without numbers".to_owned()).into());
        }
        if options.tensor == "__metadata__" {
            let problem = "a tensor of a safetensors file can't be called \"__metadata__\"".to_owned();
            return Err(ContainerError::Unsupported(problem).into());
        }
        let longest = directory(&options, dimension, u64::MAX, u64::MAX)?.len();
        if longest > MOST_DIRECTORY_BYTES {
            return Err(too_long(longest).into());
        }
        let front = (HEADER_LEN + longest).next_multiple_of(ALIGNMENT);
        // No length yet, and so no file of the format.
        append_zeros(&mut *output, front as u64)?;
        Ok(SafetensorsWriter { output, options, dimension, rows: 0, front, block: Vec::new() })
    }

    fn append_rows<N: Real>(&mut self, rows: &[N]) -> Result<(), RowsError> {
        let (count, rest) = (rows.len() / self.dimension as usize, rows.len() % self.dimension as usize);
        if rest != 0 {
            let problem = format!("a row of {rest} numbers among rows of {}", self.dimension);
            return Err(ContainerError::Unsupported(problem).into());
        }
        self.block.clear();
        self.options.float.encode(rows, self.dimension, self.rows, &mut self.block)?;
        self.output.append(&self.block)?;
        self.rows += count as u64;
        Ok(())
    }
}

fn too_long(bytes: usize) -> ContainerError {
    ContainerError::Unsupported(format!(
        "names and metadata take {bytes} bytes: a safetensors file has room for {MOST_DIRECTORY_BYTES}"
    ))
}

/// The directory of a file of so many rows.
fn directory(
    options: &SafetensorsOptions,
    dimension: u32,
    rows: u64,
    bytes: u64,
) -> Result<Vec<u8>, ContainerError> {
    let texts = options.metadata.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
    if texts + options.tensor.len() > MOST_DIRECTORY_BYTES {
        return Err(too_long(texts + options.tensor.len()));
    }
    // A character of theirs takes six at most, and the text is copied as it grows.
    let _hold = hold_for_directory((texts + options.tensor.len()) / 4 + 1024)?;
    let dtype = match options.float {
        FloatType::F16 => "F16",
        FloatType::Bf16 => "BF16",
        FloatType::F32 => "F32",
        FloatType::F64 => "F64",
    };
    let entry = Entry { dtype, shape: [rows, dimension.into()], data_offsets: [0, bytes] };
    let failed = |error: serde_json::Error| ContainerError::Unsupported(format!("metadata: {error}"));
    let mut out = vec![b'{'];
    if !options.metadata.is_empty() {
        out.extend_from_slice(b"\"__metadata__\":");
        serde_json::to_writer(&mut out, &options.metadata).map_err(failed)?;
        out.push(b',');
    }
    serde_json::to_writer(&mut out, &options.tensor).map_err(failed)?;
    out.push(b':');
    serde_json::to_writer(&mut out, &entry).map_err(failed)?;
    out.push(b'}');
    Ok(out)
}

impl RowWriter for SafetensorsWriter {
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
        let bytes = self.output.position() - self.front as u64;
        let directory = directory(&self.options, self.dimension, self.rows, bytes)?;
        let mut front = tq_memory::filled(self.front, b' ')?;
        front[..HEADER_LEN].copy_from_slice(&((self.front - HEADER_LEN) as u64).to_le_bytes());
        front[HEADER_LEN..][..directory.len()].copy_from_slice(&directory);
        self.output.write_at(0, &front)?;
        Ok(self.output.complete()?)
    }
}
