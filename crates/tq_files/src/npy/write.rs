//! One matrix as a `.npy` file, byte for byte as NumPy writes it, whose header has room for any number of rows.

use crate::rows::Real;
use crate::{ContainerError, FloatType, Output, RowWriter, RowsError};

/// Bytes in front of the array: NumPy's own choice for every matrix, a multiple of 64.
const FRONT: usize = 128;
/// Magic number, version 1.0 and the length of what follows.
const START: [u8; 10] = [0x93, b'N', b'U', b'M', b'P', b'Y', 1, 0, FRONT as u8 - 10, 0];

/// What a `.npy` file is to be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NpyOptions {
    /// The type of its numbers.
    pub float: FloatType,
}

impl Default for NpyOptions {
    /// Single precision.
    fn default() -> Self {
        NpyOptions { float: FloatType::F32 }
    }
}

/// Writes rows as a `.npy` file.
pub struct NpyWriter {
    output: Box<dyn Output>,
    float: FloatType,
    dimension: u32,
    rows: u64,
    /// A block's bytes, kept for its capacity.
    block: Vec<u8>,
}

impl NpyWriter {
    /// Begins a file of rows of `dimension` numbers.
    ///
    /// # Errors
    /// [`ContainerError::Unsupported`] for a dimension of 0 and for `bf16`, which NumPy doesn't have; the output's.
    pub fn new(mut output: Box<dyn Output>, dimension: u32, options: NpyOptions) -> Result<Self, RowsError> {
        let NpyOptions { float } = options;
        if dimension == 0 {
            return Err(ContainerError::Unsupported("rows without numbers".to_owned()).into());
        }
        if float == FloatType::Bf16 {
            return Err(ContainerError::Unsupported("NumPy has no type bf16".to_owned()).into());
        }
        // Without a magic number it is no file of NumPy's yet.
        output.append(&[0; FRONT])?;
        Ok(NpyWriter { output, float, dimension, rows: 0, block: Vec::new() })
    }

    fn append_rows<N: Real>(&mut self, rows: &[N]) -> Result<(), RowsError> {
        let (count, rest) = (rows.len() / self.dimension as usize, rows.len() % self.dimension as usize);
        if rest != 0 {
            let problem = format!("a row of {rest} numbers among rows of {}", self.dimension);
            return Err(ContainerError::Unsupported(problem).into());
        }
        self.block.clear();
        self.float.encode(rows, self.dimension, self.rows, &mut self.block)?;
        self.output.append(&self.block)?;
        self.rows += count as u64;
        Ok(())
    }

    /// What stands in front of the array.
    fn front(&self) -> [u8; FRONT] {
        let descr = match self.float {
            FloatType::F16 => "<f2",
            FloatType::F64 => "<f8",
            // Never of bf16.
            FloatType::F32 | FloatType::Bf16 => "<f4",
        };
        let text = format!(
            "{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}, {}), }}",
            self.rows, self.dimension
        );
        let mut front = [b' '; FRONT];
        front[..START.len()].copy_from_slice(&START);
        // At most 92 bytes.
        front[START.len()..][..text.len()].copy_from_slice(text.as_bytes());
        front[FRONT - 1] = b'\n';
        front
    }
}

impl RowWriter for NpyWriter {
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
        let front = self.front();
        self.output.write_at(0, &front)?;
        Ok(self.output.complete()?)
    }
}
