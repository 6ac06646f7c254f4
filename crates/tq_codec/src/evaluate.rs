//! What each bit width, codebook and residual would cost and keep, measured on a sample of someone's own vectors.
//!
//! Every figure comes from real records: the rows are encoded, the queries search them as they would search a column, and
//! the outcome is compared with exact search over the floats. What all codecs have in common is done once, when an
//! [`Evaluator`] is made: exact similarities, exact neighbours and the rotation. A codec then costs one pass over the
//! rows, a block at a time, so that its records are never in memory all at once.
//!
//! ```text
//! rows ─┬─ exact similarity to each query ── nearest k ─────────────┐
//!       └─rotate─ train ─ encode a block ─┬─ similarity ── nearest k ┴─ recall, correlation
//!                                         └─ decode ────────────────── relative squared error
//! ```

mod exact;
mod limits;
mod prepare;
mod tally;

use crate::tolerance::norm_tolerance;
use crate::{
    CodeKind, Codebook, Codec, CodecConfig, CodecError, Metric, PreparedQuery, Rotation, Workers, train,
};
use exact::{Block, Exact};
pub use limits::{MOST_NEIGHBOURS, MOST_QUERIES};
use prepare::{check_rows, check_shape, evenly_spaced, in_rounds, query_count, query_rows, rotate};
use std::sync::Arc;
use tally::Tally;
use tq_format::{BitWidth, RecordView};
use tq_simd::Level;

/// Rows that are encoded together.
const TOGETHER: usize = 64;

/// Vectors to evaluate codecs on.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The vectors, `n × d`, row-major; of any lengths but zero.
    pub rows: Vec<f32>,
    /// Length of a vector, *d*.
    pub dimension: usize,
    /// How many of the rows serve as queries, evenly spaced: 1 to [`MOST_QUERIES`]. Fewer do if there are fewer rows, or if
    /// they would take too much memory: at most 2²² floats, and 2²⁷ pairs of a query and a row.
    pub queries: usize,
    /// How many neighbours recall looks at: 1 to [`MOST_NEIGHBOURS`], and fewer than there are rows.
    pub k: usize,
}

impl Sample {
    /// How many of the rows will be queries.
    pub fn query_count(&self) -> usize {
        let dimension = self.dimension.max(1);
        query_count(self.rows.len() / dimension, dimension, self.queries)
    }
}

/// Where a codec's codebook comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Training {
    /// The built-in codec's, made for unit vectors.
    Builtin,
    /// [`train::lloyd`] on coordinates of the rotated sample.
    Lloyd,
    /// [`train::quantile`] on coordinates of the sample as it is: TinyQuant's recipe.
    Quantile,
    /// [`train::lloyd`] on coordinates of the rotated sample less its mean, which is the codec's centre; none where that is too long.
    Centred,
    /// The fixed table of trellis codes, made for unit vectors; there are none of eight bits.
    Trellis,
    /// [`train::scaled_trellis`] on coordinates of the rotated sample less its mean, which is the codec's centre.
    CentredTrellis,
}

impl Training {
    /// All of them.
    pub const ALL: [Training; 6] = [
        Training::Builtin,
        Training::Lloyd,
        Training::Quantile,
        Training::Centred,
        Training::Trellis,
        Training::CentredTrellis,
    ];

    /// The kind of codes.
    pub fn codes(self) -> CodeKind {
        match self {
            Training::Trellis | Training::CentredTrellis => CodeKind::Trellis,
            _ => CodeKind::Scalar,
        }
    }

    /// Whether there are such codebooks of that width.
    pub fn exists(self, width: BitWidth) -> bool {
        self.codes() == CodeKind::Scalar || width != BitWidth::Eight
    }

    /// The name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Training::Builtin => "builtin",
            Training::Lloyd => "lloyd",
            Training::Quantile => "quantile",
            Training::Centred => "centred",
            Training::Trellis => "trellis",
            Training::CentredTrellis => "centred trellis",
        }
    }
}

/// What one codec does to the sample. Measures are `None` where there is no such codec: the built-in one without residual
/// wants norms near 1, a codebook wants enough distinct values, and a residual has to fit into half precision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Bits for each coordinate.
    pub bit_width: BitWidth,
    /// Whether records carry an FP16 residual.
    pub residual: bool,
    /// Where the codebook comes from.
    pub training: Training,
    /// Length of a record in bytes.
    pub record_bytes: usize,
    /// How many times larger the vector is as a PostgreSQL value of type `real[]` (24 bytes of header, 4 for each
    /// coordinate) than as one of type `tqvec` (4 bytes of header, and the record); alignment and the row's own
    /// header left out.
    pub ratio: f64,
    /// `Σ‖x - x̂‖² / Σ‖x‖²` over all rows, for decoded vectors x̂.
    pub relative_squared_error: Option<f64>,
    /// Pearson's correlation of exact cosine similarities and those from records, over all pairs of a query and another
    /// row. Also `None` when either side is the same for all pairs.
    pub correlation: Option<f64>,
    /// The share of the *k* exact nearest rows that are among the *k* nearest by their records, mean over the queries. Both
    /// by cosine distance to the full-precision query, whose own row doesn't count; ties go by row number.
    pub recall: Option<f64>,
}

/// A sample, made ready to evaluate codecs on.
pub struct Evaluator {
    /// Rotated, `n × d`.
    rows: Vec<f32>,
    /// Some of the rows as they were given, for the recipe that wants them so.
    raw: Vec<f32>,
    /// The mean of the rows as they were given.
    mean: Vec<f32>,
    rotation: Arc<Rotation>,
    dimension: usize,
    k: usize,
    /// Numbers of the rows that are queries.
    queries: Vec<usize>,
    /// Least and greatest norm.
    norms: (f64, f64),
    blocks: Vec<Block>,
    /// For each query the numbers of the exact nearest rows, ascending.
    nearest: Vec<Vec<usize>>,
    level: Level,
}

impl Evaluator {
    /// Checks the sample, finds the exact neighbours and rotates the rows.
    ///
    /// Here and in [`Evaluator::evaluate`], `poll` is called on the calling thread between rounds of some ten milliseconds;
    /// it may unwind. Results don't depend on how many `workers` there are. Needs four bytes for each pair of a query
    /// and a row beside the sample itself.
    ///
    /// # Errors
    /// [`CodecError::QueriesOutOfRange`], [`CodecError::NeighboursOutOfRange`], [`CodecError::SampleTooSmall`];
    /// [`CodecError::DimensionMismatch`] for a last row that is too short or a rotation of another dimension;
    /// [`CodecError::Row`] with [`CodecError::NotFinite`], [`CodecError::ZeroVector`] or [`CodecError::NormTooLarge`];
    /// [`CodecError::WorkerPanicked`], [`CodecError::Memory`].
    pub fn new(
        sample: Sample,
        rotation: Arc<Rotation>,
        workers: &Workers,
        poll: &mut dyn FnMut(),
    ) -> Result<Self, CodecError> {
        let Sample { mut rows, dimension, queries, k } = sample;
        let n = check_shape(&rows, dimension, queries, k, &rotation)?;
        let queries = query_rows(n, dimension, queries)?;
        let squares = check_rows(&rows, dimension, workers, poll)?;
        let norms = squares.iter().fold((f64::INFINITY, 0.0f64), |(least, greatest), square| {
            (least.min(square.sqrt()), greatest.max(square.sqrt()))
        });
        let level = Level::detect();
        let exact = Exact { rows: &rows, dimension, squares: &squares, queries: &queries, k, level };
        let (blocks, nearest) = exact.blocks(workers, poll)?;
        let raw = evenly_spaced(&rows, dimension)?;
        let mean = train::mean(&rows, dimension, poll)?;
        rotate(&rotation, &mut rows, &squares, workers, poll)?;
        Ok(Self { rows, raw, mean, rotation, dimension, k, queries, norms, blocks, nearest, level })
    }

    /// Evaluates two codecs that differ by their residual alone: first without, then with it.
    ///
    /// # Errors
    /// [`CodecError::WorkerPanicked`], [`CodecError::TrainingMemory`], [`CodecError::Memory`]. What a codec refuses shows as measures that are `None`.
    pub fn evaluate(
        &self,
        bit_width: BitWidth,
        training: Training,
        workers: &Workers,
        poll: &mut dyn FnMut(),
    ) -> Result<[Evaluation; 2], CodecError> {
        poll();
        let codebook = match self.train(bit_width, training, poll) {
            Err(
                CodecError::TooFewDistinct { .. }
                | CodecError::CentreTooLong { .. }
                | CodecError::TrellisOfEightBits
                | CodecError::TrellisRange { .. },
            ) => None,
            codebook => Some(codebook?),
        };
        let mut evaluate = |residual| -> Result<Evaluation, CodecError> {
            let measures = match &codebook {
                Some(codebook) if self.is_encodable(training, residual) => {
                    self.measure(self.codec(codebook, training, residual, poll)?, workers, poll)?
                }
                _ => None,
            };
            let record_bytes = tq_format::record_len(bit_width, self.dimension as u32, residual);
            Ok(Evaluation {
                bit_width,
                residual,
                training,
                record_bytes,
                ratio: (24 + 4 * self.dimension) as f64 / (4 + record_bytes) as f64,
                relative_squared_error: measures.as_ref().map(Tally::relative_squared_error),
                correlation: measures.as_ref().and_then(Tally::correlation),
                recall: measures.as_ref().map(|tally| tally.recall(&self.nearest, self.k)),
            })
        };
        Ok([evaluate(false)?, evaluate(true)?])
    }

    fn train(
        &self,
        bit_width: BitWidth,
        training: Training,
        poll: &mut dyn FnMut(),
    ) -> Result<Codebook, CodecError> {
        match training {
            Training::Builtin => Ok(Codebook::lloyd_max(bit_width, self.dimension as u32)),
            Training::Lloyd => train::lloyd(&mut evenly_spaced(&self.rows, self.dimension)?, bit_width, poll),
            Training::Quantile => train::quantile(&mut train::copy(&self.raw, poll)?, bit_width, poll),
            Training::Centred => {
                let mut values = evenly_spaced(&self.rows, self.dimension)?;
                train::subtract_centre(&self.rotation, &self.mean, &mut values, poll)?;
                train::lloyd(&mut values, bit_width, poll)
            }
            Training::Trellis => Codebook::builtin(CodeKind::Trellis, bit_width, self.dimension as u32),
            Training::CentredTrellis => {
                let mut values = evenly_spaced(&self.rows, self.dimension)?;
                train::subtract_centre(&self.rotation, &self.mean, &mut values, poll)?;
                train::scaled_trellis(&values, bit_width, poll)
            }
        }
    }

    /// The rule of the built-in codec, by which [`Codec::encode`] goes.
    fn is_encodable(&self, training: Training, residual: bool) -> bool {
        let (least, greatest) = self.norms;
        let tolerance = norm_tolerance(self.dimension as u32);
        !matches!(training, Training::Builtin | Training::Trellis)
            || residual
            || (least - 1.0).abs() <= tolerance && (greatest - 1.0).abs() <= tolerance
    }

    fn codec(
        &self,
        codebook: &Codebook,
        training: Training,
        residual: bool,
        poll: &mut dyn FnMut(),
    ) -> Result<Arc<Codec>, CodecError> {
        let rotation = &self.rotation;
        let config = CodecConfig::new(
            codebook.bit_width(),
            rotation.seed(),
            rotation.dimension(),
            residual,
            rotation.kind(),
        )?
        .with_codes(codebook.codes())?;
        let codec = Codec::new(config, codebook.clone(), Arc::clone(rotation))?;
        Ok(Arc::new(match training {
            Training::Centred | Training::CentredTrellis => codec.with_centre(&self.mean, poll)?,
            _ => codec,
        }))
    }

    /// One pass over the rows; `None` if some residual is too large.
    fn measure(
        &self,
        codec: Arc<Codec>,
        workers: &Workers,
        poll: &mut dyn FnMut(),
    ) -> Result<Option<Tally>, CodecError> {
        let mut queries = tq_memory::with_capacity(self.queries.len())?;
        let prepare = |row| PreparedQuery::from_rotated(Arc::clone(&codec), self.row(row), self.level);
        in_rounds(workers, self.queries.iter().copied(), 64, prepare, poll, |query| {
            queries.push(query?);
            Ok(())
        })?;
        let mut all = Tally::new(queries.len())?;
        let outcome = in_rounds(
            workers,
            self.blocks.iter(),
            2,
            |block| self.measure_block(&codec, &queries, block),
            poll,
            |tally| {
                all.merge(tally?, self.k)?;
                Ok(())
            },
        );
        match outcome {
            Ok(()) => Ok(Some(all)),
            Err(CodecError::ResidualOverflow { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn measure_block(
        &self,
        codec: &Codec,
        queries: &[PreparedQuery],
        block: &Block,
    ) -> Result<Tally, CodecError> {
        let config = codec.config();
        let rows = block.first..block.first + block.rows;
        let mut bytes = Vec::new();
        let mut scratch = codec.scratch()?;
        let mut rotated = tq_memory::with_capacity(TOGETHER.min(block.rows) * self.dimension)?;
        let values = &self.rows[rows.start * self.dimension..rows.end * self.dimension];
        for values in values.chunks(TOGETHER * self.dimension) {
            rotated.clear();
            rotated.extend_from_slice(values);
            let result = codec.encode_rotated_rows(&mut rotated, &mut scratch, &mut bytes);
            result.map_err(|error| error.source)?;
        }
        let length = tq_format::record_len(config.bit_width(), config.dimension(), config.residual());
        let mut records = tq_memory::with_capacity(block.rows)?;
        for record in bytes.chunks_exact(length) {
            records.push(RecordView::parse(record)?);
        }

        let mut tally = Tally::new(queries.len())?;
        let mut decoded = tq_memory::filled(self.dimension, 0.0)?;
        for (record, row) in records.iter().zip(rows.clone()) {
            codec.dequantize(record, &mut decoded);
            let row = self.row(row);
            tally.add_error(
                tq_simd::squared_l2_f32(self.level, row, &decoded),
                tq_simd::dot_f32(self.level, row, row),
            );
        }
        for (number, (query, exact)) in queries.iter().zip(block.exact.chunks_exact(block.rows)).enumerate() {
            tally.nearest[number].room(block.rows)?;
            for ((record, exact), row) in records.iter().zip(exact).zip(rows.clone()) {
                if row != self.queries[number] {
                    tally.add_pair(number, row, f64::from(*exact), query.distance(Metric::Cosine, record));
                }
            }
            tally.nearest[number].keep(self.k);
        }
        Ok(tally)
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.rows[row * self.dimension..][..self.dimension]
    }
}
