//! What SQL does with the codec table: create codecs, check rows, list the rotations that are kept.

use pgrx::AnyNumeric;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use tq_codec::{Codebook, CodecConfig, CodecDefinition};

use super::registration::register;
use super::rotations;
use super::table;
use super::table::CodecRow;
use crate::datum::arguments::{Text, required};
use crate::datum::codec_parameters;
use crate::datum::float_array::FloatArray;
use crate::error::{Error, SqlResult};

/// [`tq_create_codec_centred`] as version 0.1.0 declares it.
#[pg_extern(sql = false)]
fn tq_create_codec(
    name: Option<Text<'_>>,
    dimension: Option<i32>,
    bit_width: Option<i32>,
    residual: Option<bool>,
    seed: Option<AnyNumeric>,
    codebook: Option<FloatArray<'_>>,
    rotation: Option<Text<'_>>,
) -> SqlResult<String> {
    tq_create_codec_centred(name, dimension, bit_width, residual, seed, codebook, rotation, None, None)
}

/// Registers a codec and returns its hash.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)] // as SQL has them
fn tq_create_codec_centred(
    name: Option<Text<'_>>,
    dimension: Option<i32>,
    bit_width: Option<i32>,
    residual: Option<bool>,
    seed: Option<AnyNumeric>,
    codebook: Option<FloatArray<'_>>,
    rotation: Option<Text<'_>>,
    centre: Option<FloatArray<'_>>,
    codes: Option<Text<'_>>,
) -> SqlResult<String> {
    let name = required(name.as_deref(), "name")?;
    let dimension = required(dimension, "dimension")?;
    let bits = required(bit_width, "bit_width")?;
    let residual = required(residual, "residual")?;
    let seed = required(seed, "seed")?.to_string();
    let rotation = required(rotation.as_deref(), "rotation")?;

    let bit_width = codec_parameters::bit_width(bits)?;
    let rotation = codec_parameters::rotation(rotation)?;
    let codes = codes.as_deref().map(codec_parameters::codes).transpose()?.unwrap_or_default();
    let seed = codec_parameters::seed(whole(&seed))?;
    let config =
        CodecConfig::new(bit_width, seed, codec_parameters::dimension(dimension)?, residual, rotation);
    let config = config.and_then(|config| config.with_codes(codes)).map_err(Error::from)?;
    let codebook = match codebook {
        Some(entries) => Codebook::of(codes, bit_width, floats_of(&entries)?),
        None => Codebook::builtin(codes, bit_width, config.dimension()),
    };
    let codebook = codebook.map_err(Error::from)?;
    let centre = centre.as_ref().map(floats_of).transpose()?;
    let definition = CodecDefinition::new(config, codebook, centre).map_err(Error::from)?;
    register(&CodecRow::of(name.into(), &definition)?)?;
    Ok(definition.config().hash().to_string())
}

/// The values of an array.
fn floats_of(array: &FloatArray<'_>) -> Result<Vec<f32>, Error> {
    Ok(tq_memory::copied(&array.floats()?)?)
}

/// A number without the zeros behind its point, which numeric keeps.
fn whole(number: &str) -> &str {
    number
        .split_once('.')
        .filter(|(_, zeros)| zeros.bytes().all(|zero| zero == b'0'))
        .map_or(number, |(whole, _)| whole)
}

/// Lists the rotations that this database directory keeps in files.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)] // the columns, as pgrx wants them named
fn tq_rotation_cache() -> Result<
    TableIterator<
        'static,
        (name!(rotation, String), name!(seed, AnyNumeric), name!(dimension, i32), name!(bytes, i64)),
    >,
    ErrorReport,
> {
    let rows = rotations::list()?.into_iter().map(|(kind, seed, dimension, bytes)| {
        (kind.name().to_string(), AnyNumeric::from(seed), dimension as i32, bytes as i64)
    });
    Ok(TableIterator::new(rows))
}

/// Removes them; returns how many there were.
#[pg_extern(sql = false)]
fn tq_clear_rotation_cache() -> SqlResult<i64> {
    Ok(rotations::clear()? as i64)
}

/// [`tq_codec_check_centred`] as version 0.1.0 declares it.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)] // one for each column
fn tq_codec_check(
    name: Option<Text<'_>>,
    config_hash: Option<Text<'_>>,
    dimension: Option<i32>,
    bit_width: Option<i32>,
    seed: Option<AnyNumeric>,
    residual: Option<bool>,
    rotation: Option<Text<'_>>,
    codebook: Option<FloatArray<'_>>,
) -> SqlResult<Option<bool>> {
    tq_codec_check_centred(name, config_hash, dimension, bit_width, seed, residual, rotation, codebook, None)
}

/// The table's CHECK: refuses, with a reason, a row that does not describe a codec.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)] // one for each column
fn tq_codec_check_centred(
    name: Option<Text<'_>>,
    config_hash: Option<Text<'_>>,
    dimension: Option<i32>,
    bit_width: Option<i32>,
    seed: Option<AnyNumeric>,
    residual: Option<bool>,
    rotation: Option<Text<'_>>,
    codebook: Option<FloatArray<'_>>,
    centre: Option<FloatArray<'_>>,
) -> SqlResult<Option<bool>> {
    // Columns that may not be NULL have a constraint that says so.
    let (
        Some(name),
        Some(config_hash),
        Some(dimension),
        Some(bit_width),
        Some(seed),
        Some(residual),
        Some(rotation),
        Some(codebook),
    ) = (name, config_hash, dimension, bit_width, seed, residual, rotation, codebook)
    else {
        return Ok(None);
    };
    table::row_from_sql(
        (*name).into(),
        (*config_hash).into(),
        dimension,
        bit_width,
        &seed.to_string(),
        residual,
        &rotation,
        floats_of(&codebook)?,
        centre.as_ref().map(floats_of).transpose()?,
    )?
    .check()?;
    Ok(Some(true))
}
