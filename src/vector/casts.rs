//! Casts: floats to `tqvec` under a type modifier, `bytea` both ways, and the length-coercion cast that enforces a
//! modifier as `varchar(n)`'s does.
//!
//! PostgreSQL turns a literal into a value without telling the input function the modifier (`coerce_type`), and
//! applies the length coercion afterwards. So the `'[0.1, …]'` of an INSERT into a `tqvec(1536, 4)` column arrives
//! there as what floats become without a modifier: an 8 bit record with residual of the built-in codec, of the fast rotation, which
//! costs microseconds and needs no matrix. Such a record stands for floats, and is compressed; so does one of Haar's rotation, which
//! literals were until version 0.2.0. Any other that doesn't match the modifier is refused.

use pgrx::prelude::*;
use tq_codec::{RotationKind, builtin};
use tq_format::RecordView;

use crate::datum::float_array::FloatArray;
use crate::datum::record::{Record, RecordOut};
use crate::datum::typmod::FLOATS;
use crate::datum::typmod::Typmod;
use crate::error::{Error, SqlResult};
use crate::registry;
use crate::registry::compress_floats;

/// `tqvec` to `tqvec` with another modifier: a check, and compression for floats in the guise of a record.
#[pg_extern(sql = false)]
fn tqvec_enforce_typmod<'fcx>(
    record: Record<'fcx>,
    typmod: i32,
    _explicit: bool,
) -> SqlResult<RecordOut<'fcx>> {
    let view = record.view().map_err(Error::from)?;
    let typmod = Typmod::from_raw(typmod);
    typmod.check_dimension(view.dimension()).map_err(Error::from)?;
    if let Some(record) = recompressed(&view, typmod)? {
        return Ok(record.into());
    }
    typmod.check(&view).map_err(Error::from)?;
    Ok(view.as_bytes().into())
}

/// What becomes of a record that stands for floats under a modifier; `None` for one that doesn't, or is that already.
///
/// # Errors
/// Those of [`compress_floats`].
pub(crate) fn recompressed(record: &RecordView<'_>, typmod: Typmod) -> Result<Option<Vec<u8>>, Error> {
    match floats_rotation(record) {
        Some(rotation) if !typmod.keeps_floats(rotation) => {
            compress_floats(&registry::decode(record)?, typmod).map(Some)
        }
        _ => Ok(None),
    }
}

/// The rotation of a record that stands for floats.
fn floats_rotation(record: &RecordView<'_>) -> Option<RotationKind> {
    let (width, residual) = FLOATS;
    if record.bit_width() != width || record.has_residual() != residual {
        return None;
    }
    let kind = builtin::kind_of(record.hash_field(), record.dimension(), width, residual);
    kind.map(|(rotation, _)| rotation)
}

/// `real[]` and `double precision[]` to `tqvec`.
#[pg_extern(sql = false)]
fn tqvec_from_floats(floats: FloatArray<'_>, typmod: i32, _explicit: bool) -> SqlResult<RecordOut<'static>> {
    Ok(compress_floats(&floats.floats()?, Typmod::from_raw(typmod))?.into())
}

/// `bytea` to `tqvec`: the bytes must be one record.
#[pg_extern(sql = false)]
fn tqvec_from_bytea(bytes: &[u8], typmod: i32, _explicit: bool) -> SqlResult<RecordOut<'_>> {
    let record = RecordView::parse(bytes).map_err(Error::from)?;
    Typmod::from_raw(typmod).check(&record).map_err(Error::from)?;
    Ok(bytes.into())
}
