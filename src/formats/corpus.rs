//! Corpora where they are: looked into, read, searched and checked in their files, without a table.
//!
//! Everything is read through the guarded mapping, a stretch at a time, and given out only after the file was found to be
//! what it was when it was opened. The functions return their rows one by one; an iterator that is not read to its end is
//! dropped with the memory context of its call, which unmaps and closes the file.

use std::path::{Path, PathBuf};

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use tq_codec::{Metric, Workers};
use tq_files::{Corpus, CorpusFileError, Fault, Format, Neighbour, SearchError, Verification, detect};
use tq_format::RecordView;
use tq_memory::Grow;

use super::search_index;
use crate::datum::arguments::Text;
use crate::datum::float_array::FloatArray;
use crate::datum::record::RecordOut;
use crate::error::interrupts::poll;
use crate::error::{Error, SampleError, VectorError, cut, raise};
use crate::registry;
use crate::registry::Query;
use crate::server::file_access;
use crate::server::file_access::FileAccess;
use crate::server::settings;

pgrx::extension_sql_file!("corpus.sql", name = "corpus", requires = ["ops"]);

/// Records are copied out of the mapping in batches of about this size: large next to the system calls that guard a
/// batch, small next to the memory of a backend.
const BATCH_BYTES: usize = 256 * 1024;

/// Below this size a search is done before other threads have begun.
const SMALLEST_PARALLEL: u64 = 4 << 20;

/// A file's path, if the user may read files of the server.
fn readable(path: &str, function: &str) -> Result<PathBuf, Error> {
    file_access::require(FileAccess::Read, "read a corpus file")?;
    Ok(file_access::absolute(path, function)?)
}

fn failure(path: &Path, error: CorpusFileError) -> Error {
    match error {
        CorpusFileError::File(error) => Error::File(error),
        source => Error::CorpusFile { path: path.to_owned(), source },
    }
}

fn open(path: &str, function: &str) -> Result<Corpus, Error> {
    let path = readable(path, function)?;
    Corpus::open(&path).map_err(|error| failure(&path, error))
}

/// What the header of a corpus says, in one row.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)] // the columns, as pgrx wants them named
fn tq_corpus_info(
    path: Text<'_>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(records, i64),
            name!(dimension, i32),
            name!(bit_width, i32),
            name!(residual, bool),
            name!(config_hash, String),
            name!(codec, Option<String>),
            name!(record_bytes, i32),
            name!(metadata_bytes, i32),
            name!(bytes, i64),
        ),
    >,
    ErrorReport,
> {
    let path = &*path;
    let corpus = open(path, "tq_corpus_info")?;
    let header = corpus.header();
    if header.config_hash.contains('\0') {
        return Err(Error::Vector(VectorError::HashNotText).into());
    }
    let codec =
        registry::codec_name(&header.config_hash, header.dimension, header.bit_width, header.residual)?;
    Ok(TableIterator::once((
        header.vector_count as i64,
        header.dimension as i32,
        i32::from(header.bit_width.bits()),
        header.residual,
        header.config_hash.clone(),
        codec,
        header.record_len() as i32,
        header.metadata.len() as i32,
        corpus.file().len() as i64,
    )))
}

/// The records of a corpus, numbered from 1, one after the other.
#[pg_extern(sql = false)]
fn tq_corpus_scan(
    path: Text<'_>,
) -> Result<TableIterator<'static, (name!(ordinal, i64), name!(embedding, RecordOut<'static>))>, ErrorReport>
{
    let path = &*path;
    Ok(TableIterator::new(Scan {
        corpus: open(path, "tq_corpus_scan")?,
        next: 0,
        batch: Vec::new(),
        taken: 0,
    }))
}

/// A scan: the batch at hand, and what comes after it.
struct Scan {
    corpus: Corpus,
    /// Index of the first record that isn't in the batch.
    next: u64,
    /// Whole records, the first `taken` of which are given out.
    batch: Vec<u8>,
    taken: usize,
}

impl Iterator for Scan {
    type Item = (i64, RecordOut<'static>);

    fn next(&mut self) -> Option<Self::Item> {
        let len = self.corpus.header().record_len();
        if self.taken * len >= self.batch.len() {
            self.refill(len).unwrap_or_else(|error| raise(failure(self.corpus.file().path(), error)));
        }
        let record = self.batch.get(self.taken * len..)?.get(..len)?;
        self.taken += 1;
        let behind = (self.batch.len() / len - self.taken) as u64;
        let record = tq_memory::copied(record).unwrap_or_else(|error| raise(error.into()));
        Some(((self.next - behind) as i64, record.into()))
    }
}

impl Scan {
    fn refill(&mut self, record_len: usize) -> Result<(), CorpusFileError> {
        let Scan { corpus, next, batch, taken } = self;
        batch.clear();
        *taken = 0;
        let rows = (BATCH_BYTES / record_len).max(1) as u64;
        let end = corpus.vector_count().min(next.saturating_add(rows));
        let bytes = (end - *next) as usize * record_len;
        batch.try_room_exact(bytes).map_err(|error| CorpusFileError::Format(error.into()))?;
        let copied = corpus.batch(*next..end, |mut records| {
            records.try_for_each(|record| record.map(|record| batch.extend_from_slice(record.as_bytes())))
        });
        match copied {
            Ok(()) => *next = end,
            // Of a file that changed meanwhile nothing is given out, not even to a caller who traps the error.
            Err(_) => batch.clear(),
        }
        copied
    }
}

/// The records of a corpus, or the vectors of an index, that are nearest to a query.
#[pg_extern(sql = false)]
fn tq_corpus_search(
    path: Text<'_>,
    query: FloatArray<'_>,
    k: i32,
    metric: Text<'_>,
) -> Result<TableIterator<'static, (name!(ordinal, i64), name!(distance, f64))>, ErrorReport> {
    let path = &*path;
    let metric = &*metric;
    let query = tq_memory::copied(&query.floats()?).map_err(Error::from)?;
    let found = search(path, query, k, metric)?;
    let rows = found.into_iter().map(|Neighbour { index, distance }| (index as i64 + 1, distance));
    Ok(TableIterator::new(rows))
}

fn search(path: &str, query: Vec<f32>, k: i32, metric: &str) -> Result<Vec<Neighbour>, Error> {
    let limit = usize::try_from(k)
        .ok()
        .filter(|limit| *limit > 0)
        .ok_or(Error::Sample(SampleError::NeighbourCount(k)))?;
    let metric = metric_of(metric)?;
    let path = readable(path, "tq_corpus_search")?;
    let threads = |bytes| if bytes < SMALLEST_PARALLEL { 1 } else { settings::threads() };
    if let Some(Format::Qvec) = detect(&path)? {
        return search_index(&path, &query, limit, metric, threads);
    }
    let corpus = Corpus::open(&path).map_err(|error| failure(&path, error))?;
    let failed = |error| failure(corpus.file().path(), error);
    let dimension = corpus.header().dimension;
    if query.len() != dimension as usize {
        return Err(Error::Vector(VectorError::DimensionsDiffer(dimension, query.len() as u32)));
    }
    let first = corpus.batch(0..1, |mut records| {
        let first = records.next().transpose()?;
        Ok(first.map(|record| tq_memory::copied(record.as_bytes())).transpose()?)
    });
    // Without a record there is nothing to find, whether the codec is known or not, as in an empty table.
    let Some(first) = first.map_err(failed)? else { return Ok(Vec::new()) };
    let codec = registry::for_record(&RecordView::parse(&first)?)?;
    let query = Query::Floats(query).prepare(codec, settings::simd_level())?;
    let workers = Workers::new(threads(corpus.file().len()))?;
    let found = corpus.search(&query, metric, limit, &workers, &mut poll);
    let found = found.map_err(|error| match error {
        SearchError::Codec(error) => Error::Codec(error),
        SearchError::Corpus(error) => failed(error),
    })?;
    // L1 distances have read the rotation, which is mapped from a file as well.
    registry::confirm(query.codec())?;
    Ok(found)
}

fn metric_of(name: &str) -> Result<Metric, Error> {
    match name {
        "l2" => Ok(Metric::L2),
        "inner_product" => Ok(Metric::InnerProduct),
        "cosine" => Ok(Metric::Cosine),
        "l1" => Ok(Metric::L1),
        other => Err(Error::Sample(SampleError::UnknownMetric(cut(other)))),
    }
}

/// Everything that is wrong with a corpus.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)] // the columns, as pgrx wants them named
fn tq_corpus_verify(
    path: Text<'_>,
) -> Result<
    TableIterator<'static, (name!(ordinal, Option<i64>), name!(byte_offset, i64), name!(fault, String))>,
    ErrorReport,
> {
    let path = &*path;
    let path = readable(path, "tq_corpus_verify")?;
    let verification = Verification::open(&path).map_err(Error::from)?;
    let rows = Faults { verification, some: Vec::new().into_iter() }.map(|fault| {
        let ordinal = fault.number.map(|number| number as i64);
        (ordinal, fault.offset as i64, fault.error.to_string())
    });
    Ok(TableIterator::new(rows))
}

/// The faults, found as they are asked for.
struct Faults {
    verification: Verification,
    some: std::vec::IntoIter<Fault>,
}

impl Iterator for Faults {
    type Item = Fault;

    fn next(&mut self) -> Option<Fault> {
        loop {
            if let Some(fault) = self.some.next() {
                return Some(fault);
            }
            poll();
            match self.verification.step() {
                Ok(more) => self.some = more?.into_iter(),
                Err(error) => raise(Error::File(error)),
            }
        }
    }
}
