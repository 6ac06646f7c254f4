//! Rows made of a matrix of floats: as arrays and pgvector's types, or compressed on the way in.
//!
//! Blocks of rows are read from the file and, for a column of type `tqvec`, compressed together on `tinyquant.threads`
//! threads; a block is the most that is in memory at a time, however large the file is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tq_codec::{Codec, Workers};
use tq_corpus::RowReader;

use super::columns::VectorColumn;
use super::ids::IdColumn;
use super::plan::RecordColumn;
use super::source::{RowSource, write_field, write_row};
use super::statement::Statement;
use super::vector_type::VectorType;
use crate::error::Error;
use crate::formats::rows_error;
use crate::{guc, registry};

/// Floats of a block, in bytes: enough rows for all threads to be busy, little enough to answer a cancel soon.
const BLOCK_BYTES: usize = 4 << 20;
/// The same where nothing is compressed.
const PLAIN_BLOCK_BYTES: usize = 256 << 10;

/// What becomes of the floats.
enum Fill {
    Records { codec: Arc<Codec>, workers: Workers },
    Floats(VectorType),
}

/// What remains to be given out of a matrix.
pub(super) struct FloatRows {
    path: PathBuf,
    reader: Box<dyn RowReader>,
    id: Option<IdColumn>,
    fill: Fill,
    /// Bytes of the file, for the progress.
    bytes: u64,
    next: u64,
    floats: Vec<f32>,
    records: Vec<u8>,
}

impl FloatRows {
    /// Rows of `reader`, a file of so many bytes, for that column.
    ///
    /// # Errors
    /// The column has another dimension, or CODEC names what doesn't fit.
    pub(super) fn new(
        statement: &Statement,
        path: &Path,
        reader: Box<dyn RowReader>,
        bytes: u64,
        column: &VectorColumn,
        id: Option<IdColumn>,
    ) -> Result<FloatRows, Error> {
        let dimension = reader.dimension();
        let misfit = |source| Error::CopyRows {
            path: path.into(),
            column: column.name.clone(),
            source: Box::new(source),
        };
        if let Some(expected) = column.kind.dimension().filter(|expected| *expected != dimension) {
            return Err(misfit(Error::TypmodDimension { expected, got: dimension }));
        }
        let fill = match column.kind {
            VectorType::Tqvec(typmod) => {
                let target = RecordColumn { name: &column.name, typmod };
                let codec = match target.codec(statement)? {
                    Some(codec) => codec,
                    None => {
                        let (width, residual) = typmod.fidelity();
                        registry::builtin(dimension, width, residual, typmod.rotation())?
                    }
                };
                let expected = codec.config().dimension();
                if expected != dimension {
                    return Err(misfit(Error::TypmodDimension { expected, got: dimension }));
                }
                Fill::Records { codec, workers: Workers::new(guc::threads())? }
            }
            _ if statement.options.text("codec").is_some() => {
                return Err(Error::CodecWithoutRecords { column: column.name.clone() });
            }
            kind => Fill::Floats(kind),
        };
        Ok(FloatRows {
            path: path.into(),
            reader,
            id,
            fill,
            bytes,
            next: 0,
            floats: Vec::new(),
            records: Vec::new(),
        })
    }

    fn read(&mut self) -> Result<usize, Error> {
        let row_bytes = 4 * self.reader.dimension().max(1) as usize;
        let most = match self.fill {
            Fill::Records { .. } => BLOCK_BYTES / row_bytes,
            Fill::Floats(_) => PLAIN_BLOCK_BYTES / row_bytes,
        };
        self.floats.clear();
        self.reader.read(most.max(1), &mut self.floats).map_err(|source| rows_error(&self.path, source))
    }
}

impl RowSource for FloatRows {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn more(&mut self, pending: &mut Vec<u8>) -> Result<bool, Error> {
        let count = self.read()?;
        if count == 0 {
            return Ok(false);
        }
        let FloatRows { path, id, fill, next, floats, records, reader, .. } = self;
        let first = *next;
        *next += count as u64;
        let numbered = |row: u64, source: Error| Error::CorpusRow {
            path: path.clone(),
            source: Box::new(Error::FileRow { row: row + 1, source: Box::new(source) }),
        };
        match fill {
            Fill::Records { codec, workers } => {
                records.clear();
                registry::encode_batch(codec, workers, floats, records, |row, source| {
                    numbered(first + row as u64, source)
                })?;
                let length = records.len() / count;
                for (row, record) in (first..).zip(records.chunks_exact(length.max(1))) {
                    write_row(id.as_mut(), row, pending, |out| write_field(record, out))?;
                }
            }
            Fill::Floats(kind) => {
                for (row, vector) in (first..).zip(floats.chunks_exact(reader.dimension() as usize)) {
                    write_row(id.as_mut(), row, pending, |out| {
                        kind.write(vector, out).map_err(|source| numbered(row, source))
                    })?;
                }
            }
        }
        Ok(true)
    }
}
