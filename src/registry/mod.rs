//! Codecs by name and by hash: the built-in ones, computed, and the registered ones, rows of the table `tq_codec`.
//!
//! A backend keeps the codecs that it has prepared (see [`cache`]); what it keeps is dropped when the table
//! changes anywhere (see [`table`]).

mod cache;
mod compress;
mod current;
mod exchange;
mod functions;
mod generation;
mod rotations;
mod table;
mod trigger;

use std::sync::Arc;

use tq_codec::builtin as builtin_codec;
use tq_codec::{
    BUILTIN_SEED, BatchError, Codebook, Codec, CodecConfig, CodecError, Metric, PreparedQuery, Rotation,
    RotationKind, Workers,
};
use tq_format::{BitWidth, CorpusHeader, RecordView};
use tq_simd::Level;

use crate::error::interrupts::poll;
use crate::error::{Error, RegistryError};

pub(crate) use self::compress::{compress_floats, record_len};
pub(crate) use self::exchange::{definition, described};
pub(crate) use self::generation::generation;

pgrx::extension_sql_file!("registry.sql", name = "registry", requires = ["vector"]);

/// Registers the callback that learns of changes to the table; called from `_PG_init`.
pub(crate) fn init() {
    cache::init();
    generation::init();
}

/// The built-in codec of a shape and a rotation.
pub(crate) fn builtin(
    dimension: u32,
    bit_width: BitWidth,
    residual: bool,
    rotation: RotationKind,
) -> Result<Arc<Codec>, Error> {
    let config = builtin_codec::config(dimension, bit_width, residual, rotation)?;
    cache::get_or_prepare(config.hash().as_bytes(), || prepare_builtin(config))
}

/// The codec that a record names.
///
/// # Errors
/// A codec that is neither built in nor registered.
pub(crate) fn for_record(record: &RecordView<'_>) -> Result<Arc<Codec>, Error> {
    cache::get_or_prepare(record.hash_field(), || {
        let (dimension, width, residual) = (record.dimension(), record.bit_width(), record.has_residual());
        if let Some(kind) = builtin_codec::rotation_of(record.hash_field(), dimension, width, residual) {
            return prepare_builtin(builtin_codec::config(dimension, width, residual, kind)?);
        }
        match table::by_hash(record.config_hash())? {
            Some(row) => row.prepare(),
            None => Err(Error::Registry(RegistryError::UnknownCodec(
                record.config_hash().escape_debug().to_string(),
            ))),
        }
    })
}

/// What the codec that a file names is called here, if it is known; prepares nothing.
pub(crate) fn codec_name(
    hash: &str,
    dimension: u32,
    width: BitWidth,
    residual: bool,
) -> Result<Option<String>, Error> {
    if builtin_codec::rotation_of(hash.as_bytes(), dimension, width, residual).is_some() {
        return Ok(Some("built-in".to_string()));
    }
    Ok(table::by_hash(hash)?.map(|row| row.name))
}

/// The codec that a corpus names.
///
/// # Errors
/// A codec that is neither built in nor registered.
pub(crate) fn of_corpus(header: &CorpusHeader) -> Result<Arc<Codec>, Error> {
    let (dimension, width, residual) = (header.dimension, header.bit_width, header.residual);
    match builtin_codec::rotation_of(header.config_hash.as_bytes(), dimension, width, residual) {
        Some(kind) => builtin(dimension, width, residual, kind),
        None => by_hash(&header.config_hash),
    }
}

/// A codec that a file describes, prepared for this statement alone.
pub(crate) fn of_description(config: &CodecConfig, codebook: &Codebook) -> Result<Arc<Codec>, Error> {
    let rotation = cache::rotation(config.rotation(), config.seed(), config.dimension())?;
    Ok(Arc::new(Codec::new(*config, codebook.clone(), rotation)?))
}

/// A registered codec by its hash alone.
fn by_hash(hash: &str) -> Result<Arc<Codec>, Error> {
    let row = table::by_hash(hash)?
        .ok_or_else(|| Error::Registry(RegistryError::UnknownCodec(hash.escape_debug().to_string())))?;
    cache::get_or_prepare(row.config()?.hash().as_bytes(), || row.prepare())
}

/// Whether a codec that a file names is known here, for notices; prepares nothing.
pub(crate) fn is_known(hash: &str, dimension: u32, width: BitWidth, residual: bool) -> Result<bool, Error> {
    Ok(codec_name(hash, dimension, width, residual)?.is_some())
}

/// What became of a codec that a file describes.
pub(crate) enum CodecRegistration {
    /// It is built in, or registered already.
    Known,
    /// It is registered now, under its hash for a name.
    Registered,
    /// It isn't known, and the current user may not change that.
    NotAllowed,
}

/// Registers a codec that a file describes, unless it is known.
///
/// # Errors
/// A codec that contradicts a registered or the built-in one: the same hash and another codebook.
pub(crate) fn register_described(
    config: &CodecConfig,
    codebook: &Codebook,
) -> Result<CodecRegistration, Error> {
    let hash = config.hash().to_string();
    let conflict = |existing: &str| {
        Error::Registry(RegistryError::CodebookConflict { existing: existing.into(), hash: hash.clone() })
    };
    if config.seed() == BUILTIN_SEED {
        let standard = Codebook::lloyd_max(config.bit_width(), config.dimension());
        return if *codebook == standard { Ok(CodecRegistration::Known) } else { Err(conflict("built-in")) };
    }
    let registered = || match table::by_hash(&hash)? {
        Some(existing) if existing.codebook == codebook.entries() => Ok(true),
        Some(existing) => Err(conflict(&existing.name)),
        None => Ok(false),
    };
    if registered()? {
        return Ok(CodecRegistration::Known);
    }
    if !table::may_insert()? {
        return Ok(CodecRegistration::NotAllowed);
    }
    let row = table::CodecRow {
        name: hash.clone(),
        config_hash: hash.clone(),
        dimension: config.dimension(),
        bit_width: config.bit_width(),
        seed: config.seed(),
        residual: config.residual(),
        rotation: config.rotation(),
        codebook: codebook.entries().to_vec(),
    };
    row.check()?;
    // Another session may have registered it since, or dropped what stood in the way.
    while !table::insert_unless_there(&row)? {
        if registered()? {
            return Ok(CodecRegistration::Known);
        }
        if table::by_name(&row.name)?.is_some_and(|existing| existing.config_hash != hash) {
            return Err(Error::Registry(RegistryError::CodecExists(hash)));
        }
        poll();
    }
    Ok(CodecRegistration::Registered)
}

/// A registered codec by its name or its hash.
pub(crate) fn by_name_or_hash(codec: &str) -> Result<Arc<Codec>, Error> {
    let find = || match table::by_name(codec)? {
        Some(row) => Ok(row),
        None => table::by_hash(codec)?
            .ok_or_else(|| Error::Registry(RegistryError::NoSuchCodec(crate::error::cut(codec)))),
    };
    if let Some(hash) = cache::hash_of_name(codec) {
        return cache::get_or_prepare(&hash, || find()?.prepare());
    }
    let row = find()?;
    let hash = *row.config()?.hash().as_bytes();
    if row.is_current()? {
        cache::remember_name(codec, hash);
    }
    cache::get_or_prepare(&hash, || row.prepare())
}

/// Compresses a vector: appends one record.
pub(crate) fn encode(codec: &Codec, vector: &[f32], record: &mut Vec<u8>) -> Result<(), Error> {
    if !codec.config().residual() {
        codec.rotation().prepare(false, &mut poll);
    }
    codec.encode_polling(vector, record, &mut poll)?;
    cache::confirm(codec)
}

/// Compresses many vectors (*n* × *d*, row-major), on several threads, and appends *n* records; `at` names the row, from 0, that an
/// error concerns. Answers interrupts.
pub(crate) fn encode_batch(
    codec: &Codec,
    workers: &Workers,
    vectors: &[f32],
    records: &mut Vec<u8>,
    at: impl FnOnce(usize, Error) -> Error,
) -> Result<(), Error> {
    codec
        .encode_batch_on(workers, vectors, records, &mut poll)
        .map_err(|BatchError { row, source }| at(row, source.into()))?;
    cache::confirm(codec)
}

/// Decompresses many records of one codec, on several threads, and appends the vectors (*n* × *d*, row-major). Answers
/// interrupts.
pub(crate) fn decode_batch(
    codec: &Codec,
    workers: &Workers,
    records: &[RecordView<'_>],
    vectors: &mut Vec<f32>,
) -> Result<(), Error> {
    codec.rotation().prepare(false, &mut poll);
    for round in records.chunks(codec.round_rows(workers)) {
        poll();
        codec.decode_batch_on(workers, round, vectors).map_err(|error| Error::from(error.source))?;
    }
    cache::confirm(codec)
}

/// Decompresses a record.
pub(crate) fn decode(record: &RecordView<'_>) -> Result<Vec<f32>, Error> {
    let codec = for_record(record)?;
    let vector = codec.decode_polling(record, &mut poll)?;
    count_rotation();
    cache::confirm(&codec)?;
    Ok(vector)
}

/// The distance of a record from a query that was prepared for its codec.
#[inline]
pub(crate) fn distance(query: &PreparedQuery, metric: Metric, record: &RecordView<'_>) -> Result<f64, Error> {
    let distance = query.distance(metric, record);
    // The other metrics don't touch the rotation.
    if metric == Metric::L1 {
        cache::confirm(query.codec())?;
    }
    Ok(distance)
}

/// Confirms, after a codec was used by other means than the functions here, that what it read of its rotation was right.
pub(crate) fn confirm(codec: &Codec) -> Result<(), Error> {
    cache::confirm(codec)
}

/// Rotates a vector back to where it came from.
pub(crate) fn rotate_back(
    kind: RotationKind,
    seed: u64,
    rotated: &[f32],
    out: &mut [f32],
) -> Result<(), Error> {
    let dimension = rotated.len() as u32;
    cache::rotation(kind, seed, dimension)?.apply_inverse_polling(rotated, out, &mut poll);
    cache::confirm_rotation((kind, seed, dimension))
}

/// Rotates vectors (*n* × *d*, row-major) in place, on several threads. Answers interrupts.
pub(crate) fn rotate_rows(
    kind: RotationKind,
    seed: u64,
    dimension: u32,
    workers: &Workers,
    vectors: &mut [f32],
) -> Result<(), Error> {
    cache::rotation(kind, seed, dimension)?.apply_rows(workers, vectors, &mut poll)?;
    cache::confirm_rotation((kind, seed, dimension))
}

/// Does work with the rotation of that kind, seed and dimension, and refuses the result if its file was changed meanwhile.
pub(crate) fn with_rotation<R>(
    kind: RotationKind,
    seed: u64,
    dimension: u32,
    work: impl FnOnce(Arc<Rotation>) -> Result<R, Error>,
) -> Result<R, Error> {
    let result = work(cache::rotation(kind, seed, dimension)?)?;
    cache::confirm_rotation((kind, seed, dimension))?;
    Ok(result)
}

#[cfg(any(test, feature = "pg_test"))]
thread_local! {
    /// Rotations of single vectors, for tests: what distances shall save can't be seen otherwise.
    pub(crate) static ROTATIONS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[inline]
fn count_rotation() {
    #[cfg(any(test, feature = "pg_test"))]
    ROTATIONS.set(ROTATIONS.get() + 1);
}

/// A query: floats, or what a record holds, in its rotated space.
pub(crate) enum Query {
    Floats(Vec<f32>),
    Rotated(Arc<Codec>, Vec<f32>),
}

impl Default for Query {
    fn default() -> Self {
        Query::Floats(Vec::new())
    }
}

impl Query {
    /// The query that a record stands for.
    pub(crate) fn from_record(record: &RecordView<'_>) -> Result<Query, Error> {
        let codec = for_record(record)?;
        let mut rotated = tq_memory::filled(record.dimension() as usize, 0.0)?;
        codec.decode_rotated(record, &mut rotated)?;
        Ok(Query::Rotated(codec, rotated))
    }

    pub(crate) fn dimension(&self) -> usize {
        match self {
            Query::Floats(floats) | Query::Rotated(_, floats) => floats.len(),
        }
    }

    /// Whether it takes a rotation to get at its floats.
    pub(crate) fn is_rotated(&self) -> bool {
        matches!(self, Query::Rotated(..))
    }

    /// Whether it takes none to prepare it for this codec.
    pub(crate) fn shares_rotation(&self, codec: &Codec) -> bool {
        matches!(self, Query::Rotated(own, _) if Arc::ptr_eq(own.rotation(), codec.rotation()))
    }

    /// The query's floats; from a record they are rotated back once.
    pub(crate) fn floats(&mut self) -> Result<&[f32], Error> {
        if let Query::Rotated(codec, rotated) = self {
            let mut floats = tq_memory::filled(rotated.len(), 0.0)?;
            codec.rotation().apply_inverse_polling(rotated, &mut floats, &mut poll);
            if let Some(index) = floats.iter().position(|value| !value.is_finite()) {
                return Err(CodecError::DecodedOverflow { index }.into());
            }
            count_rotation();
            cache::confirm(codec)?;
            *self = Query::Floats(floats);
        }
        match self {
            Query::Floats(floats) | Query::Rotated(_, floats) => Ok(floats),
        }
    }

    /// Prepares the query for records of a codec. Nothing is rotated if the query came from a record whose codec has the
    /// same rotation, as a literal has in a column of the built-in codec.
    pub(crate) fn prepare(&mut self, codec: Arc<Codec>, level: Level) -> Result<PreparedQuery, Error> {
        if let Query::Rotated(own, rotated) = self
            && Arc::ptr_eq(own.rotation(), codec.rotation())
        {
            return Ok(PreparedQuery::from_rotated(codec, rotated, level)?);
        }
        let prepared = PreparedQuery::new_polling(codec, self.floats()?, level, &mut poll)?;
        count_rotation();
        cache::confirm(prepared.codec())?;
        Ok(prepared)
    }
}

fn prepare_builtin(config: CodecConfig) -> Result<Arc<Codec>, Error> {
    let rotation = cache::rotation(config.rotation(), config.seed(), config.dimension())?;
    Ok(Arc::new(Codec::builtin(config.dimension(), config.bit_width(), config.residual(), rotation)?))
}
