//! What SQL does with the codec table: create and drop codecs, check rows, hear of changes.

use pgrx::AnyNumeric;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use tq_codec::{Codebook, CodecConfig, RotationKind};

use super::rotations;
use super::table;
use super::table::Row;
use crate::datum::arguments::Text;
use crate::datum::float_array::FloatArray;
use crate::error::{Error, RegistryError, SqlResult, VectorError};

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
    let name = name.as_deref();
    let rotation = rotation.as_deref();
    let name = name.ok_or(Error::Vector(VectorError::NullArgument("name")))?;
    let dimension = dimension.ok_or(Error::Vector(VectorError::NullArgument("dimension")))?;
    let bits = bit_width.ok_or(Error::Vector(VectorError::NullArgument("bit_width")))?;
    let residual = residual.ok_or(Error::Vector(VectorError::NullArgument("residual")))?;
    let seed = seed.ok_or(Error::Vector(VectorError::NullArgument("seed")))?.to_string();
    let rotation = rotation.ok_or(Error::Vector(VectorError::NullArgument("rotation")))?;

    let width = crate::datum::typmod::bit_width(bits)?;
    let kind = RotationKind::from_name(rotation)
        .ok_or_else(|| Error::Vector(VectorError::Rotation(crate::error::cut(rotation))))?;
    let seed = whole(&seed).to_owned();
    let parsed_seed = seed.parse().map_err(|_| Error::Registry(RegistryError::SeedRange(seed.clone())))?;
    let config = CodecConfig::new(width, parsed_seed, table::dimension(dimension)?, residual, kind);
    let config = config.map_err(Error::from)?;
    let codebook = match codebook {
        Some(entries) => tq_memory::copied(&entries.floats()?).map_err(Error::from)?,
        None => Codebook::lloyd_max(width, config.dimension()).entries().to_vec(),
    };
    let hash = config.hash().to_string();
    let row =
        table::row_from_sql(name.into(), hash.clone(), dimension, bits, &seed, residual, rotation, codebook)?;
    register(&row)?;
    Ok(hash)
}

/// A number without the zeros behind its point, which numeric keeps.
fn whole(number: &str) -> &str {
    number
        .split_once('.')
        .filter(|(_, zeros)| zeros.bytes().all(|zero| zero == b'0'))
        .map_or(number, |(whole, _)| whole)
}

/// Adds a codec to the table, unless it is wrong or one that is there stands in its way.
pub(super) fn register(row: &Row) -> Result<(), Error> {
    row.check()?;
    refuse_duplicate(row)?;
    table::insert(row)
}

/// Says which codec stands in the way, where a unique violation would only name an index.
fn refuse_duplicate(row: &Row) -> Result<(), Error> {
    if let Some(existing) = table::by_hash(&row.config_hash)? {
        return Err(if existing.codebook != row.codebook {
            Error::Registry(RegistryError::CodebookConflict {
                existing: existing.name,
                hash: existing.config_hash,
            })
        } else if existing.name == row.name {
            Error::Registry(RegistryError::CodecExists(existing.name))
        } else {
            Error::Registry(RegistryError::CodecRegistered(existing.name))
        });
    }
    match table::by_name(&row.name)? {
        Some(existing) => Err(Error::Registry(RegistryError::CodecExists(existing.name))),
        None => Ok(()),
    }
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
