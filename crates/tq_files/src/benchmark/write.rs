//! One matrix as a `.fbin` file.

use crate::rows::Real;
use crate::{ContainerError, FloatType, Output, RowWriter, RowsError};

/// Writes rows as a `.fbin` file, whose first number is put right in the end.
pub struct FbinWriter {
    output: Box<dyn Output>,
    dimension: u32,
    rows: u32,
    /// A block's bytes, kept for its capacity.
    block: Vec<u8>,
}

impl FbinWriter {
    /// Begins a file of rows of `dimension` numbers.
    ///
    /// # Errors
    /// [`ContainerError::Unsupported`] for a dimension of 0; the output's.
    pub fn new(mut output: Box<dyn Output>, dimension: u32) -> Result<Self, RowsError> {
        if dimension == 0 {
            return Err(ContainerError::Unsupported("rows without numbers".to_owned()).into());
        }
        output.append(&[0; 8])?;
        Ok(FbinWriter { output, dimension, rows: 0, block: Vec::new() })
    }

    fn append_rows<N: Real>(&mut self, rows: &[N]) -> Result<(), RowsError> {
        let (count, rest) = (rows.len() / self.dimension as usize, rows.len() % self.dimension as usize);
        if rest != 0 {
            let problem = format!("a row of {rest} numbers among rows of {}", self.dimension);
            return Err(ContainerError::Unsupported(problem).into());
        }
        let total = u32::try_from(count).ok().and_then(|count| self.rows.checked_add(count));
        let Some(total) = total else {
            let problem = format!("a fbin file has at most {} rows", u32::MAX);
            return Err(ContainerError::Unsupported(problem).into());
        };
        self.block.clear();
        FloatType::F32.encode(rows, self.dimension, self.rows.into(), &mut self.block)?;
        self.output.append(&self.block)?;
        self.rows = total;
        Ok(())
    }
}

impl RowWriter for FbinWriter {
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
        let mut front = [0; 8];
        front[..4].copy_from_slice(&self.rows.to_le_bytes());
        front[4..].copy_from_slice(&self.dimension.to_le_bytes());
        self.output.write_at(0, &front)?;
        Ok(self.output.complete()?)
    }
}
