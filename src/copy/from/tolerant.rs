//! Rows of files in which some can't be made, and the others are: `ON_ERROR 'ignore'` and `'null'`.

use tq_files::{Numbers, Real};
use tq_format::{CorpusError, RecordView, Records};
use tq_memory::Grow;

use super::corpus_rows::{BatchOutcome, CorpusSource, Recompression, RowPlan};
use super::data::{CopyData, write_field, write_null, write_row};
use super::float_rows::{BLOCK_BYTES, ColumnFill, FloatSource, PLAIN_BLOCK_BYTES};
use super::rejects::FileRejects;
use super::source::Stop;
use crate::copy::ids::IdColumn;
use crate::datum::vector_type::VectorType;
use crate::error::{Error, FormatError, VectorError};
use crate::formats::rows_error;
use crate::registry;

/// Writes the rows of a file in their order, those that were rejected among them.
struct RowsOut<'a> {
    id: &'a mut Option<IdColumn>,
    out: &'a mut CopyData,
    keep_rows: bool,
}

impl RowsOut<'_> {
    /// A row that has a vector, counted from 0.
    fn good(&mut self, row: u64, write: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>) -> Result<(), Error> {
        write_row(self.id.as_mut(), row, self.out, write)
    }

    /// A row that has none.
    fn rejected(&mut self, row: u64) -> Result<(), Error> {
        match self.keep_rows {
            true => write_row(self.id.as_mut(), row, self.out, write_null),
            false => self.id.as_mut().map_or(Ok(()), IdColumn::pass),
        }
    }
}

/// An error of the row behind those that were made, whose number core knows only if no row before it is missing.
fn stop(rejects: &FileRejects, error: Error) -> Stop {
    if rejects.skipped_any() { Stop::elsewhere(error) } else { Stop::at_row(error) }
}

impl FloatSource {
    /// Appends the rows of the next block that can be made; `false` after the last.
    pub(super) fn more_good(
        &mut self,
        rejects: &mut FileRejects,
        pending: &mut CopyData,
    ) -> Result<bool, Stop> {
        let FloatSource { path, reader, id, fill, next, records, .. } = self;
        let (first, dimension) = (*next, reader.dimension() as usize);
        let unreadable = |error| Stop::elsewhere(rows_error(path, error));
        let mut rows = RowsOut { id, out: pending, keep_rows: rejects.keep_rows() };
        let count = match fill {
            ColumnFill::Records { codec, workers, floats, normalize } => {
                floats.clear();
                let most = BLOCK_BYTES / size_of::<f32>() / dimension;
                let count = reader.read_any(most.max(1), floats).map_err(unreadable)?;
                let mut refused = |row, error| rejects.add(first + row as u64, &error);
                let good = registry::encode_good(codec, workers, floats, *normalize, records, &mut refused)
                    .map_err(Stop::elsewhere)?;
                let mut made = records.chunks_exact(registry::record_len(codec));
                let mut good = good.into_iter().peekable();
                for row in 0..count {
                    let number = first + row as u64;
                    let record = good.next_if_eq(&row).and_then(|_| made.next());
                    match record {
                        Some(record) => rows.good(number, |out| write_field(record, out)),
                        None => rows.rejected(number),
                    }
                    .map_err(|error| stop(rejects, error))?;
                }
                count
            }
            ColumnFill::Floats { kind, numbers } => {
                let most = PLAIN_BLOCK_BYTES / numbers.width() / dimension;
                let count = numbers.read_any(&mut **reader, most.max(1)).map_err(unreadable)?;
                match numbers {
                    Numbers::Single(floats) => rows.floats(*kind, floats, dimension, first, rejects),
                    Numbers::Double(floats) => rows.floats(*kind, floats, dimension, first, rejects),
                }?;
                count
            }
        };
        *next += count as u64;
        Ok(count > 0)
    }
}

impl RowsOut<'_> {
    /// Rows that go into a column as floats; the first has that number.
    fn floats<N: Real>(
        &mut self,
        kind: VectorType,
        floats: &[N],
        dimension: usize,
        first: u64,
        rejects: &mut FileRejects,
    ) -> Result<(), Stop> {
        // Made before its id is written: ids of an index come one after the other, and are not to be had again.
        let mut field = Vec::new();
        for (row, vector) in (first..).zip(floats.chunks_exact(dimension)) {
            field.clear();
            let made = not_finite(vector).map_or(Ok(()), Err).and_then(|()| kind.write(vector, &mut field));
            match made {
                Ok(()) => self.good(row, |out| Ok(out.try_extend(&field)?)),
                Err(reason) if reason.is_about_row() => {
                    rejects.add(row, &reason).map_err(Stop::elsewhere)?;
                    self.rejected(row)
                }
                Err(error) => Err(error),
            }
            .map_err(|error| stop(rejects, error))?;
        }
        Ok(())
    }
}

impl CorpusSource {
    /// Appends the rows of the next batch that can be made; `false` after the last.
    pub(super) fn more_good(
        &mut self,
        rejects: &mut FileRejects,
        pending: &mut CopyData,
    ) -> Result<bool, Stop> {
        let (batch, keep_rows) = (self.next_batch(), rejects.keep_rows());
        let (first, plan, misplaced) = (batch.start, &mut self.plan, &mut self.misplaced);
        let mut bad = BadRecords { rows: Vec::new(), misplaced };
        // What is wrong with records is told when the file is known to be the same still.
        let made = self
            .corpus
            .batch(batch.clone(), |records| plan.write_good(records, first, keep_rows, pending, &mut bad));
        let bad = bad.rows;
        let made = made.map_err(|source| self.batch_error(source))?;
        for (row, reason) in bad {
            rejects.add(row, &reason).map_err(Stop::elsewhere)?;
        }
        match made {
            BatchOutcome::All => {
                self.next = batch.end;
                Ok(batch.end < self.corpus.vector_count())
            }
            BatchOutcome::UpTo(source) => Err(stop(rejects, self.of_file(source))),
            BatchOutcome::Nothing(source) => Err(Stop::elsewhere(self.of_file(source))),
        }
    }
}

/// Records of a batch that are no rows.
struct BadRecords<'a> {
    rows: Vec<(u64, Error)>,
    /// Whether the record before had another length than the header says. One alone can be passed over, since the next begins where
    /// it should; two in a row say that the records are not where they should be.
    misplaced: &'a mut bool,
}

impl BadRecords<'_> {
    fn add(&mut self, row: u64, error: Error) -> Result<(), Error> {
        Ok(self.rows.try_push((row, error))?)
    }

    /// The record that `record` is, if it is sound.
    fn sift<R>(&mut self, row: u64, record: Result<R, CorpusError>) -> Result<Option<R>, Unsound> {
        let before =
            std::mem::replace(self.misplaced, matches!(record, Err(CorpusError::RecordLength { .. })));
        match record {
            Ok(record) => Ok(Some(record)),
            Err(error @ CorpusError::Memory(_)) => Err(Unsound::Corpus(error)),
            Err(error) if before && *self.misplaced => Err(Unsound::Corpus(error)),
            Err(error) => {
                self.add(row, Error::Format(FormatError::BadRecord(error))).map_err(Unsound::Other)?;
                Ok(None)
            }
        }
    }
}

/// Why a batch can't be gone on with.
enum Unsound {
    Corpus(CorpusError),
    Other(Error),
}

impl RowPlan {
    /// Appends the rows of those records that can be made; the first has that number, from 0.
    fn write_good(
        &mut self,
        records: Records<'_>,
        first: u64,
        keep_rows: bool,
        out: &mut CopyData,
        bad: &mut BadRecords<'_>,
    ) -> Result<BatchOutcome, CorpusError> {
        match self.good_rows(records, first, keep_rows, out, bad) {
            Ok(outcome) => Ok(outcome),
            Err(Unsound::Corpus(error)) => Err(error),
            Err(Unsound::Other(error)) => Ok(BatchOutcome::Nothing(error)),
        }
    }

    fn good_rows(
        &mut self,
        records: Records<'_>,
        first: u64,
        keep_rows: bool,
        out: &mut CopyData,
        bad: &mut BadRecords<'_>,
    ) -> Result<BatchOutcome, Unsound> {
        let RowPlan { id, recompression } = self;
        let mut rows = RowsOut { id, out, keep_rows };
        let Some(recompression) = recompression else {
            for (number, record) in (first..).zip(records) {
                let written = match bad.sift(number, record)? {
                    Some(record) => rows.good(number, |out| write_field(record.as_bytes(), out)),
                    None => rows.rejected(number),
                };
                if let Err(error) = written {
                    return Ok(BatchOutcome::UpTo(error));
                }
            }
            return Ok(BatchOutcome::All);
        };
        let (mut views, mut numbers, mut end) = (Vec::new(), Vec::new(), first);
        for (number, record) in (first..).zip(records) {
            end = number + 1;
            if let Some(view) = bad.sift(number, record)? {
                views.try_push(view).map_err(|error| Unsound::Other(error.into()))?;
                numbers.try_push(number).map_err(|error| Unsound::Other(error.into()))?;
            }
        }
        let mut refused = |index: usize, error: Error| bad.add(numbers[index], error);
        let (made, good) = recompression.apply_good(&views, &mut refused).map_err(Unsound::Other)?;
        let mut made = made.chunks_exact(registry::record_len(&recompression.to));
        let mut good = good.into_iter().map(|index| numbers[index]).peekable();
        for number in first..end {
            let written = match good.next_if_eq(&number).and_then(|_| made.next()) {
                Some(record) => rows.good(number, |out| write_field(record, out)),
                None => rows.rejected(number),
            };
            if let Err(error) = written {
                return Ok(BatchOutcome::UpTo(error));
            }
        }
        Ok(BatchOutcome::All)
    }
}

impl Recompression {
    /// The new records of those that can be recompressed, one behind the other, and which these are.
    ///
    /// # Errors
    /// One that is no record's own.
    fn apply_good(
        &self,
        records: &[RecordView<'_>],
        refused: &mut dyn FnMut(usize, Error) -> Result<(), Error>,
    ) -> Result<(Vec<u8>, Vec<usize>), Error> {
        let (mut vectors, mut made) = (Vec::new(), Vec::new());
        let decoded = registry::decode_good(&self.from, records, &mut vectors, refused)?;
        let mut refused = |row: usize, error| refused(decoded[row], error);
        let good =
            registry::encode_good(&self.to, &self.workers, &mut vectors, false, &mut made, &mut refused)?;
        Ok((made, tq_memory::collected(good.into_iter().map(|row| decoded[row]))?))
    }
}

/// The first number of a vector that vectors can't have.
fn not_finite<N: Real>(vector: &[N]) -> Option<Error> {
    let place = vector.iter().position(|number| !number.is_finite())?;
    Some(Error::Vector(VectorError::NotFinite { number: place + 1, value: vector[place].to_f64() }))
}
