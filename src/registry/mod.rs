//! Codecs by name and by hash: the built-in ones, computed, and the registered ones, rows of the table `tq_codec`.
//!
//! A backend keeps the codecs that it has prepared (see [`cache`]); what it keeps is dropped when the table
//! changes anywhere (see [`table`]).

mod cache;
mod functions;
mod table;

use std::sync::Arc;

use tq_codec::{Codec, CodecConfig, RotationKind};
use tq_format::{BitWidth, RecordView};

use crate::error::Error;

pub(crate) use cache::{generation, rotation};

pgrx::extension_sql_file!("registry.sql", name = "registry", requires = ["vector"]);

/// Registers the callback that learns of changes to the table; called from `_PG_init`.
pub(crate) fn init() {
    cache::init();
}

/// The built-in codec of a shape.
pub(crate) fn builtin(
    dimension: u32,
    bit_width: BitWidth,
    residual: bool,
    rotation: RotationKind,
) -> Result<Arc<Codec>, Error> {
    if rotation != RotationKind::Haar {
        return Err(Error::Codec(tq_codec::CodecError::RotationUnavailable { name: rotation.name() }));
    }
    let config = CodecConfig::builtin(dimension, bit_width, residual)?;
    cache::get_or_prepare(config.hash().as_bytes(), || prepare_builtin(dimension, bit_width, residual))
}

/// The codec that a record names.
///
/// # Errors
/// A codec that is neither built in nor registered.
pub(crate) fn for_record(record: &RecordView<'_>) -> Result<Arc<Codec>, Error> {
    cache::get_or_prepare(record.hash_field(), || {
        let (dimension, width, residual) = (record.dimension(), record.bit_width(), record.has_residual());
        let config = CodecConfig::builtin(dimension, width, residual)?;
        if config.hash().as_bytes() == record.hash_field() {
            return prepare_builtin(dimension, width, residual);
        }
        match table::by_hash(record.config_hash())? {
            Some(row) => row.prepare(),
            None => Err(Error::UnknownCodec(record.config_hash().escape_debug().to_string())),
        }
    })
}

/// Whether a codec that a file names is known here, for notices; prepares nothing.
pub(crate) fn is_known(hash: &str, dimension: u32, width: BitWidth, residual: bool) -> Result<bool, Error> {
    let builtin = CodecConfig::builtin(dimension, width, residual)?;
    Ok(builtin.hash().as_str() == hash || table::by_hash(hash)?.is_some())
}

/// A registered codec by its name or its hash.
pub(crate) fn by_name_or_hash(codec: &str) -> Result<Arc<Codec>, Error> {
    let find = || match table::by_name(codec)? {
        Some(row) => Ok(row),
        None => table::by_hash(codec)?.ok_or_else(|| Error::NoSuchCodec(codec.to_string())),
    };
    if let Some(hash) = cache::hash_of_name(codec) {
        return cache::get_or_prepare(&hash, || find()?.prepare());
    }
    let row = find()?;
    let hash = *row.config()?.hash().as_bytes();
    cache::remember_name(codec, hash);
    cache::get_or_prepare(&hash, || row.prepare())
}

fn prepare_builtin(dimension: u32, width: BitWidth, residual: bool) -> Result<Arc<Codec>, Error> {
    let config = CodecConfig::builtin(dimension, width, residual)?;
    let rotation = cache::rotation(config.rotation(), config.seed(), dimension)?;
    Ok(Arc::new(Codec::builtin(dimension, width, residual, rotation)?))
}
