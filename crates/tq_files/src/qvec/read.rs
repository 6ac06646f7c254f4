//! An index as rows of floats: decoded to vectors of the norms that it has stored.

use std::sync::Arc;

use tq_codec::{BatchError, Quantvec, QuantvecDecoding, Workers};

use super::{QvecFile, QvecFileError};
use crate::rows::check_finite;
use crate::{RowReader, RowsError};

/// Reads an index as the vectors that its codes stand for, each as long as its norm says.
pub struct QvecRows {
    file: Arc<QvecFile>,
    /// None for an index without vectors, which needs none.
    codec: Option<Arc<Quantvec>>,
    workers: Arc<Workers>,
    next: u32,
}

impl QvecRows {
    /// A reader that decodes on `workers`. Makes the codec if the file hasn't, and has vectors: see [`QvecFile::codec`].
    /// The ids of the rows are had from the file: [`QvecFile::ids`].
    ///
    /// # Errors
    /// Those of [`QvecFile::codec`].
    pub fn new(
        file: Arc<QvecFile>,
        workers: Arc<Workers>,
        poll: &mut dyn FnMut(),
    ) -> Result<Self, QvecFileError> {
        let codec = if file.header().count == 0 { None } else { Some(file.codec(poll)?) };
        Ok(QvecRows { file, codec, workers, next: 0 })
    }

    /// The index.
    pub fn file(&self) -> &Arc<QvecFile> {
        &self.file
    }

    /// Reads rows, which may have to be finite.
    fn decode(&mut self, most: usize, finite: bool, out: &mut Vec<f32>) -> Result<usize, RowsError> {
        let (start, first) = (out.len(), self.next);
        let Some(codec) = &self.codec else { return Ok(0) };
        // A few thousands.
        let most = most.min(codec.round_rows(&self.workers)) as u32;
        let decoded = self.file.read(|view| {
            let rows = view.rows(first..first.saturating_add(most));
            let rows = tq_memory::collected(rows).map_err(BatchError::from)?;
            let unit = QuantvecDecoding::Unit;
            codec.decode_batch_on(&self.workers, &rows, unit, out, &mut || {}).map(|()| rows.len())
        });
        let result = decoded.map_err(RowsError::from).and_then(|decoded| {
            let count = decoded.map_err(|error| at(first.into(), error))?;
            if finite {
                check_finite(&out[start..], self.dimension(), first.into())?;
            }
            Ok(count)
        });
        match &result {
            // No more than there are slots.
            Ok(count) => self.next += *count as u32,
            // A number that isn't finite is behind whole rows.
            Err(RowsError::Value { .. }) => {}
            Err(_) => out.truncate(start),
        }
        result
    }
}

impl RowReader for QvecRows {
    fn dimension(&self) -> u32 {
        self.file.header().dimension
    }

    fn rows(&self) -> u64 {
        self.file.header().count.into()
    }

    fn read(&mut self, most: usize, out: &mut Vec<f32>) -> Result<usize, RowsError> {
        self.decode(most, true, out)
    }

    fn read_any(&mut self, most: usize, out: &mut Vec<f32>) -> Result<usize, RowsError> {
        self.decode(most, false, out)
    }
}

/// An error of a block whose first row is `first`, counted from 0.
pub(super) fn at(first: u64, error: BatchError) -> RowsError {
    RowsError::Codec { row: first.saturating_add(error.row as u64).saturating_add(1), source: error.source }
}
