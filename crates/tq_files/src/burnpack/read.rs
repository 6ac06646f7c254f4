//! A matrix of floats in a Burnpack file, read in blocks.

use std::sync::Arc;

use crate::rows::{Real, RealRowReader};
use crate::{FloatType, MappedFile, RowsError};

/// Bytes that are read in one step: a few milliseconds' work.
const STEP_BYTES: u64 = 4 << 20;

/// Reads one tensor; its place was checked against the file.
pub(super) struct BurnpackRows {
    pub(super) file: Arc<MappedFile>,
    pub(super) float: FloatType,
    pub(super) dimension: u32,
    pub(super) rows: u64,
    /// Where the next row begins in the file, and its index.
    pub(super) position: u64,
    pub(super) next: u64,
}

impl RealRowReader for BurnpackRows {
    fn dimension(&self) -> u32 {
        self.dimension
    }

    fn rows(&self) -> u64 {
        self.rows
    }

    fn next(&self) -> u64 {
        self.next
    }

    fn of_doubles(&self) -> bool {
        self.float == FloatType::F64
    }

    fn read_next<N: Real>(&mut self, most: usize, out: &mut Vec<N>) -> Result<usize, RowsError> {
        let row_bytes = u64::from(self.dimension) * self.float.width() as u64;
        let step = (STEP_BYTES / row_bytes).max(1);
        let count = (self.rows - self.next).min(most as u64).min(step);
        // All rows lie within the file as it was mapped, so these numbers fit.
        let (from, to) = (self.position as usize, (self.position + count * row_bytes) as usize);
        self.file.read(|bytes| self.float.decode(&bytes[from..to], out))??;
        self.file.release_below(self.position);
        self.position = to as u64;
        self.next += count;
        Ok(count as usize)
    }
}
