//! Rows made of a corpus: each record as it is, or recompressed, with its id beside it.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use tq_codec::{BatchError, Codec, Workers};
use tq_files::{Corpus, CorpusFileError};
use tq_format::{CorpusError, RecordView, Records};
use tq_memory::Grow;

use super::data::{CopyData, data_len, write_field, write_row};
use super::rejects::FileRejects;
use super::source::{RowSource, Stop};
use crate::copy::ids::IdColumn;
use crate::error::{Error, FormatError};
use crate::registry;

/// Records are made into rows in batches of about this size: large next to the system calls that guard a batch,
/// small next to the memory of a backend.
const BATCH_BYTES: usize = 256 * 1024;

/// What a row is made of.
pub(crate) struct RowPlan {
    /// The column with ids, if there is one.
    pub(crate) id: Option<IdColumn>,
    /// What is done to the records, if anything.
    pub(crate) recompression: Option<Recompression>,
}

/// Records of one codec are decoded and compressed with another.
pub(crate) struct Recompression {
    pub(crate) from: Arc<Codec>,
    pub(crate) to: Arc<Codec>,
    pub(crate) workers: Workers,
}

impl Recompression {
    /// The new records, one behind the other, and what is wrong with the first that can't be made; `first` is the number of
    /// the first, from 0.
    ///
    /// # Errors
    /// One that is no record's own.
    fn apply(&self, records: &[RecordView<'_>], first: u64) -> Result<(Vec<u8>, Option<Error>), Error> {
        let (mut count, mut failure) = (records.len(), None);
        loop {
            let mut failed = None;
            let result = self.try_all(&records[..count], |row, source| {
                failed = Some(row);
                Error::Format(FormatError::CorpusRecord {
                    record: first + row as u64 + 1,
                    source: Box::new(source),
                })
            });
            match (result, failed) {
                (Ok(made), _) => return Ok((made, failure)),
                // Those before it again.
                (Err(error), Some(row)) => (count, failure) = (row, Some(error)),
                (Err(error), None) => return Err(error),
            }
        }
    }

    fn try_all(
        &self,
        records: &[RecordView<'_>],
        mut at: impl FnMut(usize, Error) -> Error,
    ) -> Result<Vec<u8>, Error> {
        let (mut vectors, mut made) = (Vec::new(), Vec::new());
        let decoded = self.from.decode_batch(records, &mut vectors);
        decoded.map_err(|BatchError { row, source }| at(row, source.into()))?;
        registry::confirm(&self.from)?;
        registry::encode_batch(&self.to, &self.workers, &vectors, &mut made, at)?;
        Ok(made)
    }
}

/// Appends the row of a record, counted from 0.
fn write_record(id: &mut Option<IdColumn>, row: u64, record: &[u8], out: &mut CopyData) -> Result<(), Error> {
    write_row(id.as_mut(), row, out, |out| write_field(record, out))
}

/// What remains to be given out of a corpus.
pub(crate) struct CorpusSource {
    pub(super) path: PathBuf,
    pub(super) corpus: Corpus,
    pub(super) plan: RowPlan,
    pub(super) next: u64,
    /// What becomes of rows that can't be made, if they are no errors.
    pub(super) rejects: Option<FileRejects>,
    /// Whether the record before the next batch had another length than the header says.
    pub(super) misplaced: bool,
}

impl CorpusSource {
    pub(crate) fn new(
        path: PathBuf,
        corpus: Corpus,
        plan: RowPlan,
        rejects: Option<FileRejects>,
    ) -> CorpusSource {
        CorpusSource { path, corpus, plan, next: 0, rejects, misplaced: false }
    }

    /// The records of the next batch, by their indices, from 0.
    pub(super) fn next_batch(&self) -> Range<u64> {
        let header = self.corpus.header();
        let count = (BATCH_BYTES / header.record_len()).max(1) as u64;
        self.next..header.vector_count.min(self.next + count)
    }

    /// An error of the corpus that came of reading a batch.
    pub(super) fn batch_error(&self, source: CorpusFileError) -> Stop {
        let of_record = matches!(source, CorpusFileError::Format(_));
        let error = Error::CorpusFile { path: self.path.clone(), source };
        if of_record { Stop::at_row(error) } else { Stop::elsewhere(error) }
    }

    /// An error with the file's name.
    pub(super) fn of_file(&self, source: Error) -> Error {
        Error::Format(FormatError::CorpusRow { path: self.path.clone(), source: source.into() })
    }
}

impl RowSource for CorpusSource {
    fn bytes(&self) -> u64 {
        let header = self.corpus.header();
        let record_len = match &self.plan.recompression {
            Some(recompression) => registry::record_len(&recompression.to),
            None => header.record_len(),
        };
        data_len(header.vector_count, record_len, self.plan.id.as_ref(), self.corpus.file().len())
    }

    fn rejects(&self) -> Option<&FileRejects> {
        self.rejects.as_ref()
    }

    fn more(&mut self, pending: &mut CopyData) -> Result<bool, Stop> {
        if let Some(mut rejects) = self.rejects.take() {
            let made = self.more_good(&mut rejects, pending);
            self.rejects = Some(rejects);
            return made;
        }
        let batch = self.next_batch();
        let (first, plan) = (batch.start, &mut self.plan);
        // What the batch made of a file that changed meanwhile is never given out: an error comes instead.
        let made = self.corpus.batch(batch.clone(), |records| plan.write(records, first, pending));
        match made.map_err(|source| self.batch_error(source))? {
            BatchOutcome::All => {
                self.next = batch.end;
                Ok(batch.end < self.corpus.vector_count())
            }
            BatchOutcome::UpTo(source) => Err(Stop::at_row(self.of_file(source))),
            BatchOutcome::Nothing(source) => Err(Stop::elsewhere(self.of_file(source))),
        }
    }
}

/// What became of a batch.
pub(super) enum BatchOutcome {
    All,
    /// The rows before the one that has this error.
    UpTo(Error),
    Nothing(Error),
}

impl RowPlan {
    /// Appends the rows of records, the first of which has that number, from 0.
    fn write(
        &mut self,
        records: Records<'_>,
        first: u64,
        out: &mut CopyData,
    ) -> Result<BatchOutcome, CorpusError> {
        let RowPlan { id, recompression } = self;
        let Some(recompression) = recompression else {
            for (number, record) in (first..).zip(records) {
                if let Err(error) = write_record(id, number, record?.as_bytes(), out) {
                    return Ok(BatchOutcome::UpTo(error));
                }
            }
            return Ok(BatchOutcome::All);
        };
        let (mut views, mut malformed) = (Vec::new(), None);
        for record in records {
            match record {
                Ok(view) => match views.try_push(view) {
                    Ok(()) => {}
                    Err(error) => return Ok(BatchOutcome::Nothing(error.into())),
                },
                Err(error) => {
                    malformed = Some(error);
                    break;
                }
            }
        }
        let (made, failure) = match recompression.apply(&views, first) {
            Ok(made) => made,
            Err(error) => return Ok(BatchOutcome::Nothing(error)),
        };
        let length = registry::record_len(&recompression.to);
        for (number, record) in (first..).zip(made.chunks_exact(length)) {
            if let Err(error) = write_record(id, number, record, out) {
                return Ok(BatchOutcome::UpTo(error));
            }
        }
        match (failure, malformed) {
            (Some(error), _) => Ok(BatchOutcome::UpTo(error)),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(BatchOutcome::All),
        }
    }
}
