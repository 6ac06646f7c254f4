//! Rows made of a matrix of floats: as arrays and pgvector's types, or compressed on the way in.
//!
//! Blocks of rows are read from the file and, for a column of type `tqvec`, compressed together on `tinyquant.threads`
//! threads; a block is the most that is in memory at a time, however large the file is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tq_codec::{Codec, Workers};
use tq_files::{Numbers, Real, RowReader};

use super::data::{CopyData, data_len, write_field, write_row};
use super::plan::RecordColumn;
use super::rejects::FileRejects;
use super::source::{RowSource, Stop};
use crate::copy::columns::VectorColumn;
use crate::copy::ids::IdColumn;
use crate::copy::statement::Statement;
use crate::datum::vector_type::VectorType;
use crate::error::{CopyError, Error, FormatError, VectorError};
use crate::formats::rows_error;
use crate::registry;
use crate::server::settings;

/// Floats of a block, in bytes: enough rows for all threads to be busy, little enough to answer a cancel soon.
pub(super) const BLOCK_BYTES: usize = 4 << 20;
/// The same where nothing is compressed.
pub(super) const PLAIN_BLOCK_BYTES: usize = 256 << 10;

/// What becomes of a block's floats.
pub(super) enum ColumnFill {
    Records { codec: Arc<Codec>, workers: Workers, floats: Vec<f32>, normalize: bool },
    Floats { kind: VectorType, numbers: Numbers },
}

/// What remains to be given out of a matrix.
pub(crate) struct FloatSource {
    pub(super) path: PathBuf,
    pub(super) reader: Box<dyn RowReader>,
    pub(super) id: Option<IdColumn>,
    pub(super) fill: ColumnFill,
    /// Bytes of the file.
    bytes: u64,
    pub(super) next: u64,
    pub(super) records: Vec<u8>,
    /// What becomes of rows that can't be made, if they are no errors.
    pub(super) rejects: Option<FileRejects>,
}

impl FloatSource {
    /// Rows of `reader`, a file of so many bytes, for that column.
    ///
    /// # Errors
    /// The column has another dimension, or CODEC names what doesn't fit.
    pub(crate) fn new(
        statement: &Statement,
        path: &Path,
        reader: Box<dyn RowReader>,
        bytes: u64,
        column: &VectorColumn,
        id: Option<IdColumn>,
        rejects: Option<FileRejects>,
    ) -> Result<FloatSource, Error> {
        let dimension = reader.dimension();
        let misfit = |source| {
            Error::Copy(CopyError::Rows {
                path: path.into(),
                column: column.name.clone(),
                source: Box::new(source),
            })
        };
        if let Some(expected) = column.kind.dimension().filter(|expected| *expected != dimension) {
            return Err(misfit(Error::Vector(VectorError::TypmodDimension { expected, got: dimension })));
        }
        let fill = match column.kind {
            VectorType::Tqvec(typmod) => {
                let target = RecordColumn { name: &column.name, typmod };
                let codec = match target.codec(statement)? {
                    Some(codec) => codec,
                    None => registry::of_typmod(typmod, dimension)?,
                };
                let expected = codec.config().dimension();
                if expected != dimension {
                    return Err(misfit(Error::Vector(VectorError::TypmodDimension {
                        expected,
                        got: dimension,
                    })));
                }
                let normalize = typmod.normalizes() || statement.options.flag("normalize");
                let workers = Workers::new(settings::threads())?;
                ColumnFill::Records { codec, workers, floats: Vec::new(), normalize }
            }
            _ if statement.options.text("codec").is_some() => {
                return Err(Error::Copy(CopyError::CodecWithoutRecords { column: column.name.clone() }));
            }
            _ if statement.options.flag("normalize") => {
                let problem = "is for columns of type tqvec".into();
                return Err(Error::Copy(CopyError::OptionValue { option: "normalize".into(), problem }));
            }
            kind => ColumnFill::Floats { kind, numbers: Numbers::new(kind.is_double()) },
        };
        Ok(FloatSource { path: path.into(), reader, id, fill, bytes, next: 0, records: Vec::new(), rejects })
    }

    /// Reads a block: how many rows it has, and what is wrong with the row behind them.
    fn read(&mut self) -> Result<(usize, Option<Error>), Stop> {
        let dimension = self.reader.dimension().max(1) as usize;
        let (read, numbers) = match &mut self.fill {
            ColumnFill::Records { floats, .. } => {
                floats.clear();
                let read = self.reader.read((BLOCK_BYTES / size_of::<f32>() / dimension).max(1), floats);
                (read, floats.len())
            }
            ColumnFill::Floats { numbers, .. } => {
                let most = PLAIN_BLOCK_BYTES / numbers.width() / dimension;
                (numbers.read(&mut *self.reader, most.max(1)), numbers.len())
            }
        };
        let error = match read {
            Ok(count) => return Ok((count, None)),
            Err(error) => error,
        };
        let before = error.row().and_then(|row| usize::try_from((row - 1).checked_sub(self.next)?).ok());
        let error = rows_error(&self.path, error);
        match before.filter(|count| count.saturating_mul(dimension) <= numbers) {
            Some(count) => Ok((count, Some(error))),
            None => Err(Stop::elsewhere(error)),
        }
    }

    /// Appends the first rows of the block, so many.
    fn write(&mut self, count: usize, pending: &mut CopyData) -> Result<(), Stop> {
        let FloatSource { path, id, fill, next, records, reader, .. } = self;
        let (first, dimension) = (*next, reader.dimension() as usize);
        let numbered = |row: u64, source: Error| {
            Error::Format(FormatError::CorpusRow {
                path: path.clone(),
                source: Box::new(Error::Format(FormatError::FileRow {
                    row: row + 1,
                    source: Box::new(source),
                })),
            })
        };
        match fill {
            ColumnFill::Records { codec, workers, floats, normalize } => {
                let numbered = |row, source| numbered(first + row as u64, source);
                let (count, refused) = match normalize {
                    true => normalized(&mut floats[..count * dimension], dimension, numbered),
                    false => (count, None),
                };
                let made = encode(codec, workers, &floats[..count * dimension], records, numbered)?;
                for (row, record) in (first..).zip(records.chunks_exact(registry::record_len(codec))) {
                    let written = write_row(id.as_mut(), row, pending, |out| write_field(record, out));
                    written.map_err(Stop::at_row)?;
                }
                made.or(refused).map_or(Ok(()), |error| Err(Stop::at_row(error)))
            }
            ColumnFill::Floats { kind, numbers } => {
                let rows = Rows { first, count, dimension, kind: *kind };
                match numbers {
                    Numbers::Single(floats) => rows.write(floats, id, pending, numbered),
                    Numbers::Double(floats) => rows.write(floats, id, pending, numbered),
                }
                .map_err(Stop::at_row)
            }
        }
    }
}

/// Scales rows to unit length: how many, and what is wrong with the one behind them.
fn normalized(
    floats: &mut [f32],
    dimension: usize,
    numbered: impl Fn(usize, Error) -> Error,
) -> (usize, Option<Error>) {
    let rows = floats.len() / dimension;
    for (row, vector) in floats.chunks_exact_mut(dimension).enumerate() {
        match tq_codec::normalize(vector) {
            Ok(unit) => vector.copy_from_slice(&unit),
            Err(error) => return (row, Some(numbered(row, error.into()))),
        }
    }
    (rows, None)
}

/// Replaces `records` by those of rows, and returns what is wrong with the first that can't be compressed.
fn encode(
    codec: &Codec,
    workers: &Workers,
    floats: &[f32],
    records: &mut Vec<u8>,
    numbered: impl Fn(usize, Error) -> Error,
) -> Result<Option<Error>, Stop> {
    let (mut end, mut failure) = (floats.len(), None);
    loop {
        records.clear();
        let mut failed = None;
        let result = registry::encode_batch(codec, workers, &floats[..end], records, |row, source| {
            failed = Some(row);
            numbered(row, source)
        });
        match (result, failed) {
            (Ok(()), _) => return Ok(failure),
            // Those before it again.
            (Err(error), Some(row)) => {
                (end, failure) = (row * codec.config().dimension() as usize, Some(error));
            }
            (Err(error), None) => return Err(Stop::elsewhere(error)),
        }
    }
}

impl RowSource for FloatSource {
    fn bytes(&self) -> u64 {
        let vector = match &self.fill {
            ColumnFill::Records { codec, .. } => registry::record_len(codec),
            ColumnFill::Floats { kind, .. } => kind.field_len(self.reader.dimension() as usize),
        };
        data_len(self.reader.rows(), vector, self.id.as_ref(), self.bytes)
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
        let (count, failure) = self.read()?;
        if count > 0 {
            self.write(count, pending)?;
        }
        self.next += count as u64;
        match failure {
            Some(error) => Err(Stop::at_row(error)),
            None => Ok(count > 0),
        }
    }
}

/// Rows of a block that go into a column as floats.
struct Rows {
    first: u64,
    count: usize,
    dimension: usize,
    kind: VectorType,
}

impl Rows {
    fn write<N: Real>(
        &self,
        floats: &[N],
        id: &mut Option<IdColumn>,
        pending: &mut CopyData,
        numbered: impl Fn(u64, Error) -> Error,
    ) -> Result<(), Error> {
        for (row, vector) in (self.first..).zip(floats.chunks_exact(self.dimension).take(self.count)) {
            write_row(id.as_mut(), row, pending, |out| {
                self.kind.write(vector, out).map_err(|source| numbered(row, source))
            })?;
        }
        Ok(())
    }
}
