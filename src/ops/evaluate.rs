//! `tq_evaluate`: which width, which codebook, with or without residual? Measured on the user's own vectors.
//!
//! The sample comes from a query that runs with the caller's rights, read-only, through a cursor, and is kept as floats; what
//! is measured, and how, is `tq_codec::evaluate`'s. Nothing is written anywhere.

#![allow(unsafe_code)]

use std::ffi::CString;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::{SpiError, SpiErrorCodes};
use tq_codec::evaluate::{Evaluator, MOST_NEIGHBOURS, MOST_QUERIES, Sample, Training};
use tq_codec::{BUILTIN_SEED, CodecError, RotationKind, Workers, check_rotatable};
use tq_format::{BitWidth, MAX_DIMENSION};
use tq_memory::Grow;

use crate::datum::arguments::Text;
use crate::datum::float_array::FloatArray;
use crate::error::interrupts::poll;
use crate::error::{Error, SampleError, VectorError, notice};
use crate::query::one_select;
use crate::registry;
use crate::server::memory::cushion;
use crate::server::settings;

/// The floats of a sample, in bytes. While it is read and rotated, little more is held at a time.
const MOST_BYTES: usize = 1 << 30;
/// Rows that the cursor is asked for at a time: a few megabytes at most dimensions.
const FETCH: usize = 256;

/// Evaluates every width, with and without residual, with each codebook.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)] // the columns, as pgrx wants them named
fn tq_evaluate(
    sample_query: Text<'_>,
    k: i32,
    queries: i32,
) -> Result<
    TableIterator<
        'static,
        (
            name!(bit_width, i32),
            name!(residual, bool),
            name!(codebook, &'static str),
            name!(bytes, i32),
            name!(ratio, f64),
            name!(relative_squared_error, Option<f64>),
            name!(correlation, Option<f64>),
            name!(recall, Option<f64>),
        ),
    >,
    ErrorReport,
> {
    let sample_query = &*sample_query;
    let neighbours = in_range(k, MOST_NEIGHBOURS)
        .ok_or(CodecError::NeighboursOutOfRange { k: k.into(), most: MOST_NEIGHBOURS });
    let k = neighbours.map_err(Error::from)?;
    let most = in_range(queries, MOST_QUERIES)
        .ok_or(CodecError::QueriesOutOfRange { queries: queries.into(), most: MOST_QUERIES });
    let queries = most.map_err(Error::from)?;
    let evaluations = evaluate(read(sample_query)?, k, queries)?;
    Ok(TableIterator::new(evaluations.into_iter().map(|e| {
        (
            i32::from(e.bit_width.bits()),
            e.residual,
            e.training.name(),
            e.record_bytes as i32,
            e.ratio,
            e.relative_squared_error,
            e.correlation,
            e.recall,
        )
    })))
}

fn in_range(number: i32, most: usize) -> Option<usize> {
    usize::try_from(number).ok().filter(|number| (1..=most).contains(number))
}

fn evaluate(rows: Rows, k: usize, queries: usize) -> Result<Vec<tq_codec::evaluate::Evaluation>, Error> {
    let Rows { vectors, dimension, count, nulls } = rows;
    let detail = (nulls > 0).then(|| format!("Rows left out because they are NULL: {nulls}."));
    if count <= k as u64 {
        return Err(CodecError::SampleTooSmall { rows: count as usize, k }.into());
    }
    let sample = Sample { rows: vectors, dimension, queries, k };
    let queries = sample.query_count();
    notice(
        format!("evaluating {count} vectors of {dimension} dimensions, {queries} of them as queries"),
        detail,
        None,
    );
    let workers = Workers::new(settings::threads())?;
    let new = |rotation| Ok(Evaluator::new(sample, rotation, &workers, &mut poll)?);
    let evaluator = registry::with_rotation(RotationKind::Haar, BUILTIN_SEED, dimension as u32, new)?;
    let mut evaluations = Vec::new();
    for width in BitWidth::ALL {
        let mut of_width = Vec::new();
        for training in Training::ALL {
            of_width.extend(evaluator.evaluate(width, training, &workers, &mut poll)?);
        }
        // Stable, so codebooks stay in their order.
        of_width.sort_by_key(|evaluation| evaluation.residual);
        evaluations.extend(of_width);
        notice(format!("{} bits a dimension: evaluated", width.bits()), None, None);
    }
    Ok(evaluations)
}

/// What the query returned: *n* × *d*.
#[derive(Default)]
struct Rows {
    vectors: Vec<f32>,
    dimension: usize,
    /// Vectors, and NULLs beside them.
    count: u64,
    nulls: u64,
}

impl Rows {
    fn add(&mut self, vector: &[f32]) -> Result<(), Error> {
        if self.count == 0 {
            self.dimension = vector.len();
        }
        let dimension = vector.len() as u64;
        if dimension > u64::from(MAX_DIMENSION) {
            return Err(CodecError::DimensionOutOfRange { dimension }.into());
        }
        if vector.len() != self.dimension {
            return Err(Error::Vector(VectorError::DimensionsDiffer(
                self.dimension as u32,
                vector.len() as u32,
            )));
        }
        if check_rotatable(vector)? == 0.0 {
            return Err(CodecError::ZeroVector.into());
        }
        if size_of_val(self.vectors.as_slice()) + size_of_val(vector) > MOST_BYTES {
            return Err(Error::Sample(SampleError::TooLarge { most: MOST_BYTES }));
        }
        self.vectors
            .try_room(vector.len())
            .map_err(|_| Error::Sample(SampleError::Memory(self.count + 1)))?;
        self.vectors.extend_from_slice(vector);
        self.count += 1;
        Ok(())
    }
}

/// Runs the query, and keeps what its first column holds.
fn read(query: &str) -> Result<Rows, Error> {
    cushion()?;
    // The cast in the target list makes a real[] of whatever has a cast to it; the line break ends a comment. The first column's
    // new name is none that another column has.
    let query = one_select(query)?;
    let query = format!(
        "SELECT (q.\"tq_evaluate: vector\")::pg_catalog.float4[] FROM ({query}\n) AS q(\"tq_evaluate: vector\")"
    );
    let spi = |code| Error::Spi(SpiError::SpiError(code));
    let query = CString::new(query).map_err(|_| spi(SpiErrorCodes::Argument))?;
    let mut rows = Rows::default();
    // SAFETY: everything happens on the connection that is opened first; an error closes it with the transaction, and takes the
    // variable back. The cursor has no arguments. It runs read-only, that is in the calling statement's snapshot, and one query
    // alone; functions in it run as in a read-only transaction, which can't be made another from within. Only the variable says
    // so: the setting behind it can't be changed for a while.
    unsafe {
        let read_only = pg_sys::XactReadOnly;
        pg_sys::XactReadOnly = true;
        if pg_sys::SPI_connect() != pg_sys::SPI_OK_CONNECT as i32 {
            return Err(spi(SpiErrorCodes::Connect));
        }
        let cursor = pg_sys::SPI_cursor_open_with_args(
            std::ptr::null(),
            query.as_ptr(),
            0,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null(),
            true,
            0,
        );
        if cursor.is_null() {
            return Err(spi(SpiErrorCodes::Cursor));
        }
        loop {
            poll();
            pg_sys::SPI_cursor_fetch(cursor, true, FETCH as std::ffi::c_long);
            if pg_sys::SPI_processed == 0 {
                break;
            }
            keep(&mut rows)?;
        }
        pg_sys::SPI_cursor_close(cursor);
        pg_sys::SPI_finish();
        pg_sys::XactReadOnly = read_only;
    }
    Ok(rows)
}

/// Adds what the cursor has just fetched.
///
/// # Safety
/// SPI's variables must hold the result of a query with one column of type `real[]`.
unsafe fn keep(rows: &mut Rows) -> Result<(), Error> {
    // SAFETY: by the contract; values live as long as the table of them, which is freed when all are copied.
    unsafe {
        let table = pg_sys::SPI_tuptable;
        let (tuples, description) = ((*table).vals, (*table).tupdesc);
        for tuple in 0..pg_sys::SPI_processed as usize {
            let mut is_null = false;
            let array = pg_sys::SPI_getbinval(*tuples.add(tuple), description, 1, &mut is_null);
            if is_null {
                rows.nulls += 1;
                continue;
            }
            let whole = pg_sys::pg_detoast_datum(array.cast_mut_ptr());
            let floats = FloatArray::from_datum(pg_sys::Datum::from(whole)).floats();
            floats.and_then(|floats| rows.add(&floats)).map_err(|source| match source {
                Error::Sample(SampleError::TooLarge { .. }) | Error::Sample(SampleError::Memory(_)) => source,
                source => Error::Sample(SampleError::Row {
                    row: rows.count + rows.nulls + 1,
                    source: Box::new(source),
                }),
            })?;
            if whole != array.cast_mut_ptr() {
                pg_sys::pfree(whole.cast());
            }
        }
        pg_sys::SPI_freetuptable(table);
    }
    Ok(())
}
