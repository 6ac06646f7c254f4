//! A corpus as rows of floats, decompressed in blocks and on several threads.
//!
//! So a corpus becomes a file of another format, or the other way round, by a loop over [`RowReader`] and [`RowWriter`](crate::RowWriter).

use std::sync::Arc;

use tq_codec::{BatchError, Codec, CodecError, Workers};

use super::file::Corpus;
use crate::rows::{RowReader, RowsError, check_finite};

/// Reads a corpus as the vectors that its records stand for.
pub struct CorpusRows {
    corpus: Corpus,
    codec: Arc<Codec>,
    workers: Arc<Workers>,
    next: u64,
}

impl CorpusRows {
    /// A reader that decompresses with `codec` on `workers`.
    ///
    /// # Errors
    /// [`CodecError::ConfigMismatch`] if the corpus is of another codec; [`CodecError::DimensionMismatch`],
    /// [`CodecError::BitWidthMismatch`] or [`CodecError::ResidualMismatch`] if it bears the codec's hash and contradicts
    /// it.
    pub fn new(corpus: Corpus, codec: Arc<Codec>, workers: Arc<Workers>) -> Result<Self, CodecError> {
        codec.check_shape(&corpus.header().shape())?;
        Ok(CorpusRows { corpus, codec, workers, next: 0 })
    }

    /// The corpus.
    pub fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    /// Reads rows, which may have to be finite.
    fn decode(&mut self, most: usize, finite: bool, out: &mut Vec<f32>) -> Result<usize, RowsError> {
        let start = out.len();
        let most = most.min(self.codec.round_rows(&self.workers)) as u64;
        let decoded = self.corpus.batch(self.next..self.next.saturating_add(most), |records| {
            let mut views = tq_memory::with_capacity(most as usize)?;
            for record in records {
                views.push(record?);
            }
            let records = views;
            Ok(self.codec.decode_batch_on(&self.workers, &records, out).map(|()| records.len()))
        });
        let result = decoded.map_err(RowsError::from).and_then(|decoded| {
            let count = decoded.map_err(|error| at(self.next, error))?;
            if finite {
                check_finite(&out[start..], self.dimension(), self.next)?;
            }
            Ok(count)
        });
        match &result {
            Ok(count) => self.next += *count as u64,
            // A number that isn't finite is behind whole rows.
            Err(RowsError::Value { .. }) => {}
            Err(_) => out.truncate(start),
        }
        result
    }
}

impl RowReader for CorpusRows {
    fn dimension(&self) -> u32 {
        self.corpus.header().dimension
    }

    fn rows(&self) -> u64 {
        self.corpus.vector_count()
    }

    fn read(&mut self, most: usize, out: &mut Vec<f32>) -> Result<usize, RowsError> {
        self.decode(most, true, out)
    }

    fn read_any(&mut self, most: usize, out: &mut Vec<f32>) -> Result<usize, RowsError> {
        self.decode(most, false, out)
    }
}

/// An error of a block, at its place in the whole.
pub(super) fn at(first: u64, error: BatchError) -> RowsError {
    RowsError::Codec { row: first.saturating_add(error.row as u64).saturating_add(1), source: error.source }
}
