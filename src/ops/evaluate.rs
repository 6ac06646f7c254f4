//! `tq_evaluate`: which width, which codebook, with or without residual? Measured on the user's own vectors.
//!
//! The sample comes from a query (see `sample`), and is kept as floats; what is measured, and how, is `tq_codec::evaluate`'s. Nothing is
//! written anywhere.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use tq_codec::evaluate::{Evaluation, Evaluator, MOST_NEIGHBOURS, MOST_QUERIES, Sample, Training};
use tq_codec::{BUILTIN_SEED, CodecError, RotationKind, Workers, check_rotatable};
use tq_format::{BitWidth, MAX_DIMENSION};
use tq_memory::Grow;

use super::sample::{TakeVectors, read_vectors};
use crate::datum::arguments::Text;
use crate::error::interrupts::poll;
use crate::error::{Error, SampleError, VectorError, notice};
use crate::registry;
use crate::server::settings;

/// The floats of a sample, in bytes. While it is read and rotated, little more is held at a time.
const MOST_BYTES: usize = 1 << 30;

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
    let neighbours = in_range(k, MOST_NEIGHBOURS).ok_or(CodecError::NeighboursOutOfRange { k: k.into() });
    let k = neighbours.map_err(Error::from)?;
    let most =
        in_range(queries, MOST_QUERIES).ok_or(CodecError::QueriesOutOfRange { queries: queries.into() });
    let queries = most.map_err(Error::from)?;
    let mut rows = SampleRows::default();
    read_vectors(sample_query, "tq_evaluate", &mut rows)?;
    let evaluations = evaluate(rows, k, queries)?;
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

fn evaluate(rows: SampleRows, k: usize, queries: usize) -> Result<Vec<Evaluation>, Error> {
    let SampleRows { vectors, dimension, count, nulls } = rows;
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
        for training in Training::ALL.into_iter().filter(|training| training.exists(width)) {
            of_width.extend(evaluator.evaluate(width, training, &workers, &mut poll)?);
        }
        // Stable, so codebooks stay in their order.
        of_width.sort_by_key(|evaluation| evaluation.residual);
        evaluations.extend(of_width);
        notice(format!("{} bits a dimension: evaluated", width.bits()), None, None);
    }
    if let Some(best) = recommended(&evaluations) {
        recommend(best, dimension);
    }
    Ok(evaluations)
}

/// The recall that most are content with.
const ENOUGH: f64 = 0.95;

/// What a codec must find more than a plainer one to be worth its care.
const WORTH_CARE: f64 = 0.01;

/// Those that can be recommended, the plainest first.
const CANDIDATES: [Training; 4] =
    [Training::Builtin, Training::Trellis, Training::Centred, Training::CentredTrellis];

/// The smallest codec without residual that finds enough, or the one that finds most: of each width the plainest, unless another is clearly
/// better.
fn recommended(evaluations: &[Evaluation]) -> Option<&Evaluation> {
    let recall = |evaluation: &&Evaluation| evaluation.recall.unwrap_or(0.0);
    let of = |width, training| {
        evaluations
            .iter()
            .find(|e| e.bit_width == width && !e.residual && e.training == training && e.recall.is_some())
    };
    let mut best: Option<&Evaluation> = None;
    for width in BitWidth::ALL {
        let candidates = || CANDIDATES.into_iter().filter_map(|training| of(width, training));
        let most = candidates().map(|found| recall(&found)).fold(0.0, f64::max);
        let of_width = candidates().find(|found| most < recall(found) + WORTH_CARE);
        let better = |found: &&Evaluation| best.is_none_or(|best| recall(&best) < recall(found));
        if best.is_none_or(|best| recall(&best) < ENOUGH) {
            best = of_width.filter(better).or(best);
        }
    }
    best
}

fn recommend(best: &Evaluation, dimension: usize) {
    let (bits, bytes) = (best.bit_width.bits(), best.record_bytes);
    let found = 100.0 * best.recall.unwrap_or(0.0);
    let trained = |more: &str| {
        let train = format!("SELECT tq_train_codec('name', 'the same query', {bits}{more});");
        format!("{train} then declare columns as tqvec({dimension}, {bits}, 'name').")
    };
    let (codec, statement) = match best.training {
        Training::Centred => ("a trained codec", trained("")),
        Training::CentredTrellis => ("a trained codec with trellis codes", trained(", codes => 'trellis'")),
        Training::Trellis => (
            "the built-in codec with trellis codes",
            format!("Declare columns as tqvec({dimension}, {bits}, trellis)."),
        ),
        _ => ("the built-in codec", format!("Declare columns as tqvec({dimension}, {bits}).")),
    };
    notice(
        format!(
            "recommended: {codec} of {bits} bits, {bytes} bytes a vector, which finds {found:.0} % of the nearest"
        ),
        None,
        Some(statement),
    );
}

/// What the query returned: *n* × *d*.
#[derive(Default)]
struct SampleRows {
    vectors: Vec<f32>,
    dimension: usize,
    /// Vectors, and NULLs beside them.
    count: u64,
    nulls: u64,
}

impl TakeVectors for SampleRows {
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

    fn add_null(&mut self) {
        self.nulls += 1;
    }
}
