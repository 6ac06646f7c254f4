//! Corpora as rows of floats: decompressed on the way out of one, compressed on the way into one, in blocks and on several
//! threads.
//!
//! So a corpus becomes a file of another format, or the other way round, by a loop over [`RowReader`] and [`RowWriter`].

use std::sync::Arc;

use tq_codec::{BatchError, Codec, CodecError, Workers};
use tq_format::{COUNT_OFFSET, CorpusHeader, MAGIC_OFFSET, Magic};

use crate::rows::{check_finite, to_singles};
use crate::{Corpus, Output, RowReader, RowWriter, RowsError};

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
        let (header, config) = (corpus.header(), codec.config());
        let field = header.record_hash_field();
        if field != *codec.hash().as_bytes() {
            let got = String::from_utf8_lossy(&field).trim_end_matches('\0').to_owned();
            return Err(CodecError::ConfigMismatch { expected: codec.hash().to_string(), got });
        }
        if header.dimension != config.dimension() {
            let (expected, got) = (config.dimension() as usize, header.dimension as usize);
            return Err(CodecError::DimensionMismatch { expected, got });
        }
        if header.bit_width != config.bit_width() {
            let (expected, got) = (config.bit_width(), header.bit_width);
            return Err(CodecError::BitWidthMismatch { expected, got });
        }
        if header.residual != config.residual() {
            return Err(CodecError::ResidualMismatch { expected: config.residual() });
        }
        Ok(CorpusRows { corpus, codec, workers, next: 0 })
    }

    /// The corpus.
    pub fn corpus(&self) -> &Corpus {
        &self.corpus
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
            check_finite(&out[start..], self.dimension(), self.next)?;
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

/// Writes rows as a corpus of one codec.
pub struct CorpusRowWriter {
    output: Box<dyn Output>,
    codec: Arc<Codec>,
    workers: Arc<Workers>,
    prefix: [u8; 4],
    count: u64,
    /// Records of a block, kept for its capacity.
    records: Vec<u8>,
}

impl CorpusRowWriter {
    /// Begins a corpus of vectors compressed by `codec` on `workers`. `metadata` is what the header will hold:
    /// [`Metadata::encode`](crate::Metadata::encode) makes it.
    ///
    /// # Errors
    /// [`RowsError::Corpus`] for metadata that is too long, and the output's.
    pub fn new(
        mut output: Box<dyn Output>,
        codec: Arc<Codec>,
        workers: Arc<Workers>,
        metadata: Vec<u8>,
    ) -> Result<Self, RowsError> {
        let config = codec.config();
        let header = CorpusHeader {
            vector_count: 0,
            dimension: config.dimension(),
            bit_width: config.bit_width(),
            residual: config.residual(),
            config_hash: codec.hash().to_string(),
            metadata,
        };
        output.append(&header.encode(Magic::Unfinished)?)?;
        // At most 49 227: the dimension is within bounds.
        let prefix = (header.record_len() as u32).to_le_bytes();
        Ok(CorpusRowWriter { output, codec, workers, prefix, count: 0, records: Vec::new() })
    }

    /// Records so far.
    pub fn count(&self) -> u64 {
        self.count
    }
}

impl RowWriter for CorpusRowWriter {
    /// Adds rows, as many at a time as the caller has time for; [`Codec::round_rows`] takes some ten milliseconds.
    fn append(&mut self, rows: &[f32]) -> Result<(), RowsError> {
        let dimension = self.codec.config().dimension() as usize;
        let record_len = u32::from_le_bytes(self.prefix) as usize;
        for block in rows.chunks(self.codec.round_rows(&self.workers) * dimension) {
            self.records.clear();
            let encoded = self.codec.encode_batch_on(&self.workers, block, &mut self.records, &mut || {});
            encoded.map_err(|error| at(self.count, error))?;
            for record in self.records.chunks_exact(record_len) {
                self.output.append(&self.prefix)?;
                self.output.append(record)?;
                self.count += 1;
            }
        }
        Ok(())
    }

    fn append_doubles(&mut self, rows: &[f64]) -> Result<(), RowsError> {
        self.append(&to_singles(rows, self.codec.config().dimension(), self.count)?)
    }

    fn bytes(&self) -> u64 {
        self.output.position()
    }

    fn finish(mut self: Box<Self>) -> Result<(), RowsError> {
        self.output.write_at(COUNT_OFFSET, &self.count.to_le_bytes())?;
        self.output.write_at(MAGIC_OFFSET, &Magic::Final.bytes())?;
        Ok(self.output.complete()?)
    }
}

/// An error of a block, at its place in the whole.
fn at(first: u64, error: BatchError) -> RowsError {
    RowsError::Codec { row: first.saturating_add(error.row as u64).saturating_add(1), source: error.source }
}
