//! One matrix as a safetensors file, and perhaps its ids; the directory stands in front of the numbers and has room for any number
//! of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::{HEADER_LEN, METADATA, MOST_DIRECTORY_BYTES};
use crate::container::{IdKind, IdTensor, hold_for_directory};
use crate::io::append_zeros;
use crate::rows::Real;
use crate::{ContainerError, FloatType, Id, Output, RowWriter, RowsError};

/// The data begins at a multiple of it, as in files of the library.
pub(crate) const ALIGNMENT: usize = 8;

/// What a safetensors file is to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafetensorsOptions {
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

impl Default for SafetensorsOptions {
    /// A tensor `embedding` of `f32`, and nothing else.
    fn default() -> Self {
        SafetensorsOptions {
            tensor: "embedding".to_owned(),
            float: FloatType::F32,
            ids: None,
            metadata: BTreeMap::new(),
            temporary: std::env::temp_dir(),
        }
    }
}

/// Writes rows as a tensor of a safetensors file, the only one but for that of their ids.
pub struct SafetensorsWriter {
    output: Box<dyn Output>,
    options: SafetensorsOptions,
    dimension: u32,
    rows: u64,
    ids: Option<IdTensor>,
    /// Bytes in front of the numbers.
    front: usize,
    /// A block's bytes, kept for its capacity.
    block: Vec<u8>,
}

/// The tensor in the directory.
#[derive(Serialize)]
pub(crate) struct Entry {
    pub(crate) dtype: &'static str,
    pub(crate) shape: Vec<u64>,
    pub(crate) data_offsets: [u64; 2],
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
        for name in [Some(&options.tensor), options.ids.as_ref()].into_iter().flatten() {
            if name == METADATA {
                let problem = format!("a tensor of a safetensors file can't be called \"{METADATA}\"");
                return Err(ContainerError::Unsupported(problem).into());
            }
        }
        if options.ids.as_ref() == Some(&options.tensor) {
            let problem = format!("two tensors can't be called \"{}\"", options.tensor.escape_debug());
            return Err(ContainerError::Unsupported(problem).into());
        }
        let ids = options.ids.as_ref().map(|_| IdTensor::new(&options.temporary));
        let longest = directory(&options, dimension, u64::MAX, u64::MAX, IdKind::LONGEST)?.len();
        if longest > MOST_DIRECTORY_BYTES {
            return Err(too_long(longest).into());
        }
        let front = (HEADER_LEN + longest).next_multiple_of(ALIGNMENT);
        // No length yet, and so no file of the format.
        append_zeros(&mut *output, front as u64)?;
        Ok(SafetensorsWriter { output, options, dimension, rows: 0, ids, front, block: Vec::new() })
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
    ids: IdKind,
) -> Result<Vec<u8>, ContainerError> {
    let texts = options.metadata.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
    let names = options.tensor.len() + options.ids.as_ref().map_or(0, String::len);
    if texts + names > MOST_DIRECTORY_BYTES {
        return Err(too_long(texts + names));
    }
    // A character of theirs takes six at most, and the text is copied as it grows.
    let _hold = hold_for_directory((texts + names) / 4 + 1024)?;
    let dtype = match options.float {
        FloatType::F16 => "F16",
        FloatType::Bf16 => "BF16",
        FloatType::F32 => "F32",
        FloatType::F64 => "F64",
    };
    let entry = Entry { dtype, shape: vec![rows, dimension.into()], data_offsets: [0, bytes] };
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
    if let Some(name) = &options.ids {
        let dtype = if matches!(ids, IdKind::Whole { .. }) { "I64" } else { "U8" };
        let data_offsets = [bytes, bytes.saturating_add(ids.bytes())];
        out.push(b',');
        serde_json::to_writer(&mut out, name).map_err(failed)?;
        out.push(b':');
        serde_json::to_writer(&mut out, &Entry { dtype, shape: ids.shape(), data_offsets })
            .map_err(failed)?;
    }
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
        let bytes = self.output.position() - self.front as u64;
        let mut kind = IdKind::Whole { count: 0 };
        if let Some(ids) = self.ids.take() {
            ids.check(self.rows)?;
            kind = ids.kind();
            ids.write(|some| Ok(self.output.append(some)?))?;
        }
        let directory = directory(&self.options, self.dimension, self.rows, bytes, kind)?;
        let mut front = tq_memory::filled(self.front, b' ')?;
        front[..HEADER_LEN].copy_from_slice(&((self.front - HEADER_LEN) as u64).to_le_bytes());
        front[HEADER_LEN..][..directory.len()].copy_from_slice(&directory);
        self.output.write_at(0, &front)?;
        Ok(self.output.complete()?)
    }
}
