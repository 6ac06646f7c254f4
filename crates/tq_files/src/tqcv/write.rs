//! Writing corpora: records as they are, and rows that are compressed on the way.
//!
//! A corpus begins with its header, which holds the number of its records. While it is written, the header says that it is
//! unfinished; number and magic are put in at the end, before the output is completed.

use std::sync::Arc;

use tq_codec::{Codec, Workers};
use tq_format::{COUNT_OFFSET, CorpusError, CorpusHeader, MAGIC_OFFSET, Magic};

use super::file::CorpusFileError;
use super::read::at;
use crate::io::{FileError, Output};
use crate::rows::{RowWriter, RowsError, to_singles};

/// Writes the records of a corpus, each behind its length.
pub struct CorpusWriter {
    output: Box<dyn Output>,
    /// What stands in front of each record.
    prefix: [u8; 4],
    record_len: usize,
    count: u64,
    /// Whether the header says so already.
    finished: bool,
    /// Records behind their lengths, on their way to the output.
    block: Vec<u8>,
}

/// Bytes that go to the output at once: more than any record and its length.
const BLOCK_BYTES: usize = 64 << 10;

impl CorpusWriter {
    /// Begins a corpus with this header, whose number of records is put in when it is known.
    ///
    /// # Errors
    /// [`CorpusFileError::Format`] for a header that can't be, [`CorpusFileError::File`] with the output's.
    pub fn new(output: Box<dyn Output>, header: &CorpusHeader) -> Result<Self, CorpusFileError> {
        Self::begin(output, header, Magic::Unfinished)
    }

    /// Begins a corpus of as many records as the header says, which have to follow: for an output that can't go back.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn counted(output: Box<dyn Output>, header: &CorpusHeader) -> Result<Self, CorpusFileError> {
        Self::begin(output, header, Magic::Final)
    }

    fn begin(
        mut output: Box<dyn Output>,
        header: &CorpusHeader,
        magic: Magic,
    ) -> Result<Self, CorpusFileError> {
        output.append(&header.encode(magic)?)?;
        let record_len = header.record_len();
        // At most 49 227: the dimension is within bounds.
        let prefix = (record_len as u32).to_le_bytes();
        let block = tq_memory::with_capacity(BLOCK_BYTES).map_err(CorpusError::from)?;
        Ok(CorpusWriter { output, prefix, record_len, count: 0, finished: magic == Magic::Final, block })
    }

    /// Adds whole records, one behind the other, of the header's codec.
    ///
    /// # Errors
    /// The output's.
    pub fn append(&mut self, records: &[u8]) -> Result<(), FileError> {
        debug_assert!(records.len().is_multiple_of(self.record_len));
        let together = BLOCK_BYTES / (self.prefix.len() + self.record_len);
        for records in records.chunks(together.max(1) * self.record_len) {
            self.block.clear();
            for record in records.chunks_exact(self.record_len) {
                self.block.extend_from_slice(&self.prefix);
                self.block.extend_from_slice(record);
                self.count += 1;
            }
            self.output.append(&self.block)?;
        }
        Ok(())
    }

    /// Records so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.output.position()
    }

    /// Puts the number of records in, and completes the output.
    ///
    /// # Errors
    /// The output's.
    pub fn finish(mut self) -> Result<(), FileError> {
        if !self.finished {
            self.output.write_at(COUNT_OFFSET, &self.count.to_le_bytes())?;
            self.output.write_at(MAGIC_OFFSET, &Magic::Final.bytes())?;
        }
        self.output.complete()
    }
}

/// Writes rows as a corpus of one codec.
pub struct CorpusRowWriter {
    writer: CorpusWriter,
    codec: Arc<Codec>,
    workers: Arc<Workers>,
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
        output: Box<dyn Output>,
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
        let writer = CorpusWriter::new(output, &header)?;
        Ok(CorpusRowWriter { writer, codec, workers, records: Vec::new() })
    }

    /// Records so far.
    pub fn count(&self) -> u64 {
        self.writer.count()
    }
}

impl RowWriter for CorpusRowWriter {
    /// Adds rows, as many at a time as the caller has time for; [`Codec::round_rows`] takes some ten milliseconds.
    fn append(&mut self, rows: &[f32]) -> Result<(), RowsError> {
        let dimension = self.codec.config().dimension() as usize;
        for block in rows.chunks(self.codec.round_rows(&self.workers) * dimension) {
            self.records.clear();
            let encoded = self.codec.encode_batch_on(&self.workers, block, &mut self.records, &mut || {});
            encoded.map_err(|error| at(self.count(), error))?;
            self.writer.append(&self.records)?;
        }
        Ok(())
    }

    fn append_doubles(&mut self, rows: &[f64]) -> Result<(), RowsError> {
        self.append(&to_singles(rows, self.codec.config().dimension(), self.count())?)
    }

    fn bytes(&self) -> u64 {
        self.writer.bytes()
    }

    fn finish(self: Box<Self>) -> Result<(), RowsError> {
        Ok(self.writer.finish()?)
    }
}
