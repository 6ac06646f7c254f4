//! Rows made of a corpus: each record as it is, or recompressed, with its id beside it.

use std::path::PathBuf;
use std::sync::Arc;

use tq_codec::{BatchError, Codec, Workers};
use tq_corpus::Corpus;
use tq_format::RecordView;

use super::ids::IdColumn;
use super::source::{RowSource, write_field, write_row};
use crate::error::Error;
use crate::registry;

/// Records are made into rows in batches of about this size: large next to the system calls that guard a batch,
/// small next to the memory of a backend.
const BATCH_BYTES: usize = 256 * 1024;

/// What a row is made of.
pub(super) struct RowPlan {
    /// The column with ids, if there is one.
    pub(super) id: Option<IdColumn>,
    /// What is done to the records, if anything.
    pub(super) recompression: Option<Recompression>,
}

/// Records of one codec are decoded and compressed with another.
pub(super) struct Recompression {
    pub(super) from: Arc<Codec>,
    pub(super) to: Arc<Codec>,
    pub(super) workers: Workers,
}

impl Recompression {
    /// The new records, one behind the other; `first` is the number of the first, from 0.
    fn apply(&self, records: &[RecordView<'_>], first: u64) -> Result<Vec<u8>, Error> {
        let at = |error: BatchError| Error::CorpusRecord {
            record: first + error.row as u64 + 1,
            source: Box::new(error.source.into()),
        };
        let mut vectors = Vec::new();
        self.from.decode_batch(records, &mut vectors).map_err(at)?;
        registry::confirm(&self.from)?;
        let mut made = Vec::new();
        registry::encode_batch(&self.to, &self.workers, &vectors, &mut made, |row, source| {
            Error::CorpusRecord { record: first + row as u64 + 1, source: Box::new(source) }
        })?;
        Ok(made)
    }
}

/// Appends the row of a record, counted from 0.
fn write_record(id: &mut Option<IdColumn>, row: u64, record: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    write_row(id.as_mut(), row, out, |out| write_field(record, out))
}

/// What remains to be given out of a corpus.
pub(super) struct CorpusRows {
    path: PathBuf,
    corpus: Corpus,
    plan: RowPlan,
    next: u64,
}

impl CorpusRows {
    pub(super) fn new(path: PathBuf, corpus: Corpus, plan: RowPlan) -> CorpusRows {
        CorpusRows { path, corpus, plan, next: 0 }
    }
}

impl RowSource for CorpusRows {
    fn bytes(&self) -> u64 {
        self.corpus.file().len()
    }

    fn more(&mut self, pending: &mut Vec<u8>) -> Result<bool, Error> {
        let CorpusRows { path, corpus, plan, next } = self;
        let RowPlan { id, recompression } = plan;
        let header = corpus.header();
        let record_len = tq_format::record_len(header.bit_width, header.dimension, header.residual);
        let count = (BATCH_BYTES / record_len).max(1) as u64;
        let first = *next;
        let end = header.vector_count.min(first + count);
        // What the batch made of a file that changed meanwhile is never given out: an error comes instead.
        let made = corpus
            .batch(first..end, |records| {
                if let Some(recompression) = recompression {
                    let mut views = tq_memory::with_capacity((end - first) as usize)?;
                    for record in records {
                        views.push(record?);
                    }
                    let records = views;
                    return Ok(recompression.apply(&records, first).and_then(|made| {
                        let length = made.len() / records.len().max(1);
                        let mut numbered = (first..).zip(made.chunks_exact(length.max(1)));
                        numbered.try_for_each(|(number, record)| write_record(id, number, record, pending))
                    }));
                }
                for (number, record) in (first..).zip(records) {
                    if let Err(error) = write_record(id, number, record?.as_bytes(), pending) {
                        return Ok(Err(error));
                    }
                }
                Ok(Ok(()))
            })
            .map_err(|source| Error::CorpusFile { path: path.clone(), source })?;
        made.map_err(|source| Error::CorpusRow { path: path.clone(), source: source.into() })?;
        *next = end;
        Ok(end < header.vector_count)
    }
}
