//! `tq_train_codec`: a codec made for the vectors of a query, trained and registered in one call; and `tq_codec_fit`, how well one fits.
//!
//! A sample of bounded size decides: its mean becomes the centre, and the codebook is that of least squared error for the rotated
//! coordinates less the centre's. The sample doesn't depend on the order of the rows.

use pgrx::AnyNumeric;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use tq_codec::{
    BUILTIN_SEED, CodeKind, Codec, CodecConfig, CodecDefinition, CodecError, VectorSample, Workers,
    check_rotatable, train,
};
use tq_format::{BitWidth, MAX_DIMENSION, RecordView};

use super::sample::{TakeVectors, read_vectors};
use crate::datum::arguments::Text;
use crate::datum::codec_parameters;
use crate::error::interrupts::poll;
use crate::error::{Error, RegistryError, SampleError, SqlResult, VectorError, notice};
use crate::registry;
use crate::server::settings;

/// The values of the sample: more make no better codec, and cost memory and time.
const VALUES: usize = 4 << 20;

/// What is kept of a query's vectors.
struct Sampled {
    seed: u64,
    sample: VectorSample,
    nulls: u64,
}

impl TakeVectors for Sampled {
    fn add(&mut self, vector: &[f32]) -> Result<(), Error> {
        let dimension = vector.len();
        if self.sample.seen() == 0 {
            if dimension > MAX_DIMENSION as usize || dimension == 0 {
                return Err(CodecError::DimensionOutOfRange { dimension: dimension as u64 }.into());
            }
            self.sample = VectorSample::new(self.seed, (VALUES / dimension).max(1), dimension);
        }
        let expected = self.sample.dimension();
        if dimension != expected {
            return Err(Error::Vector(VectorError::DimensionsDiffer(expected as u32, dimension as u32)));
        }
        check_rotatable(vector)?;
        let kept = self.sample.kept() as u64;
        self.sample.offer(vector).map_err(|_| Error::Sample(SampleError::Memory(kept + 1)))
    }

    fn add_null(&mut self) {
        self.nulls += 1;
    }
}

/// The sample of a query's vectors, which isn't empty.
fn sample_of(query: &str, function: &str, seed: u64) -> Result<(VectorSample, u64), Error> {
    let mut rows = Sampled { seed, sample: VectorSample::new(seed, 0, 0), nulls: 0 };
    read_vectors(query, function, &mut rows)?;
    match rows.sample.kept() {
        0 => Err(Error::Sample(SampleError::Empty)),
        _ => Ok((rows.sample, rows.nulls)),
    }
}

/// The mean squared error of records of vectors (`n × d`), and the number of vectors.
fn squared_error(codec: &Codec, vectors: &[f32], workers: &Workers) -> Result<(f64, usize), Error> {
    let d = codec.config().dimension() as usize;
    let row_bytes = codec.record_shape().record_len();
    let (mut sum, mut records, mut decoded) = (0.0, Vec::new(), Vec::new());
    for rows in vectors.chunks(codec.round_rows(workers) * d) {
        records.clear();
        decoded.clear();
        let row_error =
            |row, source| Error::Sample(SampleError::Row { row: row as u64 + 1, source: Box::new(source) });
        registry::encode_batch(codec, workers, rows, &mut records, row_error)?;
        let views = records.chunks_exact(row_bytes).map(RecordView::parse).collect::<Result<Vec<_>, _>>()?;
        registry::decode_batch(codec, workers, &views, &mut decoded)?;
        let squares = rows.iter().zip(&decoded).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2));
        sum += squares.sum::<f64>();
    }
    let count = vectors.len() / d;
    Ok((sum / count.max(1) as f64, count))
}

/// How well a codec fits the vectors of a query.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)] // the columns, as pgrx wants them named
fn tq_codec_fit(
    codec: Text<'_>,
    sample_query: Text<'_>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(vectors, i64),
            name!(squared_error, f64),
            name!(trained_squared_error, Option<f64>),
            name!(ratio, Option<f64>),
        ),
    >,
    ErrorReport,
> {
    Ok(TableIterator::once(fit(&codec, &sample_query)?))
}

fn fit(codec: &str, query: &str) -> Result<(i64, f64, Option<f64>, Option<f64>), Error> {
    let codec = registry::by_name_or_hash(codec)?;
    let (sample, _) = sample_of(query, "tq_codec_fit", codec.config().seed())?;
    let (expected, got) = (codec.config().dimension(), sample.dimension() as u32);
    if expected != got {
        return Err(Error::Vector(VectorError::DimensionsDiffer(expected, got)));
    }
    let workers = Workers::new(settings::threads())?;
    let (error, count) = squared_error(&codec, sample.values(), &workers)?;
    let trained = registry::trained_error(&codec)?;
    let ratio = trained.filter(|trained| *trained > 0.0).map(|trained| error / trained);
    Ok((count as i64, error, trained, ratio))
}

/// Trains a codec on the vectors of a query, registers it, and returns its hash.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)] // as SQL has them
fn tq_train_codec(
    name: Text<'_>,
    sample_query: Text<'_>,
    bit_width: i32,
    residual: bool,
    rotation: Text<'_>,
    centre: bool,
    seed: AnyNumeric,
    codes: Text<'_>,
) -> SqlResult<String> {
    let width = codec_parameters::bit_width(bit_width)?;
    let kind = codec_parameters::rotation(&rotation)?;
    let codes = codec_parameters::codes(&codes)?;
    let seed = codec_parameters::seed(&seed.to_string())?;
    if seed == BUILTIN_SEED {
        return Err(Error::Registry(RegistryError::ReservedSeed(seed)).into());
    }
    // What would stand in the way is said before the work is done.
    if codes == CodeKind::Trellis && width == BitWidth::Eight {
        return Err(Error::from(CodecError::TrellisOfEightBits).into());
    }
    registry::check_new(&name)?;
    let (sample, nulls) = sample_of(&sample_query, "tq_train_codec", seed)?;
    let dimension = sample.dimension();
    notice(
        format!("training on {} of {} vectors of {dimension} dimensions", sample.kept(), sample.seen()),
        (nulls > 0).then(|| format!("Rows left out because they are NULL: {nulls}.")),
        None,
    );
    let config = CodecConfig::new(width, seed, dimension as u32, residual, kind)
        .and_then(|config| config.with_codes(codes))
        .map_err(Error::from)?;
    let workers = Workers::new(settings::threads()).map_err(Error::from)?;
    let (definition, error) = registry::with_rotation(kind, seed, dimension as u32, |rotation| {
        let mut values = train::copy(sample.values(), &mut poll)?;
        let mean = centre.then(|| train::mean(&values, dimension, &mut poll)).transpose()?;
        rotation.apply_rows(&workers, &mut values, &mut poll)?;
        if let Some(mean) = &mean {
            train::subtract_centre(&rotation, mean, &mut values, &mut poll)?;
        }
        let codebook = match codes {
            CodeKind::Scalar => train::lloyd(&mut values, width, &mut poll)?,
            CodeKind::Trellis => train::scaled_trellis(&values, width, &mut poll)?,
        };
        let definition = CodecDefinition::new(config, codebook, mean)?;
        let codec = definition.codec(rotation, &mut poll)?;
        let (error, _) = squared_error(&codec, sample.values(), &workers)?;
        Ok((definition, error))
    })?;
    registry::register_trained(&name, &definition, error)?;
    Ok(definition.config().hash().to_string())
}
