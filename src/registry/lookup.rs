//! Codecs by shape, by record, by file, by name and by hash, prepared for use.

use std::sync::Arc;

use tq_codec::builtin as builtin_codec;
use tq_codec::declaration::CodecPrefix;
use tq_codec::{CodeKind, Codec, CodecConfig, CodecDefinition, RotationKind};
use tq_format::{BitWidth, CorpusHeader, RecordShape, RecordView};

use super::cache;
use super::current::is_current;
use super::generation;
use super::table;
use super::table::CodecRow;
use crate::datum::typmod::Typmod;
use crate::error::interrupts::poll;
use crate::error::{Error, RegistryError, VectorError, cut};

/// The built-in codec of a shape, a rotation and a kind of codes.
pub(crate) fn builtin(
    dimension: u32,
    bit_width: BitWidth,
    residual: bool,
    (rotation, codes): (RotationKind, CodeKind),
) -> Result<Arc<Codec>, Error> {
    let config = builtin_codec::config(dimension, bit_width, residual, rotation)?.with_codes(codes)?;
    cache::get_or_prepare(config.hash().as_bytes(), || prepare_builtin(config))
}

/// The codec for floats of that dimension under a type modifier: the one that it names, or the built-in one of the fidelity that it asks
/// for. Whether it admits the dimension otherwise is for the caller to check.
///
/// # Errors
/// A codec that isn't registered, or that is of another dimension.
pub(crate) fn of_typmod(typmod: Typmod, dimension: u32) -> Result<Arc<Codec>, Error> {
    if let Some(prefix) = typmod.codec() {
        let codec = by_prefix(prefix)?;
        let expected = codec.config().dimension();
        return match expected == dimension {
            true => Ok(codec),
            false => Err(Error::Vector(VectorError::TypmodDimension { expected, got: dimension })),
        };
    }
    let (width, residual) = typmod.fidelity();
    builtin(dimension, width, residual, (typmod.rotation(), typmod.codes()))
}

/// The codec that a record names.
///
/// # Errors
/// A codec that is neither built in nor registered.
pub(crate) fn for_record(record: &RecordView<'_>) -> Result<Arc<Codec>, Error> {
    cache::get_or_prepare(record.hash_field(), || prepare_shape(&record.shape()))
}

/// The codec of records of that shape.
///
/// # Errors
/// A codec that is neither built in nor registered.
pub(crate) fn of_shape(shape: &RecordShape) -> Result<Arc<Codec>, Error> {
    cache::get_or_prepare(&shape.hash_field, || prepare_shape(shape))
}

fn prepare_shape(shape: &RecordShape) -> Result<Arc<Codec>, Error> {
    let RecordShape { hash_field, dimension, bit_width, residual } = *shape;
    if let Some((rotation, codes)) = builtin_codec::kind_of(&hash_field, dimension, bit_width, residual) {
        let config = builtin_codec::config(dimension, bit_width, residual, rotation)?;
        return prepare_builtin(config.with_codes(codes)?);
    }
    let hash = String::from_utf8_lossy(&hash_field);
    let hash = hash.trim_end_matches('\0');
    match table::by_hash(hash)? {
        Some(row) => prepare_registered(&row),
        None => Err(Error::Registry(RegistryError::UnknownCodec(hash.escape_debug().to_string()))),
    }
}

/// What the codec that a file names is called here, if it is known; prepares nothing.
pub(crate) fn codec_name(
    hash: &str,
    dimension: u32,
    width: BitWidth,
    residual: bool,
) -> Result<Option<String>, Error> {
    if builtin_codec::kind_of(hash.as_bytes(), dimension, width, residual).is_some() {
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
    match builtin_codec::kind_of(header.config_hash.as_bytes(), dimension, width, residual) {
        Some(kind) => builtin(dimension, width, residual, kind),
        None => by_hash(&header.config_hash),
    }
}

/// A codec that a file describes, prepared for this statement alone.
pub(crate) fn of_description(definition: &CodecDefinition) -> Result<Arc<Codec>, Error> {
    let config = definition.config();
    let rotation = cache::rotation(config.rotation(), config.seed(), config.dimension())?;
    Ok(Arc::new(definition.codec(rotation, &mut poll)?))
}

/// A registered codec by its hash alone.
fn by_hash(hash: &str) -> Result<Arc<Codec>, Error> {
    let row = table::by_hash(hash)?
        .ok_or_else(|| Error::Registry(RegistryError::UnknownCodec(hash.escape_debug().to_string())))?;
    cache::get_or_prepare(row.definition()?.config().hash().as_bytes(), || prepare_registered(&row))
}

/// Whether a codec that a file names is known here, for notices; prepares nothing.
pub(crate) fn is_known(hash: &str, dimension: u32, width: BitWidth, residual: bool) -> Result<bool, Error> {
    Ok(codec_name(hash, dimension, width, residual)?.is_some())
}

/// A registered codec by the first digits of its hash, as type modifiers have them.
///
/// # Errors
/// None is registered.
pub(crate) fn by_prefix(prefix: CodecPrefix) -> Result<Arc<Codec>, Error> {
    // No codec is called so.
    let name = prefix.to_string();
    let find =
        || table::by_prefix(prefix)?.ok_or_else(|| Error::Registry(RegistryError::NoSuchCodec(name.clone())));
    if let Some(hash) = cache::hash_of_name(&name) {
        return cache::get_or_prepare(&hash, || prepare_registered(&find()?));
    }
    let row = find()?;
    let hash = *row.definition()?.config().hash().as_bytes();
    if is_current(&row)? {
        cache::remember_name(&name, hash);
    }
    cache::get_or_prepare(&hash, || prepare_registered(&row))
}

/// A registered codec by its name or its hash.
pub(crate) fn by_name_or_hash(codec: &str) -> Result<Arc<Codec>, Error> {
    let find = || match table::by_name(codec)? {
        Some(row) => Ok(row),
        None => table::by_hash(codec)?.ok_or_else(|| Error::Registry(RegistryError::NoSuchCodec(cut(codec)))),
    };
    if let Some(hash) = cache::hash_of_name(codec) {
        return cache::get_or_prepare(&hash, || prepare_registered(&find()?));
    }
    let row = find()?;
    let hash = *row.definition()?.config().hash().as_bytes();
    if is_current(&row)? {
        cache::remember_name(codec, hash);
    }
    cache::get_or_prepare(&hash, || prepare_registered(&row))
}

fn prepare_registered(row: &CodecRow) -> Result<Arc<Codec>, Error> {
    if !is_current(row)? {
        generation::expire();
    }
    of_description(&row.definition()?)
}

fn prepare_builtin(config: CodecConfig) -> Result<Arc<Codec>, Error> {
    let rotation = cache::rotation(config.rotation(), config.seed(), config.dimension())?;
    Ok(Arc::new(Codec::builtin_of(config, rotation)?))
}
