//! `tq_compress`, `tq_decompress`, `tq_normalize`.

use pgrx::prelude::*;
use tq_codec::RotationKind;

use crate::datum::arguments::Text;
use crate::datum::float_array::FloatArray;
use crate::datum::record::{Record, RecordOut};
use crate::datum::typmod::{Typmod, bit_width};
use crate::error::{Error, SqlResult, VectorError, cut};
use crate::registry;
use crate::registry::compress_floats;

/// Compresses with the built-in codec.
#[pg_extern(sql = false)]
fn tq_compress_builtin(
    floats: FloatArray<'_>,
    bits: i32,
    residual: bool,
    rotation: Text<'_>,
) -> SqlResult<RecordOut<'static>> {
    let rotation = &*rotation;
    let rotation = RotationKind::from_name(rotation)
        .ok_or_else(|| Error::Vector(VectorError::Rotation(cut(rotation))))?;
    let typmod = Typmod::of_fidelity(bit_width(bits)?, residual, rotation);
    Ok(compress_floats(&floats.floats()?, typmod)?.into())
}

/// Compresses with a registered codec, given by name or by hash.
#[pg_extern(sql = false)]
fn tq_compress_codec(floats: FloatArray<'_>, codec: Text<'_>) -> SqlResult<RecordOut<'static>> {
    let codec = &*codec;
    let codec = registry::by_name_or_hash(codec)?;
    let mut record = Vec::new();
    registry::encode(&codec, &floats.floats()?, &mut record)?;
    Ok(record.into())
}

/// Dequantises, adds the residual and rotates back.
#[pg_extern(sql = false)]
fn tq_decompress(record: Record<'_>) -> SqlResult<Vec<f32>> {
    let view = record.view().map_err(Error::from)?;
    Ok(registry::decode(&view)?)
}

/// The vector scaled to unit length.
#[pg_extern(sql = false)]
fn tq_normalize(floats: FloatArray<'_>) -> SqlResult<Vec<f32>> {
    Ok(tq_codec::normalize(&floats.floats()?).map_err(Error::from)?)
}
