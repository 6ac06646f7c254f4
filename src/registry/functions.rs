//! What SQL does with the codec table: create and drop codecs, check rows, hear of changes.

use pgrx::AnyNumeric;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use tq_codec::{Codebook, CodecConfig};

use super::registration::register;
use super::rotations;
use super::table;
use super::table::CodecRow;
use crate::datum::arguments::{Text, required};
use crate::datum::codec_parameters;
use crate::datum::float_array::FloatArray;
use crate::error::{Error, RegistryError, SqlResult};

/// Columns, and expressions, that `tq_drop_codec` names before it says "and more".
const LISTED: usize = 5;

/// Registers a codec and returns its hash.
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
    let name = required(name.as_deref(), "name")?;
    let dimension = required(dimension, "dimension")?;
    let bits = required(bit_width, "bit_width")?;
    let residual = required(residual, "residual")?;
    let seed = required(seed, "seed")?.to_string();
    let rotation = required(rotation.as_deref(), "rotation")?;

    let bit_width = codec_parameters::bit_width(bits)?;
    let rotation = codec_parameters::rotation(rotation)?;
    let seed = codec_parameters::seed(whole(&seed))?;
    let config =
        CodecConfig::new(bit_width, seed, codec_parameters::dimension(dimension)?, residual, rotation);
    let config = config.map_err(Error::from)?;
    let codebook = match codebook {
        Some(entries) => tq_memory::copied(&entries.floats()?).map_err(Error::from)?,
        None => Codebook::lloyd_max(bit_width, config.dimension()).entries().to_vec(),
    };
    let hash = config.hash().to_string();
    register(&CodecRow::of(name.into(), &config, codebook))?;
    Ok(hash)
}

/// A number without the zeros behind its point, which numeric keeps.
fn whole(number: &str) -> &str {
    number
        .split_once('.')
        .filter(|(_, zeros)| zeros.bytes().all(|zero| zero == b'0'))
        .map_or(number, |(whole, _)| whole)
}

/// Drops a codec. Whether a column still holds its records cannot be known without reading all of them, so where
/// there are `tqvec` columns that could, a notice says what breaks.
#[pg_extern(sql = false)]
fn tq_drop_codec(name: Text<'_>) -> SqlResult<()> {
    let name = &*name;
    let row = table::by_name(name)?
        .ok_or_else(|| Error::Registry(RegistryError::NoSuchCodec(crate::error::cut(name))))?;
    table::delete(name)?;
    let columns = table::columns_that_may_hold(&row)?;
    if columns.is_empty() {
        return Ok(());
    }
    let mut detail = format!("Columns that may hold such records: {}.", listed(columns));
    let mut hint = "To bring them back, create the codec again with the same seed and codebook.".to_string();
    let expressions = table::expressions_that_may_decode(&row)?;
    if !expressions.is_empty() {
        detail.push_str(&format!(
            " Where they do, ANALYZE, REINDEX or an UPDATE of the table fails at what decodes them: {}.",
            listed(expressions)
        ));
        hint.push_str(" Otherwise drop what decodes them.");
    }
    crate::error::notice(
        format!(
            "records with config_hash \"{}\" can still be stored and copied, but no longer decoded or measured",
            row.config_hash
        ),
        Some(detail),
        Some(hint),
    );
    Ok(())
}

/// Names, and no more of them than a message takes.
fn listed(mut names: Vec<String>) -> String {
    if names.len() > LISTED {
        names.truncate(LISTED);
        names.push("and more".into());
    }
    names.join(", ")
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

/// The table's CHECK: refuses, with a reason, a row that does not describe a codec.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)] // one for each column
fn tq_codec_check(
    name: Text<'_>,
    config_hash: Text<'_>,
    dimension: i32,
    bit_width: i32,
    seed: AnyNumeric,
    residual: bool,
    rotation: Text<'_>,
    codebook: FloatArray<'_>,
) -> SqlResult<bool> {
    let name = &*name;
    let config_hash = &*config_hash;
    let rotation = &*rotation;
    let codebook = tq_memory::copied(&codebook.floats()?).map_err(Error::from)?;
    let seed = seed.to_string();
    table::row_from_sql(
        name.into(),
        config_hash.into(),
        dimension,
        bit_width,
        &seed,
        residual,
        rotation,
        codebook,
    )?
    .check()?;
    Ok(true)
}
