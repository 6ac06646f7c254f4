//! COPY TO a file of floats: vectors of any type, decoded where they are records, as rows of one matrix.
//!
//! The first row decides the dimension. Records are decoded some hundred at a time, on `tinyquant.threads` threads.

#![allow(unsafe_code)]

use std::path::Path;
use std::sync::Arc;

use pgrx::pg_sys;
use tq_codec::{Codec, CodecError, Workers};
use tq_files::{Id, Numbers, Output, Real};
use tq_format::RecordView;
use tq_memory::Grow;

use super::client::CopyOut;
use super::receiver::{Refusal, RowSink};
use super::set_aside::SetAside;
use crate::copy::ids::IdType;
use crate::copy::statement::{Endpoint, Statement};
use crate::datum::float_array::Elements;
use crate::datum::record::Varlena;
use crate::datum::vector_type::VectorType;
use crate::error::interrupts::poll;
use crate::error::{CopyError, Error, VectorError};
use crate::formats::{FloatWriter, bad_option, check_options, folder_of};
use crate::registry;
use crate::server::file_access;
use crate::server::settings;

/// Floats of the rows that are written together, in bytes.
const BLOCK_BYTES: usize = 1 << 20;

/// Rows on their way into a file of floats.
pub(crate) struct FloatSink {
    statement: Statement,
    kind: VectorType,
    id_type: Option<IdType>,
    /// Until the dimension is known.
    output: Option<Box<dyn Output>>,
    writer: Option<FloatWriter>,
    /// Where the file is until the client gets it.
    aside: Option<SetAside>,
    dimension: Option<u32>,
    rows: u64,
    /// Floats that are not written yet.
    floats: Numbers,
    /// Ids of the rows that are not written yet.
    ids: Vec<Id>,
    batch: RecordBatch,
    workers: Workers,
}

/// Records of one codec that are not decoded yet, one behind the other.
#[derive(Default)]
struct RecordBatch {
    codec: Option<Arc<Codec>>,
    records: Vec<u8>,
    count: usize,
}

impl FloatSink {
    /// Opens the file that is to be made.
    pub(crate) fn new(
        statement: &Statement,
        kind: VectorType,
        id_type: Option<IdType>,
    ) -> Result<FloatSink, Error> {
        check_options(statement.format, &statement.options)?;
        if id_type.is_none() && statement.options.text("ids_tensor").is_some() {
            return Err(bad_option("ids_tensor", "needs a second column, of ids"));
        }
        let (output, aside): (Box<dyn Output>, _) = match &statement.endpoint {
            Endpoint::File(path) => (Box::new(file_access::create(path)?), None),
            Endpoint::Client => {
                let columns = 1 + usize::from(id_type.is_some());
                let (aside, output) = SetAside::create(CopyOut::new(statement.format.name(), columns)?)?;
                (output, Some(aside))
            }
        };
        Ok(FloatSink {
            statement: statement.clone(),
            kind,
            id_type,
            output: Some(output),
            writer: None,
            aside,
            dimension: kind.dimension(),
            rows: 0,
            floats: Numbers::new(kind.is_double()),
            ids: Vec::new(),
            batch: RecordBatch::default(),
            workers: Workers::new(settings::threads())?,
        })
    }

    /// Takes the row's vector in.
    ///
    /// # Safety
    /// `vector` must be a datum of the column's type.
    unsafe fn take(&mut self, vector: pg_sys::Datum) -> Result<(), Refusal> {
        // SAFETY: by the contract.
        unsafe {
            if let VectorType::Tqvec(_) = self.kind {
                let record = Varlena::packed(vector);
                let view = RecordView::parse_stored(record.bytes()).map_err(|error| row(error.into()))?;
                self.check_dimension(view.dimension()).map_err(row)?;
                let codec = registry::for_record(&view).map_err(row)?;
                if self.batch.codec.as_ref().is_some_and(|last| !Arc::ptr_eq(last, &codec)) {
                    self.decode().map_err(Refusal::File)?;
                }
                self.batch.codec = Some(codec);
                self.batch.records.try_extend(record.bytes()).map_err(|error| row(error.into()))?;
                self.batch.count += 1;
                record.release();
            } else {
                let kind = self.kind;
                kind.read(vector, |elements| self.take_floats(elements)).map_err(row)?;
            }
        }
        Ok(())
    }

    /// Takes in numbers of the column's own precision, which is that of what is gathered.
    fn take_floats(&mut self, elements: Elements<'_>) -> Result<(), Error> {
        match &elements {
            Elements::Real(floats) => self.check_dimension(floats.len() as u32)?,
            Elements::Double(floats) => self.check_dimension(floats.len() as u32)?,
            Elements::Converted(numbers) => self.check_dimension(numbers.len() as u32)?,
        }
        match (elements, &mut self.floats) {
            (Elements::Real(floats), Numbers::Single(gathered)) => extend(floats, gathered),
            (Elements::Double(floats), Numbers::Double(gathered)) => extend(floats, gathered),
            _ => Err(Error::Vector(VectorError::ArrayDamaged)),
        }
    }

    fn check_dimension(&mut self, got: u32) -> Result<(), Error> {
        match *self.dimension.get_or_insert(got) {
            expected if expected == got => Ok(()),
            expected => Err(Error::Vector(VectorError::DimensionsDiffer(expected, got))),
        }
    }

    /// Decodes what was gathered.
    fn decode(&mut self) -> Result<(), Error> {
        let RecordBatch { codec, records, count } = std::mem::take(&mut self.batch);
        let Some(codec) = codec else { return Ok(()) };
        let mut views = tq_memory::with_capacity(count)?;
        for record in records.chunks_exact(records.len() / count.max(1)) {
            views.push(RecordView::parse_stored(record)?);
        }
        match &mut self.floats {
            Numbers::Single(floats) => registry::decode_batch(&codec, &self.workers, &views, floats),
            // Only columns that aren't of records gather these.
            Numbers::Double(_) => Ok(()),
        }
    }
}

impl FloatSink {
    /// What writes the rows; `None` as long as nothing says their dimension.
    fn writer(&mut self) -> Result<Option<&mut FloatWriter>, Error> {
        if let (Some(dimension), Some(output)) = (self.dimension, self.output.take()) {
            let ids = self.id_type.is_some();
            let statement = &self.statement;
            let folder = match (&statement.endpoint, &self.aside) {
                (_, Some(aside)) => folder_of(aside.path()),
                (Endpoint::File(path), None) => folder_of(path),
                (Endpoint::Client, None) => Path::new(""),
            };
            let made = FloatWriter::new(statement.format, &statement.options, output, dimension, ids, folder);
            self.writer = Some(self.allowed(made)?);
        }
        Ok(self.writer.as_mut())
    }

    /// The result of writing, where a file for the client that is too large is told as such.
    fn allowed<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        match (&result, &self.aside) {
            (Err(_), Some(aside)) => aside.check_limit().and(result),
            _ => result,
        }
    }

    /// Decodes and writes what waits, when it is enough or `all` is to be.
    fn flush(&mut self, all: bool) -> Result<(), Error> {
        let dimension = self.dimension.unwrap_or_default() as usize;
        let waiting = self.floats.len() + self.batch.count * dimension;
        if !all && waiting * self.floats.width() < BLOCK_BYTES {
            return Ok(());
        }
        poll();
        self.decode()?;
        let empty = Numbers::new(self.kind.is_double());
        let (floats, ids) = (std::mem::replace(&mut self.floats, empty), std::mem::take(&mut self.ids));
        let written = match self.writer()? {
            Some(writer) => writer.append(&floats, &ids),
            None => Ok(()),
        };
        self.allowed(written)?;
        // For its capacity.
        self.floats = floats;
        self.floats.clear();
        Ok(())
    }
}

impl RowSink for FloatSink {
    unsafe fn append(&mut self, vector: pg_sys::Datum, id: Option<pg_sys::Datum>) -> Result<(), Refusal> {
        // SAFETY: the datums are of the columns that the sink was made for, by the contract.
        unsafe {
            self.take(vector)?;
            if let (Some(id_type), Some(id)) = (self.id_type, id) {
                let id = id_type.id(id).map_err(row)?;
                self.ids.try_push(id).map_err(|error| row(error.into()))?;
            }
        }
        self.rows += 1;
        self.flush(false).map_err(Refusal::File)
    }

    fn rows(&self) -> u64 {
        self.rows
    }

    fn bytes(&self) -> u64 {
        self.writer.as_ref().map_or(0, FloatWriter::bytes)
    }

    fn finish(mut self: Box<Self>) -> Result<u64, Error> {
        self.flush(true)?;
        if self.writer()?.is_none() {
            return Err(Error::Copy(CopyError::ExportNoDimension));
        }
        if let Some(writer) = self.writer.take() {
            let finished = writer.finish();
            self.allowed(finished)?;
        }
        if let Some(aside) = self.aside.take() {
            aside.send()?;
        }
        Ok(self.rows)
    }
}

/// Adds numbers that are finite.
fn extend<N: Real>(floats: &[N], gathered: &mut Vec<N>) -> Result<(), Error> {
    if let Some((index, value)) = floats.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        return Err(CodecError::NotFinite { index, value: value.to_f32() }.into());
    }
    Ok(gathered.try_extend(floats)?)
}

fn row(error: Error) -> Refusal {
    Refusal::Row(error)
}
